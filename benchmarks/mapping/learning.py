"""Learning in plain numpy: logistic regression, boosted trees, a choice among alternatives, monotone calibration.

Deterministic: no randomness, and sums in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.matching.pair_features import sigmoid
from shared.matching.trees import Trees

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

BLOCK = 20_000
"""Rows taken at a time where all at once would need much memory."""


def logistic(rows: Floats, right: Floats, weight: Floats, *, penalty: float = 1.0) -> Floats:
    """Weights of an L2-penalised logistic regression by Newton's method, the constant last."""
    ridge = np.full(rows.shape[1] + 1, penalty)
    ridge[-1] = 1e-3
    beta = np.zeros(len(ridge))
    for _ in range(15):
        slope, bend = ridge * beta, np.diag(ridge)
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            full = np.hstack([rows[part], np.ones((len(rows[part]), 1))])
            chance = sigmoid(full @ beta)
            slope = slope + full.T @ (weight[part] * (chance - right[part]))
            bend = bend + (full * (weight[part] * chance * (1 - chance))[:, None]).T @ full
        step = np.linalg.solve(bend, slope)
        beta -= step
        if np.abs(step).max() < 1e-6:
            break
    return beta


@dataclass(frozen=True)
class TreeSettings:
    """Size and caution of boosted trees."""

    trees: int = 60
    depth: int = 4
    rate: float = 0.17
    penalty: float = 5.0
    leaf_min: float = 5.0
    """Least sum of weights (of curvature) in a leaf."""
    bins: int = 16


def boosted_trees(rows: Floats, right: Floats, weight: Floats, settings: TreeSettings) -> Trees:
    """Trees that each correct the ones before, for logistic loss; limits are taken from quantiles of the features."""
    limits = [_limits(column, settings.bins) for column in rows.T]
    grower = _Grower(rows, limits, settings)
    share = float((weight * right).sum() / weight.sum())
    start = float(np.log(share / (1 - share)))
    sums = np.full(len(rows), start)
    grown = []
    for _ in range(settings.trees):
        chance = sigmoid(sums)
        features, places, leaves, leaf_of = grower.tree(
            exactly_added(weight * (chance - right)), exactly_added(weight * chance * (1 - chance))
        )
        sums += leaves[leaf_of]
        grown.append((features, places, leaves))
    return Trees(
        start,
        np.array([g[0] for g in grown], np.int64),
        np.array([g[1] for g in grown]),
        np.array([g[2] for g in grown]),
    )


def _limits(column: Floats, bins: int) -> Floats:
    values = np.unique(column)
    if len(values) > bins:
        common = np.median(column)
        values = np.unique(np.quantile(column[column != common], np.linspace(0, 1, bins)[1:-1]))
        return np.unique(np.round(values, 4))
    return np.unique(np.round((values[1:] + values[:-1]) / 2, 4))


GAIN_MIN = 1e-6
NEVER = 1e9
"""A limit nothing is above: the question of a node that is not split."""
STEP = 2.0**-24


def exactly_added(values: Floats) -> Floats:
    """The values in steps so wide that sums of them are exact: the order of adding makes no difference."""
    return np.asarray(np.round(values / STEP) * STEP)


class _Grower:
    """Grows trees over the same rows. Histograms of a node's greater half are the node's less those of the smaller."""

    def __init__(self, rows: Floats, limits: Sequence[Floats], settings: TreeSettings) -> None:
        self._limits = limits
        self._settings = settings
        self._width = max(map(len, limits)) + 1
        self._binned = np.stack(
            [np.searchsorted(edges, column, side="left") for edges, column in zip(limits, rows.T, strict=True)]
        )
        self._is_limit = np.array([np.arange(self._width) < len(edges) for edges in limits])

    def tree(self, slope: Floats, bend: Floats) -> tuple[list[int], list[float], Floats, Whole]:
        """Feature and limit of every inner node, the value of every leaf and the leaf of every row."""
        everything = np.arange(self._binned.shape[1])
        nodes: list[tuple[Whole, Floats]] = [(everything, self._histogram(everything, slope, bend))]
        features: list[int] = []
        places: list[float] = []
        for level in range(self._settings.depth):
            is_last = level == self._settings.depth - 1
            following: list[tuple[Whole, Floats]] = []
            for members, histogram in nodes:
                feature, at = self._best(histogram) if len(members) else (-1, 0)
                features.append(max(feature, 0))
                places.append(float(self._limits[feature][at]) if feature >= 0 else NEVER)
                if feature < 0:
                    following += [(members, histogram), (members[:0], histogram)]
                    continue
                above = self._binned[feature, members] > at
                following += self._halves(members[~above], members[above], histogram, slope, bend, is_last)
            nodes = following
        return features, places, *self._leaves([members for members, _ in nodes], slope, bend)

    def _halves(
        self, left: Whole, right: Whole, whole: Floats, slope: Floats, bend: Floats, is_last: bool
    ) -> list[tuple[Whole, Floats]]:
        if is_last:
            return [(left, whole), (right, whole)]
        if len(left) <= len(right):
            own = self._histogram(left, slope, bend)
            return [(left, own), (right, whole - own)]
        own = self._histogram(right, slope, bend)
        return [(left, whole - own), (right, own)]

    def _histogram(self, members: Whole, slope: Floats, bend: Floats) -> Floats:
        """2 x features x bins: sums of slopes and of curvatures."""
        width, is_all = self._width, len(members) == len(slope)
        slope, bend = (slope, bend) if is_all else (slope[members], bend[members])
        result = np.empty((2, len(self._binned), width))
        for feature, binned in enumerate(self._binned):
            own = binned if is_all else binned[members]
            result[0, feature] = np.bincount(own, slope, width)
            result[1, feature] = np.bincount(own, bend, width)
        return result

    def _best(self, histogram: Floats) -> tuple[int, int]:
        """The feature and the place of its limit that part a node best; -1 where nothing is gained."""
        penalty, least = self._settings.penalty, self._settings.leaf_min
        left_slope, left_bend = histogram.cumsum(axis=2)
        all_slope, all_bend = left_slope[:, -1:], left_bend[:, -1:]
        right_slope, right_bend = all_slope - left_slope, all_bend - left_bend
        gain = left_slope**2 / (left_bend + penalty) + right_slope**2 / (right_bend + penalty)
        gain -= all_slope**2 / (all_bend + penalty)
        gain[(left_bend < least) | (right_bend < least) | ~self._is_limit] = -1.0
        feature, at = divmod(int(gain.argmax()), self._width)
        return (feature, at) if gain[feature, at] > GAIN_MIN else (-1, 0)

    def _leaves(self, members: Sequence[Whole], slope: Floats, bend: Floats) -> tuple[Floats, Whole]:
        rate, penalty = self._settings.rate, self._settings.penalty
        leaves = [np.round(-rate * slope[own].sum() / (bend[own].sum() + penalty), 4) for own in members]
        leaf_of = np.zeros(len(slope), np.int64)
        for leaf, own in enumerate(members):
            leaf_of[own] = leaf
        return np.array(leaves), leaf_of


def choice(
    alternatives: Sequence[Floats], right: Sequence[Whole], weight: Floats, *, penalty: Floats, rounds: int = 40
) -> Floats:
    """Weights of a choice among alternatives (rows of features each); the rows in `right` are right answers."""
    beta = np.zeros(alternatives[0].shape[1])
    for _ in range(rounds):
        slope, bend = penalty * beta, np.diag(penalty).astype(float)
        for rows, answers, w in zip(alternatives, right, weight, strict=True):
            values = rows @ beta
            share = np.exp(values - values.max())
            share /= share.sum()
            own = share[answers] / share[answers].sum()
            mean = share @ rows
            slope = slope + w * (mean - own @ rows[answers])
            centred = rows - mean
            bend = bend + w * (centred * share[:, None]).T @ centred
        step = np.linalg.solve(bend, slope)
        beta = beta - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-5:
            break
    return beta


def monotone(
    chances: Sequence[float], right: Sequence[bool], *, least: int = 40, doubt: int = 1
) -> tuple[tuple[float, float], ...]:
    """Points of a rising line through shares that were right: neighbours are pooled until they rise and are many.

    `doubt`: wrong answers that are added to each share, beside a right one: over few answers no share is certain.
    """
    order = np.argsort(np.array(chances), kind="stable")
    blocks: list[list[float]] = []
    for at in order:
        blocks.append([float(chances[at]), float(right[at]), 1.0])
        while len(blocks) > 1 and (
            blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2] or blocks[-2][2] < least
        ):
            x, y, n = blocks.pop()
            blocks[-1] = [blocks[-1][0] + x, blocks[-1][1] + y, blocks[-1][2] + n]
    points = [(0.0, 0.0)]
    for x, y, n in blocks:
        point = (round(x / n, 3), round((y + 1) / (n + 1 + doubt), 3))
        if point[0] > points[-1][0]:
            points.append((point[0], max(point[1], points[-1][1])))
    points.append((1.0, max(points[-1][1], 0.99))) if points[-1][0] < 1.0 else None
    return tuple(points)
