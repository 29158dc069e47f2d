"""Link keys: everything by which a child in any file may name a record (see `LinkKind`)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, zip_longest
from typing import NamedTuple

import numpy as np

from services.mapper.normal_columns import NormalForms, normalised
from services.mapper.normal_forms import Normaliser, normalise_email, person_names
from shared.catalog.identity import (
    HashedTexts,
    Keys,
    LinkKind,
    hash_table,
    joined_polynomials,
    normalise_id,
    normalise_name,
    normalise_number,
    normalise_street,
    salt_of,
)
from shared.catalog.model import EntityType, FieldType
from shared.catalog.name_forms import NAMED_LIKE_PEOPLE, may_be_shorter, name_forms

KEYS_MAX = 8
"""Words, and shorter forms, per record; what a record is called beyond them does not help to find it."""

ENTRY = np.dtype([("hash", "<u8"), ("index", "<u4")])
"""One entry of `MappedStream.naturals` and `link_keys`: 12 bytes, packed."""


def entries(columns: Sequence[Keys], kept: Sequence[int] | None) -> bytes:
    """The keys of the kept records (None: of all) with the index among them, ordered by record."""
    if not columns:
        return b""
    table = hash_table(columns)
    hashes = (table if kept is None else table[kept]).ravel()
    places = np.flatnonzero(hashes)
    found = np.empty(len(places), ENTRY)
    found["hash"] = hashes[places]
    found["index"] = places // len(columns)
    return found.tobytes()


def parent_link_keys(
    entity: EntityType, forms: NormalForms, label: str, row_keys: Sequence[str] | None, kept: Sequence[int] | None
) -> bytes:
    """Entries of the kept records (None: of all). `row_keys`: all keys as hex where a record of the same row points to
    them."""
    keys = _Keys(entity.name, label)
    keys.add(LinkKind.SOURCE_ID, _texts(forms, "source_id", normalise_id))
    keys.add(LinkKind.NUMBER, _texts(forms, "number", normalise_number))
    keys.add(LinkKind.NUMBER, _texts(forms, "employee_number", normalise_number))
    keys.add(LinkKind.ROW, None if row_keys is None else HashedTexts(row_keys))
    if entity.name == "properties":
        _add_property(keys, forms)
    elif entity.name in NAMED_LIKE_PEOPLE:
        _add_person(keys, entity, forms)
    return entries(keys.columns, kept)


class _Keys:
    def __init__(self, entity: str, label: str) -> None:
        self._entity, self._label = entity, label
        self.columns: list[Keys] = []

    def add(self, kind: LinkKind, texts: HashedTexts | None) -> None:
        """One key per text that is not empty."""
        if texts is not None:
            self.columns.append(Keys(texts.polynomials, salt_of(self._entity, kind, self._label)))

    def add_joined(self, kind: LinkKind, names: HashedTexts, facts: HashedTexts | None) -> None:
        """One key per name with a fact beside it."""
        if facts is not None:
            self.columns.append(Keys(joined_polynomials((names, facts)), salt_of(self._entity, kind)))


def _texts(forms: NormalForms, field: str, normalise: Normaliser) -> HashedTexts | None:
    return forms.of(field, normalise) if field in forms else None


def distinct(columns: Sequence[HashedTexts]) -> list[HashedTexts]:
    """The columns without texts that an earlier column already has for the record, and without empty columns."""
    kept: list[HashedTexts] = []
    for column in columns:
        rest = column.texts
        for earlier in kept:
            rest = ["" if text == other else text for text, other in zip(rest, earlier.texts, strict=True)]
        if any(rest):
            kept.append(HashedTexts(rest) if kept else column)
    return kept


class _Written(NamedTuple):
    """One way in which the records of a batch are called: as the source has it, and in normal form."""

    texts: Sequence[str | None]
    names: HashedTexts


def _person_names(forms: NormalForms) -> list[_Written]:
    written = [_Written(forms.values("name"), forms.of("name", normalise_name))] if "name" in forms else []
    if "first_name" in forms or "last_name" in forms:
        known = forms.values("first_name" if "first_name" in forms else "last_name")
        nobody: Sequence[None] = [None] * len(known)
        first, last = (forms.values(part) if part in forms else nobody for part in ("first_name", "last_name"))
        texts = person_names(first, last)
        written.append(_Written(texts, HashedTexts(normalised(texts, normalise_name))))
    if "company" in forms:
        written.append(_Written(forms.values("company"), forms.of("company", normalise_name)))
    return written


def _add_names(keys: _Keys, written: Sequence[_Written], names: Sequence[HashedTexts]) -> None:
    """Beside the names: their words, so that a child's name can be compared word by word, and shorter forms."""
    count = len(written[0].texts) if written else 0
    words: list[Sequence[str]] = [()] * count
    shorter: list[Sequence[str]] = [()] * count
    plain: list[HashedTexts] = []
    for texts, normal in written:
        rows: list[Sequence[str]] = [name.split() for name in normal.texts]
        words = rows if len(written) == 1 else [(*known, *more) for known, more in zip(words, rows, strict=True)]
        forms = {i: name_forms(texts[i] or "") for i in may_be_shorter(texts, rows)}
        if forms:
            plain.append(HashedTexts([forms[i].plain if i in forms else "" for i in range(count)]))
        for i, found in forms.items():
            shorter[i] = (*shorter[i], *found.shorter)
    for column in distinct([*names, *plain])[len(names) :]:
        keys.add(LinkKind.NAME, column)
    for kind, texts_of in ((LinkKind.CORE_NAME, shorter), (LinkKind.NAME_WORD, words)):
        for column in _columns(texts_of):
            keys.add(kind, column)


def _columns(rows: Sequence[Sequence[str]]) -> list[HashedTexts]:
    """The first texts of all rows, the second ones ..., "" where a row has fewer."""
    distinct_texts = (dict.fromkeys(row) for row in rows)
    by_place = zip_longest(*distinct_texts, fillvalue="")
    return [HashedTexts(column) for column in islice(by_place, KEYS_MAX)]


def _add_person(keys: _Keys, entity: EntityType, forms: NormalForms) -> None:
    written = _person_names(forms)
    names = distinct([names for _, names in written])
    emails = _texts(forms, "email", normalise_email)
    streets = _texts(forms, "street", normalise_street)
    phones = distinct(
        [
            forms.of(field.name, str)
            for field in entity.fields.values()
            if field.type is FieldType.PHONE and field.name in forms
        ]
    )
    for texts in names:
        keys.add(LinkKind.NAME, texts)
        keys.add_joined(LinkKind.NAME_EMAIL, texts, emails)
        for phone in phones:
            keys.add_joined(LinkKind.NAME_PHONE, texts, phone)
        keys.add_joined(LinkKind.NAME_STREET, texts, streets)
    _add_names(keys, written, names)
    keys.add(LinkKind.EMAIL, emails)
    for phone in phones:
        keys.add(LinkKind.PHONE, phone)
    keys.add(LinkKind.STREET, streets)


def _add_property(keys: _Keys, forms: NormalForms) -> None:
    """A property is called by its street line, by its whole address in one line, or by the name it was given."""
    streets = _texts(forms, "street", normalise_street)
    names = _texts(forms, "name", normalise_street)
    called = [texts for texts in (streets, names, _one_line(forms)) if texts is not None]
    for texts in distinct(called):
        keys.add(LinkKind.NAME, texts)
    keys.add(LinkKind.STREET, streets)
    keys.add(LinkKind.EMAIL, _texts(forms, "email", normalise_email))
    keys.add(LinkKind.PHONE, _texts(forms, "phone", str))


def _one_line(forms: NormalForms) -> HashedTexts | None:
    columns = [forms.values(name) for name in ("street", "street2", "city", "state", "postal_code") if name in forms]
    if len(columns) < 2 or "street" not in forms:
        return None
    lines = [" ".join(filter(None, row)) if row[0] else "" for row in zip(*columns, strict=True)]
    return HashedTexts(normalised(lines, normalise_street))
