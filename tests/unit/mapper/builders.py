"""Short ways to write a mapping and to look into what it made."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import zstandard

from services.mapper.mapped_batch import MappedParts, map_rows
from services.mapper.mapping_plan import FilePlan, MappingSettings, compile_file
from services.mapper.parent_keys import ENTRY
from shared.messages.batches import MappedBatch, MappedStream, ReferenceColumn
from shared.messages.mapping import FieldMapping, FileMapping, Options, RecordMapping

SHA = "ab" * 32


def field(name: str, column: int | None, **given: Any) -> FieldMapping:
    """A field mapping; what is no key of FieldMapping is an option."""
    own = {key: given.pop(key) for key in ("by", "evidence", "header") if key in given}
    return FieldMapping(field=name, column=column, options=Options(**given), **own)


def record(entity: str, *fields: FieldMapping, slot: int = 0, primary: bool = True) -> RecordMapping:
    return RecordMapping(entity=entity, slot=slot, primary=primary, fields=fields)


def file_mapping(headers: str, *records: RecordMapping) -> FileMapping:
    return FileMapping(file="file.csv", sha256=SHA, headers=tuple(headers.split("|")), records=records)


def compiled(headers: str, *records: RecordMapping, **settings: Any) -> FilePlan:
    return compile_file(file_mapping(headers, *records), MappingSettings(**settings))


def mapped(plan: FilePlan, *rows: tuple[str, ...], **given: Any) -> MappedParts:
    """Maps rows that begin on line 2 of the file."""
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(plan.columns)]
    return map_rows(plan, list(range(2, 2 + len(rows))), columns, given.pop("extras", {}), 0, **given)


def stream(parts: MappedParts | MappedBatch, entity: str, slot: int = 0) -> MappedStream:
    return next(s for s in parts.streams if (s.entity, s.slot) == (entity, slot))


def bodies(stream: MappedStream) -> list[dict[str, Any]]:
    texts: list[bytes] = msgspec.msgpack.decode(zstandard.decompress(stream.bodies))
    return [msgspec.json.decode(text) for text in texts]


def references(stream: MappedStream) -> dict[str, ReferenceColumn]:
    columns = msgspec.msgpack.decode(zstandard.decompress(stream.references), type=list[ReferenceColumn])
    return {column.field: column for column in columns}


def keys(stream: MappedStream) -> list[bytes]:
    return [stream.keys[16 * i : 16 * i + 16] for i in range(stream.count)]


def entries(packed: bytes) -> set[tuple[int, int]]:
    """(hash, index) of link keys or natural keys."""
    return {(int(hash_), int(index)) for hash_, index in np.frombuffer(packed, ENTRY)}


def hashes(packed: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(packed, "<u8")]
