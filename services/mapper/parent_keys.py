"""Link keys: everything by which a child in any file may name a record (see `LinkKind`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from services.mapper.normal_forms import (
    NAMED_LIKE_PEOPLE,
    normalise_email,
    normalised,
    person_names,
)
from services.mapper.transforms.cells import Converted
from shared.catalog.identity import (
    U64,
    LinkKind,
    core_name,
    joined,
    link_keys,
    normalise_id,
    normalise_name,
    normalise_number,
    normalise_street,
)
from shared.catalog.model import EntityType, FieldType

ENTRY = np.dtype([("hash", "<u8"), ("index", "<u4")])
"""One entry of `MappedStream.naturals` and `link_keys`: 12 bytes, packed."""

Values = Mapping[str, Converted]
Texts = Sequence[str]


def entries(hashes: Sequence[U64]) -> bytes:
    """The non-zero hashes with the index of their record, ordered by record."""
    if not hashes:
        return b""
    table = np.stack(hashes, axis=1)
    records, kinds = np.nonzero(table)
    found = np.empty(len(records), ENTRY)
    found["hash"] = table[records, kinds]
    found["index"] = records
    return found.tobytes()


def parent_link_keys(
    entity: EntityType, values: Values, count: int, label: str, row_keys: Sequence[str] | None
) -> bytes:
    """Entries for `count` records. `row_keys`: their keys as hex where a record of the same row points to them."""
    keys = _Keys(entity.name, label)
    keys.add(LinkKind.SOURCE_ID, _texts(values, "source_id", normalise_id))
    keys.add(LinkKind.NUMBER, _texts(values, "number", normalise_number))
    keys.add(LinkKind.NUMBER, _texts(values, "employee_number", normalise_number))
    keys.add(LinkKind.ROW, row_keys)
    if entity.name == "properties":
        _add_property(keys, values)
    elif entity.name in NAMED_LIKE_PEOPLE:
        _add_person(keys, entity, values, count)
    return entries(keys.hashes)


class _Keys:
    def __init__(self, entity: str, label: str) -> None:
        self._entity, self._label = entity, label
        self.hashes: list[U64] = []

    def add(self, kind: LinkKind, texts: Texts | None) -> None:
        """One key per text that is not empty."""
        if texts is not None and any(texts):
            self.hashes.append(link_keys(self._entity, kind, texts, self._label))


def _texts(values: Values, field: str, normalise: Any) -> list[str] | None:
    column = values.get(field)
    return None if column is None else normalised(column.values, normalise)


def distinct(columns: Sequence[Texts]) -> list[Texts]:
    """The columns without texts that an earlier column already has for the record, and without empty columns."""
    kept: list[Texts] = []
    for column in columns:
        rest = column
        for earlier in kept:
            rest = ["" if text == other else text for text, other in zip(rest, earlier, strict=True)]
        if any(rest):
            kept.append(rest)
    return kept


def _person_names(values: Values, count: int) -> list[Texts]:
    written: list[Sequence[str | None]] = []
    if "name" in values:
        written.append(values["name"].values)
    if "first_name" in values or "last_name" in values:
        nobody: Sequence[None] = [None] * count
        first = values["first_name"].values if "first_name" in values else nobody
        last = values["last_name"].values if "last_name" in values else nobody
        written.append(person_names(first, last))
    if "company" in values:
        written.append(values["company"].values)
    return distinct([normalised(names, normalise_name) for names in written])


def _phones(entity: EntityType, values: Values) -> list[Texts]:
    return distinct(
        [
            [value or "" for value in values[field.name].values]
            for field in entity.fields.values()
            if field.type is FieldType.PHONE and field.name in values
        ]
    )


def _add_person(keys: _Keys, entity: EntityType, values: Values, count: int) -> None:
    names = _person_names(values, count)
    emails = _texts(values, "email", normalise_email)
    streets = _texts(values, "street", normalise_street)
    phones = _phones(entity, values)
    for texts in names:
        keys.add(LinkKind.NAME, texts)
        if emails:
            keys.add(LinkKind.NAME_EMAIL, joined(texts, emails))
        for phone in phones:
            keys.add(LinkKind.NAME_PHONE, joined(texts, phone))
        if streets:
            keys.add(LinkKind.NAME_STREET, joined(texts, streets))
    for core in distinct([[core_name(text) for text in texts] for texts in names]):
        keys.add(LinkKind.CORE_NAME, core)
    keys.add(LinkKind.EMAIL, emails)
    for phone in phones:
        keys.add(LinkKind.PHONE, phone)
    keys.add(LinkKind.STREET, streets)


def _add_property(keys: _Keys, values: Values) -> None:
    """A property is called by its street line, by its whole address in one line, or by the name it was given."""
    streets = _texts(values, "street", normalise_street)
    names = _texts(values, "name", normalise_street)
    called = [texts for texts in (streets, names, _one_line(values)) if texts is not None]
    for texts in distinct(called):
        keys.add(LinkKind.NAME, texts)
    keys.add(LinkKind.STREET, streets)
    keys.add(LinkKind.EMAIL, _texts(values, "email", normalise_email))
    keys.add(LinkKind.PHONE, _texts(values, "phone", str))


def _one_line(values: Values) -> list[str] | None:
    columns = [values[name].values for name in ("street", "street2", "city", "state", "postal_code") if name in values]
    if len(columns) < 2 or "street" not in values:
        return None
    lines = [" ".join(filter(None, row)) if row[0] else "" for row in zip(*columns, strict=True)]
    return normalised(lines, normalise_street)
