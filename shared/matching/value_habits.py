"""What the values of each field usually look like, as counts over labelled columns: how usual is this column for it?

A count is kept per (entity type, field) pair and small counts lean on the field of any entity type, then on its type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from shared.catalog.lexicon import Lexicon
from shared.matching.field_space import FieldSpace
from shared.messages.analysis import ColumnProfile, ColumnType

Floats = NDArray[np.float64]

LEANING = 3.0
"""Columns of a pair that weigh as much as what is known of its field elsewhere."""
LIMIT = 12.0

_RELATIONS = ("is_sum", "greater_part", "smaller_part", "date_alone", "date_earliest", "date_latest", "in_email",
              "has_parts", "front_part", "back_part", "after_street")  # fmt: skip
_PATTERNS = ("email", "url", "phone", "date", "datetime", "integer", "digit", "decimal", "money", "currency", "id",
             "percent", "boolean", "postal_code", "street", "address", "json", "longtext", "person",
             "word")  # fmt: skip
_SHAPES = ("sparse", "full", "unique", "repeating", "constant", "short", "code_length", "same_length", "long",
           "first", "second", "third", "last_quarter")  # fmt: skip


def traits(lexicon: Lexicon) -> tuple[str, ...]:
    """The names of what is looked at in a column, in order."""
    kinds = sorted({*_PATTERNS, *_RELATIONS, *lexicon.vocabularies})
    return (*(f"type_{name}" for name in get_args(ColumnType)), *(f"kind_{name}" for name in kinds), *_SHAPES)


def traits_of(profiles: Sequence[ColumnProfile], names: Sequence[str]) -> Floats:
    """Columns x traits, each 0..1."""
    place = {name: at for at, name in enumerate(names)}
    result = np.zeros((len(profiles), len(names)))
    for at, profile in enumerate(profiles):
        row = result[at]
        row[place[f"type_{profile.type}"]] = 1.0
        for kind, share in profile.kinds.items():
            if (column := place.get(f"kind_{kind}")) is not None:
                row[column] = share
        for shape in _shapes(profile, at, len(profiles)):
            row[place[shape]] = 1.0
    return result


def _shapes(profile: ColumnProfile, at: int, columns: int) -> list[str]:
    position = ("first", "second", "third")[at : at + 1]
    found = [*position, *(["last_quarter"] if at >= 0.75 * columns else [])]
    if profile.type == "empty":
        return found
    told = {
        "sparse": profile.fill < 0.6,
        "full": profile.fill >= 0.95,
        "unique": profile.unique_share >= 0.95,
        "repeating": profile.unique_share < 0.5,
        "constant": profile.distinct == 1,
        "short": profile.max_length <= 3,
        "code_length": 3 < profile.max_length <= 12,
        "same_length": profile.min_length == profile.max_length,
        "long": profile.max_length > 40,
    }
    return found + [name for name, is_so in told.items() if is_so]


@dataclass(frozen=True)
class HabitCounts:
    """Labelled columns counted. Counts of groups of columns may be added and taken away again."""

    pairs: Floats
    """Columns per pair."""
    traits: Floats
    """Pairs x traits."""
    all_columns: float
    all_traits: Floats

    def minus(self, other: HabitCounts) -> HabitCounts:
        """The counts without those of the other."""
        return HabitCounts(
            self.pairs - other.pairs,
            self.traits - other.traits,
            self.all_columns - other.all_columns,
            self.all_traits - other.all_traits,
        )


class Habits:
    """Compares columns with the counted habits of every pair."""

    def __init__(self, space: FieldSpace, counts: HabitCounts) -> None:
        types = sorted(set(space.field_types))
        type_of = np.array([types.index(t) for t in space.field_types])
        usual = (counts.all_traits + 0.5) / (counts.all_columns + 1.0)
        by_type = _leaned(counts, type_of, len(types), usual)
        by_field = _leaned(counts, space.field_of, len(space.field_names), None, by_type[type_of])
        share = (counts.traits + LEANING * by_field) / (counts.pairs[:, None] + LEANING)
        share = np.clip(share, 0.01, 0.99)
        usual = np.clip(usual, 0.01, 0.99)
        self._where = np.log(share / usual)
        self._where_not = np.log((1 - share) / (1 - usual))
        self._rest = self._where_not.sum(axis=1)

    def compare(self, found: Floats) -> Floats:
        """Columns x pairs: above 0 where a column looks more like the pair's columns than like any column."""
        unlike = found @ (self._where - self._where_not).T + self._rest
        return np.asarray(np.clip(unlike, -LIMIT, LIMIT) / LIMIT)


def _leaned(
    counts: HabitCounts, group: NDArray[np.int64], groups: int, usual: Floats | None, by_pair: Floats | None = None
) -> Floats:
    """Shares of traits per pair, taken over all pairs of its group and leaning on what is more general."""
    columns, found = np.zeros(groups), np.zeros((groups, counts.traits.shape[1]))
    np.add.at(columns, group, counts.pairs)
    np.add.at(found, group, counts.traits)
    if by_pair is None:
        assert usual is not None
        return np.asarray((found + LEANING * usual) / (columns[:, None] + LEANING))
    return np.asarray((found[group] + LEANING * by_pair) / (columns[group][:, None] + LEANING))
