"""References to parents: who is named in a column, by what, and which further facts the row knows about them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import NamedTuple, get_args

import msgspec
import numpy as np

from services.mapper.normal_columns import normalised
from services.mapper.normal_forms import name_normaliser, normalise_email
from services.mapper.transforms.cells import EMPTY_FORMS, Column, Cut
from shared.catalog.identity import (
    U64,
    HashedTexts,
    Keys,
    LinkKind,
    hash_table,
    joined_polynomials,
    normalise_id,
    normalise_number,
    normalise_street,
    salt_of,
)
from shared.catalog.model import Field
from shared.messages.batches import ReferenceColumn
from shared.messages.mapping import ReferenceBy

BY_CODES: dict[str, int] = {name: code for code, name in enumerate(get_args(ReferenceBy))}
"""source_id 0, number 1, name 2, email 3, phone 4, row 5: as `ReferenceColumn.by` counts them."""

# Where a row does not name the parent itself, the best of the further facts does.
_FALLBACKS = ("source_id", "number", "name", "email", "phone")
_KINDS = {
    "source_id": LinkKind.SOURCE_ID,
    "number": LinkKind.NUMBER,
    "name": LinkKind.NAME,
    "email": LinkKind.EMAIL,
    "phone": LinkKind.PHONE,
    "row": LinkKind.ROW,
}
_BESIDE_A_NAME = {"email": LinkKind.NAME_EMAIL, "phone": LinkKind.NAME_PHONE, "street": LinkKind.NAME_STREET}
_FACTS = ("source_id", "number", "email", "phone", "street")
_CONTACTS = ("email", "phone")
_EMPTY_CHARS_MAX = max(map(len, EMPTY_FORMS))
# One blank each, since pieces are stripped: with more of them long runs of blanks would be quadratic.
_STRONG = re.compile(r"[;&|\n]|\s(?:and|y|et)\s", re.IGNORECASE)


class RowParents(NamedTuple):
    """The row's primary records, for references by row: key as hex and a name for people."""

    keys: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True)
class ReferencePlan:
    """One reference field: its column, by what it names the parent, and the columns of further facts."""

    field: Field
    parent: str
    by: ReferenceBy
    column: int | None
    cut: Cut | None
    split: str | None
    default: str
    evidence: Mapping[str, int]
    label: str
    emails: Column
    phones: Column

    def texts(self, cells: Sequence[str]) -> list[str]:
        """The parent as each row names it, "" where it names none."""
        texts = list(map(str.strip, cells))
        if self.cut:
            texts = [self.cut(text) for text in texts]
        short = {text for text in texts if len(text) <= _EMPTY_CHARS_MAX}
        empty = {text for text in short if text and text.lower() in EMPTY_FORMS}
        return ["" if text in empty else text for text in texts] if empty else texts

    def normalise(self, by: str, texts: Sequence[str]) -> list[str]:
        """The texts behind the link keys of `by`; "" where one cannot be that (an unreadable phone number)."""
        match by:
            case "name":
                return normalised(texts, name_normaliser(self.parent))
            case "number":
                return normalised(texts, normalise_number)
            case "email":
                return normalised(self.emails.convert(texts).values, normalise_email)
            case "phone":
                return normalised(self.phones.convert(texts).values, str)
            case "street":
                return normalised(texts, normalise_street)
        return normalised(texts, normalise_id)

    def named(self, columns: Sequence[Sequence[str]], count: int) -> list[str]:
        """What the reference column says, row by row, defaults applied."""
        texts = self.texts(columns[self.column]) if self.column is not None else [""] * count
        return [text or self.default for text in texts] if self.default else texts

    def pieces(self, text: str) -> list[str]:
        """The parents named in one cell. 'Last, First' is one name; give `split` where commas always separate."""
        if self.split is not None:
            parts = re.split(f"[{re.escape(self.split)}]", text) if self.split else [text]
        elif not self.field.many:
            return [text]
        elif self.by != "name":
            parts = re.split(r"[,;&|\n]", text)
        else:
            parts = [name for part in _STRONG.split(text) for name in _names_between_commas(part)]
        named = [part for part in map(str.strip, parts) if part.lower() not in EMPTY_FORMS]
        return list(dict.fromkeys(named)) if self.field.many else named[:1]


def _names_between_commas(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    is_one_name = len(parts) == 2 and " " not in parts[0] and len(parts[1].split()) <= 2
    return [text] if is_one_name else parts


class NamedParents:
    """What one reference column says, row by row: for the references themselves and for natural keys."""

    def __init__(
        self, plan: ReferencePlan, columns: Sequence[Sequence[str]], count: int, parents: RowParents | None
    ) -> None:
        self.plan, self.columns, self.count, self.parents = plan, columns, count, parents

    @cached_property
    def texts(self) -> list[str]:
        """The parent as the source names it, "" where a row names none."""
        return self.plan.named(self.columns, self.count)

    @cached_property
    def normal(self) -> HashedTexts:
        """The same in normal form; of a reference by row the parent's key."""
        if self.plan.by == "row":
            return HashedTexts([""] * self.count if self.parents is None else self.parents.keys)
        return HashedTexts(self.plan.normalise(self.plan.by, self.texts))


class _Entries:
    """The named parents of a batch, flattened; `alone` where the row names no other one in this field."""

    def __init__(self, owners: list[int], texts: list[str], by: list[str], alone: list[bool] | None = None) -> None:
        self.owners, self.texts, self.by = owners, texts, by
        self.alone = alone
        self.kinds = frozenset(by)

    def only(self, by: str, texts: Sequence[str]) -> Sequence[str]:
        """The texts of the entries that name their parent by `by`, "" for the others."""
        if by not in self.kinds:
            return [""] * len(texts)
        if len(self.kinds) == 1:
            return texts
        return [text if kind == by else "" for kind, text in zip(self.by, texts, strict=True)]

    def told(self, column: Sequence[str]) -> Sequence[str]:
        """Per entry what another column of its row says about the parent; "" where the row names several."""
        if self.alone is not None:
            return [column[i] if alone else "" for i, alone in zip(self.owners, self.alone, strict=True)]
        return column if len(self.owners) == len(column) else [column[i] for i in self.owners]


def reference_column(named: NamedParents, kept: Sequence[int] | None) -> ReferenceColumn | None:
    """The references of one field for the kept records (None: for all); None where no record names a parent."""
    found = _by_row(named) if named.plan.by == "row" else _by_text(named)
    return found if found is None or kept is None else _of_kept(found, kept, named.count)


def _by_text(named: NamedParents) -> ReferenceColumn | None:
    plan = named.plan
    facts = {kind: plan.texts(named.columns[column]) for kind, column in plan.evidence.items()}
    entries = _entries(plan, named.texts, facts)
    if not entries.owners:
        return None
    exact = _exact(named, entries)
    names = _names(plan, entries, exact, facts)
    told = {kind: _fact(plan, entries, exact, facts, kind) for kind in _FACTS if kind in {*facts, *entries.kinds}}
    return ReferenceColumn(
        field=plan.field.name,
        parent=plan.parent,
        many=plan.field.many,
        owner=np.array(entries.owners, "<u4").tobytes(),
        texts=entries.texts,
        by=bytes(map(BY_CODES.__getitem__, entries.by)),
        exact=_exact_keys(plan, entries, exact).tobytes(),
        names=names.link_keys(plan.parent, LinkKind.NAME).tobytes(),
        normalised=list(names.texts),
        evidence=_evidence(plan, names, told),
        streets=_streets(plan, told),
        contacts=_contacts(plan, told, len(entries.owners)),
    )


def _streets(plan: ReferencePlan, told: Mapping[str, HashedTexts]) -> bytes:
    if "street" not in told or plan.parent == "properties":  # a property's street is evidence like any other
        return b""
    return told["street"].link_keys(plan.parent, LinkKind.STREET).tobytes()


def _contacts(plan: ReferencePlan, told: Mapping[str, HashedTexts], count: int) -> bytes:
    columns = [told[kind].texts for kind in _CONTACTS if kind in plan.evidence]
    return bytes(sum(map(bool, row)) for row in zip(*columns, strict=True)) if columns else bytes(count)


def _of_kept(column: ReferenceColumn, kept: Sequence[int], count: int) -> ReferenceColumn | None:
    places = np.full(count, -1)
    places[kept] = np.arange(len(kept))
    owners = places[np.frombuffer(column.owner, "<u4")]
    chosen = owners >= 0
    if not chosen.any():
        return None
    return msgspec.structs.replace(
        column,
        owner=owners[chosen].astype("<u4").tobytes(),
        texts=list(compress(column.texts, chosen)),
        by=np.frombuffer(column.by, "<u1")[chosen].tobytes(),
        exact=np.frombuffer(column.exact, "<u8")[chosen].tobytes(),
        names=np.frombuffer(column.names, "<u8")[chosen].tobytes(),
        normalised=list(compress(column.normalised, chosen)),
        evidence=list(compress(column.evidence, chosen)),
        streets=np.frombuffer(column.streets, "<u8")[chosen].tobytes() if column.streets else b"",
        contacts=bytes(compress(column.contacts, chosen)),
    )


def _by_row(named: NamedParents) -> ReferenceColumn | None:
    plan, parents, count = named.plan, named.parents, named.count
    if parents is None or count == 0:
        return None
    return ReferenceColumn(
        field=plan.field.name,
        parent=plan.parent,
        many=plan.field.many,
        owner=np.arange(count, dtype="<u4").tobytes(),
        texts=list(parents.texts),
        by=bytes([BY_CODES["row"]]) * count,
        exact=named.normal.link_keys(plan.parent, LinkKind.ROW).tobytes(),
        names=bytes(8 * count),
        normalised=[""] * count,
        evidence=[[] for _ in range(count)],
    )


def _entries(plan: ReferencePlan, named: Sequence[str], facts: Mapping[str, Sequence[str]]) -> _Entries:
    texts, by = list(named), [str(plan.by)] * len(named)
    owners = list(range(len(named)))
    if not all(texts):
        fallbacks = [(kind, facts[kind]) for kind in _FALLBACKS if kind in facts]
        for i, text in enumerate(named) if fallbacks else ():
            if not text:
                by[i], texts[i] = next(((kind, values[i]) for kind, values in fallbacks if values[i]), ("", ""))
        owners = [i for i, text in enumerate(texts) if text]
        texts, by = [texts[i] for i in owners], [by[i] for i in owners]
    entries = _Entries(owners, texts, by)
    return _split(plan, entries) if plan.split is not None or plan.field.many else entries


def _split(plan: ReferencePlan, entries: _Entries) -> _Entries:
    owners: list[int] = []
    texts: list[str] = []
    kinds: list[str] = []
    alone: list[bool] = []
    for owner, text, by in zip(entries.owners, entries.texts, entries.by, strict=True):
        pieces = plan.pieces(text) if by == plan.by else [text]
        for piece in pieces:
            owners.append(owner)
            texts.append(piece)
            kinds.append(by)
            alone.append(len(pieces) == 1)
    return _Entries(owners, texts, kinds, alone)


def _exact(named: NamedParents, entries: _Entries) -> HashedTexts:
    """Per entry the normal form of what it names its parent by."""
    if entries.kinds == {named.plan.by} and entries.texts == named.texts:
        return named.normal
    columns = [named.plan.normalise(kind, entries.only(kind, entries.texts)) for kind in sorted(entries.kinds)]
    if len(columns) == 1:
        return HashedTexts(columns[0])
    return HashedTexts(["".join(row) for row in zip(*columns, strict=True)])  # only one of a row is filled


def _exact_keys(plan: ReferencePlan, entries: _Entries, exact: HashedTexts) -> U64:
    if len(entries.kinds) == 1:
        return exact.link_keys(plan.parent, _KINDS[entries.by[0]], plan.label)
    keys = np.zeros(len(exact.texts), np.uint64)
    for kind in entries.kinds:
        keys |= HashedTexts(entries.only(kind, exact.texts)).link_keys(plan.parent, _KINDS[kind], plan.label)
    return keys


def _fact(
    plan: ReferencePlan, entries: _Entries, exact: HashedTexts, facts: Mapping[str, Sequence[str]], kind: str
) -> HashedTexts:
    """Per entry one fact about the parent, normalised: from its own column, else the reference's own text."""
    if kind not in facts:
        return exact if entries.kinds == {kind} else HashedTexts(entries.only(kind, exact.texts))
    told = plan.normalise(kind, entries.told(facts[kind]))
    if kind not in entries.kinds:
        return HashedTexts(told)
    own = entries.only(kind, exact.texts)
    return HashedTexts([text or other for text, other in zip(told, own, strict=True)])


def _names(
    plan: ReferencePlan, entries: _Entries, exact: HashedTexts, facts: Mapping[str, Sequence[str]]
) -> HashedTexts:
    if entries.kinds == {"name"}:
        return exact
    found = _fact(plan, entries, exact, facts, "name")
    if "name" not in entries.kinds:
        return found
    names = zip(entries.by, exact.texts, found.texts, strict=True)
    return HashedTexts([text if by == "name" else name for by, text, name in names])


def _evidence(plan: ReferencePlan, names: HashedTexts, told: Mapping[str, HashedTexts]) -> list[list[int]]:
    keys: list[Keys] = []
    for kind, fact in told.items():
        beside = _BESIDE_A_NAME.get(kind)
        if beside is not None and plan.parent != "properties":
            keys.append(Keys(joined_polynomials((names, fact)), salt_of(plan.parent, beside)))
        if kind not in plan.evidence:
            continue  # alone it is already the exact key
        if kind == "street":
            if plan.parent == "properties":
                keys.append(Keys(fact.polynomials, salt_of(plan.parent, LinkKind.STREET)))
        else:
            keys.append(Keys(fact.polynomials, salt_of(plan.parent, _KINDS[kind], plan.label)))
    if not keys:
        return [[]] * len(names.texts)
    table = hash_table(keys)
    rows: list[list[int]] = table.tolist()
    for i in np.flatnonzero(~table.all(axis=1)).tolist():
        rows[i] = [key for key in rows[i] if key]
    return rows
