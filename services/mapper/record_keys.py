"""What a record is keyed by: its source id, else its first complete natural key, else its row or its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.mapper.mapping_plan import Group, RecordPlan
from services.mapper.normal_columns import NormalForms, normalised
from services.mapper.normal_forms import part_normaliser, person_names
from services.mapper.parent_keys import entries
from services.mapper.reference_columns import NamedParents, RowParents
from services.mapper.transforms.cells import Converted
from shared.catalog.identity import (
    SEPARATOR,
    HashedTexts,
    KeyedBy,
    Keys,
    joined_polynomials,
    key_scope,
    natural_salt,
    normalise_id,
    record_keys,
)

_PARTS_OF_A_NAME = ("name", "first_name", "last_name", "company")


@dataclass
class RecordKeys:
    """Per record its 128-bit key (16 bytes each, joined) and what it is made of.

    `unformed`: records whose only complete natural key has a part that cannot be read, with that part's field. To key
    them by content would make a second record of them once the cell is corrected.
    """

    keys: bytes
    keyed_by: bytes
    unformed: dict[int, str] = field(default_factory=dict)

    def hexes(self) -> list[str]:
        """Each key as hex."""
        text = self.keys.hex()
        return [text[i : i + 32] for i in range(0, len(text), 32)]


class NaturalKeys:
    """The natural keys of a batch, group by group; a part is "" where it is missing or unreadable."""

    def __init__(
        self,
        plan: RecordPlan,
        values: Mapping[str, Converted],
        forms: NormalForms,
        named: Mapping[str, NamedParents],
    ) -> None:
        self._plan, self._values, self._forms = plan, values, forms
        self._named = named
        self._parts = {name: self._part(name) for group in plan.natural_groups for name in group}

    def hashes(self, kept: Sequence[int] | None) -> bytes:
        """`MappedStream.naturals` of the kept records (None: of all)."""
        entity = self._plan.entity.name
        found = [
            Keys(joined_polynomials([self._parts[name] for name in group]), natural_salt(entity, group))
            for group in self._plan.natural_groups
        ]
        return entries(found, kept)

    def texts(self, group: Group, places: Sequence[int]) -> list[str]:
        """The parts of the records at these places in one text each, "" where one of them is missing."""
        parts = [[texts[i] for i in places] for texts in (self._parts[name].texts for name in group)]
        return [SEPARATOR.join(row) if all(row) else "" for row in zip(*parts, strict=True)]

    def unreadable_part(self, i: int) -> str | None:
        """The unreadable field of the first natural key that is complete but for it; None where there is none."""
        for group in self._plan.natural_groups:
            broken = [name for name in group if self._is_unreadable(name, i)]
            if broken and all(self._parts[name].texts[i] for name in group if name not in broken):
                return broken[0]
        return None

    def _is_unreadable(self, name: str, i: int) -> bool:
        column = self._values.get(name)
        return column is not None and column.codes is not None and column.codes[i] is not None

    def _part(self, name: str) -> HashedTexts:
        if name in self._named:
            return self._named[name].normal
        entity = self._plan.entity
        normalise = part_normaliser(entity.name, entity.fields[name])
        if name == "name" and ("name" not in self._forms or None in self._forms.values("name")):
            return HashedTexts(normalised(self._full_names(), normalise))
        return self._forms.of(name, normalise)

    def _full_names(self) -> list[str | None]:
        """The name; where there is none 'first last'; where there is none either the company."""
        known = {part: self._values[part].values for part in _PARTS_OF_A_NAME if part in self._values}
        nobody: Sequence[str | None] = [None] * len(next(iter(known.values())))
        name, first, last, company = (known.get(part, nobody) for part in _PARTS_OF_A_NAME)
        return [a or b or c for a, b, c in zip(name, person_names(first, last), company, strict=True)]


def make_keys(
    plan: RecordPlan,
    label: str,
    sha256: str,
    natural: NaturalKeys,
    source_ids: Sequence[str | None] | None,
    contents: Sequence[str],
    parents: RowParents | None,
) -> RecordKeys:
    """The keys of all records of a batch, those that will be rejected included (records of their rows name them)."""
    texts, rules = _from_source_ids(source_ids, len(contents))
    for group in plan.natural_groups:
        pending, prefix = _pending(rules), "\x1e".join(group) + "\x1d"
        for i, text in zip(pending, natural.texts(group, pending), strict=True) if pending else ():
            if text:
                rules[i], texts[i] = KeyedBy.NATURAL, prefix + text
    unformed: dict[int, str] = {}
    for i in _pending(rules):
        if broken := natural.unreadable_part(i):
            unformed[i] = broken
        rules[i] = KeyedBy.CONTENT if parents is None else KeyedBy.ROW
        texts[i] = f"{sha256 if parents is None else parents.keys[i]}\x1d{contents[i]}"
    return RecordKeys(_hash_by_rule(plan.entity.name, label, rules, texts), bytes(rules), unformed)


_PENDING = 255


def _pending(rules: bytearray) -> list[int]:
    return [i for i, rule in enumerate(rules) if rule == _PENDING] if _PENDING in rules else []


def _from_source_ids(source_ids: Sequence[str | None] | None, count: int) -> tuple[list[str], bytearray]:
    if source_ids is None:
        return [""] * count, bytearray([_PENDING]) * count
    texts = normalised(source_ids, normalise_id)
    return texts, bytearray([KeyedBy.SOURCE_ID if text else _PENDING for text in texts])


def _hash_by_rule(entity: str, label: str, rules: bytearray, texts: Sequence[str]) -> bytes:
    scopes = {rule: key_scope(label, entity, KeyedBy(rule)) for rule in set(rules)}
    if len(scopes) <= 1:
        return record_keys(scopes[rules[0]], texts) if texts else b""
    keys = np.empty((len(texts), 16), np.uint8)
    for rule, scope in scopes.items():
        places = [i for i, other in enumerate(rules) if other == rule]
        hashed = record_keys(scope, [texts[i] for i in places])
        keys[places] = np.frombuffer(hashed, np.uint8).reshape(-1, 16)
    return keys.tobytes()
