from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.mapper.assignment import assign, fill_required


def test_nothing_is_an_answer() -> None:
    assert assign(np.array([[0.0, -1.0], [0.5, 0.0]])) == [-1, 0]


def test_the_greatest_sum_wins_over_the_greatest_single_gain() -> None:
    assert assign(np.array([[0.9, 0.8], [0.85, 0.1]])) == [1, 0]


@settings(deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.integers(-3, 9).map(float)))
def test_no_other_assignment_gains_more(gains: np.ndarray) -> None:
    rows, columns = gains.shape
    chosen = assign(gains)
    taken = [column for column in chosen if column >= 0]
    assert len(set(taken)) == len(taken)
    gained = sum(gains[row, column] for row, column in enumerate(chosen) if column >= 0)
    padded = np.concatenate((np.maximum(gains, 0), np.zeros((rows, rows))), axis=1)
    best = max(sum(padded[r, c] for r, c in enumerate(p)) for p in permutations(range(columns + rows), rows))
    assert gained == best


def test_a_required_field_takes_the_likeliest_column_left_over() -> None:
    chances = [{"number": 0.2, "notes": 0.9}, {"number": 0.3}, {"number": 0.25}, {"number": 0.1}]

    assert fill_required({0: "notes"}, [("number",)], chances) == {0: "notes", 1: "number"}


def test_a_required_field_stays_without_column_where_nothing_speaks_for_one() -> None:
    assert fill_required({}, [("number",)], [{"number": 0.1}, {"notes": 0.3}]) == {}


def test_of_fields_that_stand_for_each_other_one_is_enough() -> None:
    assert fill_required({0: "company"}, [("name", "company")], [{"company": 0.9}, {"name": 0.3}]) == {0: "company"}
