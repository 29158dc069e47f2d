"""References to parents: who is named in a column, by what, and which further facts the row knows about them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np

from services.mapper.normal_forms import name_normaliser, normalise_email, normalised
from services.mapper.transforms.cells import EMPTY_FORMS, Column, Cut
from shared.catalog.identity import (
    U64,
    LinkKind,
    joined,
    link_keys,
    normalise_id,
    normalise_number,
    normalise_street,
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
_EMPTY_CHARS_MAX = max(map(len, EMPTY_FORMS))
_STRONG = re.compile(r"\s*[;&|\n]\s*|\s+(?:and|y|et)\s+", re.IGNORECASE)


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
        texts = [cell.strip() for cell in cells]
        if self.cut:
            texts = [self.cut(text) for text in texts]
        return [text if len(text) > _EMPTY_CHARS_MAX or text.lower() not in EMPTY_FORMS else "" for text in texts]

    def columns(self) -> set[int]:
        """The source columns that say something about the parent."""
        return {*self.evidence.values()} | ({self.column} if self.column is not None else set())

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


class _Entries(NamedTuple):
    """The named parents of a batch, flattened; `alone` where the row names no other one in this field."""

    owners: list[int]
    texts: list[str]
    by: list[str]
    alone: list[bool]

    def only(self, by: str, texts: Sequence[str]) -> list[str]:
        """The texts of the entries that name their parent by `by`, "" for the others."""
        return [text if kind == by else "" for kind, text in zip(self.by, texts, strict=True)]


def reference_column(
    plan: ReferencePlan, columns: Sequence[Sequence[str]], count: int, parents: RowParents | None
) -> ReferenceColumn | None:
    """The references of one field for `count` records; None where no record names a parent."""
    if plan.by == "row":
        return _by_row(plan, count, parents)
    facts = {kind: plan.texts(columns[column]) for kind, column in plan.evidence.items()}
    entries = _entries(plan, plan.named(columns, count), facts)
    if not entries.owners:
        return None
    exact_texts = _exact_texts(plan, entries)
    names = _names(plan, entries, exact_texts, facts)
    name_keys = link_keys(plan.parent, LinkKind.NAME, names)
    return ReferenceColumn(
        field=plan.field.name,
        parent=plan.parent,
        many=plan.field.many,
        owner=np.array(entries.owners, "<u4").tobytes(),
        texts=entries.texts,
        by=bytes([BY_CODES[by] for by in entries.by]),
        exact=(name_keys if set(entries.by) == {"name"} else _exact(plan, entries, exact_texts)).tobytes(),
        names=name_keys.tobytes(),
        normalised=names,
        evidence=_evidence(plan, entries, exact_texts, names, facts),
    )


def _by_row(plan: ReferencePlan, count: int, parents: RowParents | None) -> ReferenceColumn | None:
    if parents is None or count == 0:
        return None
    return ReferenceColumn(
        field=plan.field.name,
        parent=plan.parent,
        many=plan.field.many,
        owner=np.arange(count, dtype="<u4").tobytes(),
        texts=list(parents.texts),
        by=bytes([BY_CODES["row"]]) * count,
        exact=link_keys(plan.parent, LinkKind.ROW, parents.keys).tobytes(),
        names=bytes(8 * count),
        normalised=[""] * count,
        evidence=[[] for _ in range(count)],
    )


def _entries(plan: ReferencePlan, named: Sequence[str], facts: Mapping[str, Sequence[str]]) -> _Entries:
    texts, by = list(named), [str(plan.by)] * len(named)
    fallbacks = [(kind, facts[kind]) for kind in _FALLBACKS if kind in facts]
    if fallbacks:
        for i, text in enumerate(named):
            if not text:
                by[i], texts[i] = next(((kind, values[i]) for kind, values in fallbacks if values[i]), ("", ""))
    owners = [i for i, text in enumerate(texts) if text]
    if len(owners) < len(texts):
        texts, by = [texts[i] for i in owners], [by[i] for i in owners]
    entries = _Entries(owners, texts, by, [True] * len(owners))
    return _split(plan, entries) if plan.split is not None or plan.field.many else entries


def _split(plan: ReferencePlan, entries: _Entries) -> _Entries:
    result = _Entries([], [], [], [])
    for owner, text, by in zip(entries.owners, entries.texts, entries.by, strict=True):
        pieces = plan.pieces(text) if by == plan.by else [text]
        for piece in pieces:
            result.owners.append(owner)
            result.texts.append(piece)
            result.by.append(by)
            result.alone.append(len(pieces) == 1)
    return result


def _exact_texts(plan: ReferencePlan, entries: _Entries) -> list[str]:
    kinds = set(entries.by)
    if len(kinds) == 1:
        return plan.normalise(kinds.pop(), entries.texts)
    columns = [plan.normalise(kind, entries.only(kind, entries.texts)) for kind in sorted(kinds)]
    return ["".join(row) for row in zip(*columns, strict=True)]  # only one of a row is filled


def _exact(plan: ReferencePlan, entries: _Entries, texts: Sequence[str]) -> U64:
    kinds = set(entries.by)
    if len(kinds) == 1:
        return link_keys(plan.parent, _KINDS[kinds.pop()], texts, plan.label)
    exact = np.zeros(len(texts), np.uint64)
    for kind in kinds:
        exact |= link_keys(plan.parent, _KINDS[kind], entries.only(kind, texts), plan.label)
    return exact


def _fact(
    plan: ReferencePlan, entries: _Entries, exact_texts: Sequence[str], facts: Mapping[str, Sequence[str]], kind: str
) -> list[str]:
    """Per entry one fact about the parent, normalised: from its own column, else the reference's own text."""
    own = entries.only(kind, exact_texts)
    given = facts.get(kind)
    if given is None:
        return own
    told = [given[i] if is_alone else "" for i, is_alone in zip(entries.owners, entries.alone, strict=True)]
    return [text or other for text, other in zip(plan.normalise(kind, told), own, strict=True)]


def _names(
    plan: ReferencePlan, entries: _Entries, exact_texts: Sequence[str], facts: Mapping[str, Sequence[str]]
) -> list[str]:
    if "name" not in facts and plan.by == "name" and len(set(entries.by)) == 1:
        return list(exact_texts)
    found = _fact(plan, entries, exact_texts, facts, "name")
    return [text if by == "name" else name for by, text, name in zip(entries.by, exact_texts, found, strict=True)]


def _evidence(
    plan: ReferencePlan,
    entries: _Entries,
    exact_texts: Sequence[str],
    names: Sequence[str],
    facts: Mapping[str, Sequence[str]],
) -> list[list[int]]:
    keys: list[U64] = []
    used = set(entries.by)
    for kind in ("source_id", "number", "email", "phone", "street"):
        if kind not in facts and kind not in used:
            continue
        texts = _fact(plan, entries, exact_texts, facts, kind)
        beside = _BESIDE_A_NAME.get(kind)
        if beside is not None and plan.parent != "properties":
            keys.append(link_keys(plan.parent, beside, joined(names, texts)))
        if kind not in facts:
            continue  # alone it is already the exact key
        if kind == "street":
            if plan.parent == "properties":
                keys.append(link_keys(plan.parent, LinkKind.STREET, texts))
        else:
            keys.append(link_keys(plan.parent, _KINDS[kind], texts, plan.label))
    if not keys:
        return [[]] * len(entries.owners)
    table = np.stack(keys, axis=1)
    rows: list[list[int]] = table.tolist()
    return rows if table.all() else [[key for key in row if key] for row in rows]


def natural_texts(
    plan: ReferencePlan, columns: Sequence[Sequence[str]], count: int, parents: RowParents | None
) -> list[str]:
    """The reference as a part of natural keys: the source's text in normal form, "" where there is none."""
    if plan.by == "row":
        return list(parents.keys) if parents is not None else [""] * count
    return plan.normalise(plan.by, plan.named(columns, count))
