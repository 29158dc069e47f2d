"""Small boosted trees: every tree asks a few yes-or-no questions about a row of features and adds to a sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trees:
    """Complete binary trees of one depth, as arrays: trees x inner nodes, and trees x leaves."""

    start: float
    features: NDArray[np.int64]
    limits: Floats
    """A row goes right where its feature is above the limit."""
    leaves: Floats

    @property
    def depth(self) -> int:
        """Questions asked by each tree."""
        return int(self.leaves.shape[1]).bit_length() - 1

    def sums(self, rows: Floats) -> Floats:
        """Log odds per row."""
        trees = np.arange(len(self.leaves))[None, :]
        places = np.arange(len(rows))[:, None]
        node = np.zeros((len(rows), len(self.leaves)), np.int64)
        for level in range(self.depth):
            at = node + (2**level - 1)
            above = rows[places, self.features[trees, at]] > self.limits[trees, at]
            node = 2 * node + above
        return np.asarray(self.start + self.leaves[trees, node].sum(axis=1))


def trees_of(start: float, trees: Sequence[tuple[Sequence[int], Sequence[float], Sequence[float]]]) -> Trees:
    """From plain lists: per tree the features, limits and leaves."""
    return Trees(
        start,
        np.array([tree[0] for tree in trees], np.int64),
        np.array([tree[1] for tree in trees], np.float64),
        np.array([tree[2] for tree in trees], np.float64),
    )
