"""The window: whatever comes in whatever order, every position is released, and none that is not planned."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.window import first_released, may_complete, outstanding, released_by

steps = given(window=st.integers(1, 12), planned=st.integers(0, 40), chance=st.randoms(use_true_random=False))


@steps
@settings(max_examples=80, deadline=None)
def test_every_position_is_released_whatever_the_order_and_repetition_of_acknowledgements(
    window: int, planned: int, chance: random.Random
) -> None:
    released = list(first_released(window, planned))
    acknowledged: list[int] = []
    in_flight = list(released)
    while in_flight:
        position = chance.choice(in_flight)
        if chance.random() < 0.7:  # else the same acknowledgement comes again later
            in_flight.remove(position)
        acknowledged.append(position)
        follower = released_by(position, window, planned)
        if follower is not None and follower not in released:
            released.append(follower)
            in_flight.append(follower)

        assert outstanding(acknowledged, window, planned) == sorted(set(released) - set(acknowledged))
        assert len(set(released) - set(acknowledged)) <= window

    assert sorted(released) == list(range(planned))
    assert outstanding(acknowledged, window, planned) == []


@steps
@settings(max_examples=80, deadline=None)
def test_only_an_acknowledgement_that_releases_nothing_can_be_the_last(
    window: int, planned: int, chance: random.Random
) -> None:
    in_flight = list(first_released(window, planned))
    last = None
    while in_flight:
        last = in_flight.pop(chance.randrange(len(in_flight)))
        follower = released_by(last, window, planned)
        assert may_complete(last, window, planned) == (follower is None)
        in_flight += [] if follower is None else [follower]

    assert last is None or may_complete(last, window, planned)


@pytest.mark.parametrize(
    ("acknowledged", "expected"),
    [([], [0, 1, 2]), ([1], [0, 2, 4]), ([0, 1, 2, 3, 4], [5, 6]), (range(7), [])],
)
def test_outstanding_is_what_was_released_and_not_acknowledged(acknowledged: list[int], expected: list[int]) -> None:
    assert outstanding(acknowledged, window=3, planned=7) == expected


def test_a_window_wider_than_the_step_releases_all_of_it() -> None:
    assert list(first_released(32, 3)) == [0, 1, 2]
    assert outstanding([1], 32, 3) == [0, 2]
