from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mapping.learning import TreeSettings, boosted_trees, choice, exactly_added, logistic, monotone
from shared.matching.pair_features import sigmoid


def test_logistic_regression_finds_the_odds_it_was_shown() -> None:
    rows = np.array([[0.0]] * 100 + [[1.0]] * 100)
    right = np.array([1.0] * 20 + [0.0] * 80 + [1.0] * 70 + [0.0] * 30)

    beta = logistic(rows, right, np.ones(200), penalty=1e-6)

    assert sigmoid(np.array([beta[1], beta[0] + beta[1]])) == pytest.approx([0.2, 0.7], abs=1e-3)


def test_boosted_trees_learn_what_no_line_can_tell() -> None:
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 50 + [[0.0, 1.0]] * 5)
    right = np.array([float(a != b) for a, b in corners])

    trees = boosted_trees(corners, right, np.ones(len(right)), TreeSettings(trees=20, depth=2, leaf_min=0.1, bins=8))

    assert (trees.sums(corners) > 0).astype(float).tolist() == right.tolist()


def test_a_choice_prefers_the_alternative_with_the_telling_feature() -> None:
    alternatives = [np.array([[1.0, 0.0], [0.0, 1.0]])] * 20

    beta = choice(alternatives, [np.array([0])] * 20, np.ones(20), penalty=np.ones(2))

    assert beta[0] > beta[1]


def test_calibration_rises_and_never_promises_certainty_from_few_answers() -> None:
    points = monotone([0.2] * 50 + [0.6] * 50 + [0.9] * 50, [False] * 50 + [True, False] * 25 + [True] * 50, least=10)

    assert [y for _, y in points] == sorted(y for _, y in points)
    assert dict(points)[0.6] == pytest.approx(0.5)
    assert dict(points)[0.9] < 1.0


def test_calibration_with_more_doubt_shows_less() -> None:
    points = dict(monotone([0.9] * 50, [True] * 50, doubt=5))

    assert points[0.9] == pytest.approx(51 / 56, abs=0.001)


def test_sums_for_trees_do_not_depend_on_their_order() -> None:
    values = exactly_added(np.array([0.1, 0.7, -0.3, 1 / 3, 2 / 7] * 1000))

    assert values.sum() == values[::-1].sum() == sum(sorted(values))
