"""Stored records as they are given out: canonical fields, where each came from, and its links."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from services.loader.linking import Link, Links
from shared.catalog import EntityType, FieldType
from shared.catalog.amounts import decimal_text
from shared.connectors.destination import RecordRow
from shared.storage.records import RecordStore, Stream

Record = dict[str, Any]

LINK_PARTS = ("", ".source_id", ".method", ".confidence")


def columns_of(entity: EntityType) -> list[str]:
    """Names of the members of an exported record, in order."""
    columns = ["id", "source_file", "source_row"]
    for field in entity.fields.values():
        if field.type is FieldType.REF:
            columns += [field.name + part for part in LINK_PARTS]
        else:
            columns.append(field.name)
            if field.type is FieldType.PHONE:
                columns.append(f"{field.name}.extension")
    return columns


async def export_records(
    store: RecordStore, entity: EntityType, page: Sequence[tuple[Stream, RecordRow]]
) -> list[Record]:
    """The records of one page with the source ids of their parents (one query for the page)."""
    links = [msgspec.json.decode(row.links, type=Links) if row.links else {} for _, row in page]
    parents = {link.id for record in links for entries in record.values() for link in entries if link.id is not None}
    source_ids = {row.id: json.loads(row.body).get("source_id") for row in await store.rows(sorted(parents))}
    return [_record(entity, stream, row, own, source_ids) for (stream, row), own in zip(page, links, strict=True)]


def _record(
    entity: EntityType, stream: Stream, row: RecordRow, links: Links, source_ids: dict[int, str | None]
) -> Record:
    body = json.loads(row.body)
    record: Record = {"id": row.id, "source_file": stream.file, "source_row": row.line}
    for field in entity.fields.values():
        if field.type is FieldType.REF:
            record |= _references(field.name, field.many, links.get(field.name, []), source_ids)
            continue
        value = body.get(field.name)
        if value is not None and field.type is FieldType.MONEY:
            value = decimal_text(value)
        record[field.name] = value
        if field.type is FieldType.PHONE:
            record[f"{field.name}.extension"] = body.get(f"{field.name}.extension")
    return record


def _references(field: str, many: bool, links: Sequence[Link], source_ids: dict[int, str | None]) -> Record:
    values: list[list[Any]] = [
        [link.id for link in links],
        [source_ids.get(link.id) if link.id is not None else None for link in links],
        [link.method for link in links],
        [link.confidence for link in links],
    ]
    if many:
        return {field + part: found for part, found in zip(LINK_PARTS, values, strict=True)}
    return {field + part: found[0] if found else None for part, found in zip(LINK_PARTS, values, strict=True)}


def to_jsonl(records: Iterable[Record]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def to_csv(columns: Sequence[str], records: Iterable[Record], *, header: bool) -> str:
    """CSV rows; absent values empty, lists as JSON, texts that a spreadsheet would run as a formula defused."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(columns)
    writer.writerows([_cell(record.get(column)) for column in columns] for record in records)
    return out.getvalue()


# A spreadsheet runs what begins with one of these; signed numbers and phone numbers are no formulas.
_FORMULA = re.compile(r"^[=+\-@\t\r]")
_NUMBER = re.compile(r"^[+-]?[\d.,() ]+$")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text
