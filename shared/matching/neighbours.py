"""Which fields stand beside each other in files: a state follows a city, a mobile phone follows a phone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.matching.field_space import FieldSpace

Floats = NDArray[np.float64]

LEANING = 2.0
LIMIT = 3.0


def affinity(counts: Floats) -> Floats:
    """Fields x (fields, nothing, edge of the file) -> how much more often they follow each other than by chance."""
    total = counts.sum()
    if not total:
        return np.zeros_like(counts)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / total
    expected = expected + 0.05
    return np.asarray(np.clip(np.log((counts + LEANING * expected) / ((1 + LEANING) * expected)), -LIMIT, LIMIT))


class Neighbours:
    """Compares what stands left and right of a column with what stands beside each field in labelled files."""

    def __init__(self, after: Floats) -> None:
        """`after`: how often each field (rows) stands right after each field, after nothing, or first (columns)."""
        fields = len(after)
        self._left = affinity(after)
        reversed_counts = np.zeros_like(after)
        reversed_counts[:, :fields] = after[:, :fields].T
        self._right = affinity(reversed_counts)
        self._tables: dict[str, tuple[Floats, Floats]] = {}

    def compare(self, space: FieldSpace, chances: Floats) -> tuple[Floats, Floats]:
        """Columns x pairs: how usual the likely fields on the left and on the right are, within each entity type."""
        left, right = np.empty_like(chances), np.empty_like(chances)
        for entity, part in space.parts.items():
            own = chances[:, part]
            own = own / np.maximum(own.sum(axis=1, keepdims=True), 1.0)
            beside = np.zeros((len(own) + 2, own.shape[1] + 2))
            beside[1:-1, :-2] = own
            beside[1:-1, -2] = 1.0 - own.sum(axis=1)
            beside[0, -1] = beside[-1, -1] = 1.0
            before, behind = self._tables_of(entity, space.field_of[part])
            left[:, part] = beside[:-2] @ before
            right[:, part] = beside[2:] @ behind
        return left, right

    def _tables_of(self, entity: str, fields: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """(An entity type's fields, nothing, edge) x its fields, for what stands before and behind."""
        if entity not in self._tables:
            rows = len(self._left)
            cut = np.ix_(fields, np.append(fields, [rows, rows + 1]))
            self._tables[entity] = (self._left[cut].T, self._right[cut].T)
        return self._tables[entity]
