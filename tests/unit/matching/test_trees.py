from __future__ import annotations

import numpy as np
import pytest

from shared.matching.trees import trees_of

TREE = ([0, 1, 1], [0.5, 10.0, 20.0], [1.0, 2.0, 3.0, 4.0])
"""First: is feature 0 above 0.5? Then: is feature 1 above 10 (left) or 20 (right)?"""


@pytest.mark.parametrize(
    ("row", "leaf"), [((0.0, 5.0), 1.0), ((0.0, 15.0), 2.0), ((1.0, 15.0), 3.0), ((1.0, 25.0), 4.0), ((0.5, 5.0), 1.0)]
)
def test_a_row_ends_in_the_leaf_its_answers_lead_to(row: tuple[float, float], leaf: float) -> None:
    assert trees_of(0.0, [TREE]).sums(np.array([row])).tolist() == [leaf]


def test_trees_add_up_from_the_start() -> None:
    assert trees_of(-0.5, [TREE, TREE]).sums(np.array([[1.0, 25.0]])).tolist() == [7.5]
