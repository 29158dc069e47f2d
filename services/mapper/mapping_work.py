"""What a worker process does for one raw batch: read its span of the landed file, map it, encode the answer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.mapper.mapped_batch import give_up_batch, map_rows, to_message
from services.mapper.mapping_plan import plan_of
from shared.connectors.delimited import read_span_columns
from shared.messages.batches import CANCELLED, RawBatch
from shared.messages.landing import Reading, Span

_READING = msgspec.msgpack.Decoder(Reading)
_SPAN = msgspec.msgpack.Decoder(Span)
_RAW = msgspec.msgpack.Decoder(RawBatch)


def map_span(landed_path: str, reading: bytes, span: bytes, file_mapping: bytes, settings: bytes, raw: bytes) -> bytes:
    """The encoded MappedBatch of one span. Arguments are bytes so that they cross the pipe as they are.

    `reading`, `span`, `settings` (MappingSettings) and `raw` (RawBatch) are MessagePack, `file_mapping` is JSON. The
    compiled plan is kept, so batches of one file in a row cost no compiling. Raises BadInputError where the mapping
    does not fit and OSError where the landed file cannot be read; nothing that cells hold makes it fail.
    """
    plan = plan_of(file_mapping, settings)
    how, where = _READING.decode(reading), _SPAN.decode(span)
    asked = _RAW.decode(raw)
    if asked.cancelled:
        entity = plan.records[0].entity.name
        first, line = where.first_record, where.line
        skipped = give_up_batch(
            asked, entity=entity, records=where.records, first_record=first, line=line, reason=CANCELLED
        )
        return msgspec.msgpack.encode(skipped)
    lines, columns, extras = read_span_columns(Path(landed_path), how, where)
    parts = map_rows(
        plan,
        lines,
        columns,
        extras,
        where.first_record,
        replaced_bytes=how.replaced_bytes,
        oversized=where.oversized,
    )
    return msgspec.msgpack.encode(to_message(asked, parts))
