"""The chances of every field for every column of a file: what detection and mapping proposals both go by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.catalog.evidence import Evidence, FieldScore
from shared.matching.context_features import context_features
from shared.matching.field_space import FieldSpace, load_space
from shared.matching.model import Model, decode, shipped
from shared.matching.neighbours import Neighbours
from shared.matching.pair_features import (
    DIGITS,
    FileEvidence,
    file_evidence,
    first_chances,
    no_evidence,
    read_columns,
    sigmoid,
)
from shared.matching.value_habits import Habits, traits
from shared.messages.analysis import ColumnProfile

Floats = NDArray[np.float64]

LOOKED_AT_MIN = 0.02
"""First chances below this stay as they are: what nothing speaks for is not looked at again."""
SHOWN_MIN = 0.03
AHEAD_MIN = 0.1
"""Values speak for a field if they speak so much more for it than for any other of the entity type."""
RELATION_WEIGHT = 0.8
"""How much of a column's chances goes to references where all its values are another file's records."""


@dataclass(frozen=True)
class FileScores:
    """What was found out about a file's columns. Arrays are columns x pairs."""

    space: FieldSpace
    columns: tuple[ColumnProfile, ...]
    evidence: FileEvidence
    chances: Floats

    def of(self, entity: str) -> Floats:
        """Columns x fields of the entity type."""
        return self.chances[:, self.space.parts[entity]]

    def as_child_of(self, parents: Iterable[tuple[int, str, float]]) -> FileScores:
        """The chances where values of a column are records of an entity type: (column, entity type, share of values).

        The references to that type gain, what else the column could be loses.
        """
        chances = self.chances.copy()
        catalog = self.space.evidence.catalog
        for column, parent, share in parents:
            refers = np.array([catalog[entity].fields[field].ref == parent for entity, field in self.space.pairs])
            weight = RELATION_WEIGHT * share
            own = chances[column]
            chances[column] = np.where(refers, own + (1.0 - own) * weight, own * (1.0 - weight))
        return replace(self, chances=chances)

    def refers_to(self, column: int, parent: str, entity: str | None = None) -> float:
        """The best chance of the column as a reference to `parent`: in a file of `entity`, or of whatever type."""
        catalog, space = self.space.evidence.catalog, self.space
        part = space.parts[entity] if entity else slice(0, len(space.pairs))
        refs = (catalog[own].fields[field].ref for own, field in space.pairs[part])
        return max(
            (float(chance) for chance, ref in zip(self.chances[column, part], refs, strict=True) if ref == parent),
            default=0.0,
        )

    def field_scores(self, entity: str, column: int) -> list[FieldScore]:
        """Every field of the entity type that the column may hold, the likeliest first."""
        part = self.space.parts[entity]
        telling = np.maximum(self.evidence.telling[column, part], self.evidence.habit[column, part])
        rivals = np.where(telling >= telling.max(), np.partition(telling, -2)[-2], telling.max())
        telling = np.where(telling >= rivals + AHEAD_MIN, telling, 0.0)
        found = [
            FieldScore(
                self.space.pairs[at][1],
                float(self.chances[column, at]),
                float(self.evidence.words[column, at]),
                float(self.evidence.fit[column, at]),
                float(telling[at - part.start]),
            )
            for at in range(part.start, part.stop)
            if self.chances[column, at] >= SHOWN_MIN
        ]
        return sorted(found, key=lambda s: (-s.score, s.field))


class Scorer:
    """A model over the evidence it was trained with. Build it once with `load_scorer`."""

    def __init__(self, space: FieldSpace, model: Model) -> None:
        self.space = space
        self.model = model
        self._names = traits(space.evidence.lexicon)
        self._habits = Habits(space, model.habits)
        self._neighbours = Neighbours(model.after)

    @property
    def evidence(self) -> Evidence:
        """Catalogue, lexicon and value evidence."""
        return self.space.evidence

    def read(self, columns: Sequence[ColumnProfile]) -> FileScores:
        """The chances of a file's columns."""
        if not columns:
            found = no_evidence(self.space)
            return FileScores(self.space, (), found, found.words)
        reading = read_columns(self.space, self._names, columns)
        found = file_evidence(self.space, reading, self._habits.compare(reading.traits), self.model.usual)
        first = first_chances(found.features, self.model.first)
        context = context_features(self.space, self._neighbours, columns, first)
        chances = first.copy()
        looked_at = first >= LOOKED_AT_MIN
        rows = np.concatenate([found.features[:, looked_at], context[:, looked_at]]).T
        chances[looked_at] = np.round(sigmoid(self.model.second.sums(rows)), DIGITS)
        return FileScores(self.space, tuple(columns), found, chances)


@lru_cache(maxsize=1)
def load_scorer() -> Scorer:
    """The scorer that ships with the hub."""
    space = load_space()
    return Scorer(space, decode(shipped(), space))
