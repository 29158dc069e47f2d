"""Worker entry: the source cells of some records, for the error file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shared.connectors.delimited import read_cells_at
from shared.messages.landing import Reading, Span


class CellsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of which span of a landed file."""

    path: str
    reading: Reading
    span: Span
    numbers: list[int]


def cells_of(encoded: bytes) -> bytes:
    """CellsRequest in, {record number: cells} out, both MessagePack."""
    request = msgspec.msgpack.decode(encoded, type=CellsRequest)
    rows = read_cells_at(Path(request.path), request.reading, request.span, request.numbers)
    return msgspec.msgpack.encode(rows)
