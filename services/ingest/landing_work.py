"""Worker entries: the one sequential pass over a landed file, and the sample that analyze looks at."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shared.connectors.delimited import land, sample_rows
from shared.messages.analysis import SampledFile
from shared.messages.landing import LandedFile
from shared.runtime.workers import report

SAMPLE_ROWS_MAX = 20_000


class SampleRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One file to sample: its name, its content and its index."""

    name: str
    path: str
    landed: bytes


def land_file(path: str, name: str, batch_records: int) -> bytes:
    """The index of a file (LandedFile as MessagePack); reports (bytes read, records) on the way."""
    landed = land(
        Path(path), name=name, batch_records=batch_records, on_progress=lambda done, records: report((done, records))
    )
    return msgspec.msgpack.encode(landed)


def sample_files(encoded: bytes) -> bytes:
    """list[SampleRequest] in, list[SampledFile] out, both MessagePack."""
    requests = msgspec.msgpack.decode(encoded, type=list[SampleRequest])
    return msgspec.msgpack.encode([_sample(request) for request in requests])


def _sample(request: SampleRequest) -> SampledFile:
    landed = msgspec.msgpack.decode(request.landed, type=LandedFile)
    rows = sample_rows(Path(request.path), landed, rows_max=SAMPLE_ROWS_MAX)
    return SampledFile(
        file=request.name,
        headers=landed.reading.headers,
        rows=[row.cells for row in rows],
        records=landed.records,
        sha256=landed.sha256,
    )
