"""Where a member stands in a partition: what is handled, committed, waits and pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.delivery import Tries
from shared.runtime.kafka.places import Place
from shared.runtime.records import Stored
from shared.runtime.turns import Held

NOW = 100.0
LATER = Held(NOW + 60, Tries(failures=1))
DUE = Held(NOW - 1, Tries(failures=1))


def _place(*offsets: int) -> Place:
    place = Place()
    place.see(_messages(*offsets))
    return place


def _messages(*offsets: int) -> list[Stored]:
    return [Stored("hub.note.written.v1", 0, "", {}, b"", offset) for offset in offsets]


def _ready(place: Place, *, ordered: bool = False) -> list[int]:
    return [stored.offset for stored in place.ready(NOW, ordered=ordered)]


def test_nothing_is_committed_before_a_message_was_seen() -> None:
    assert Place().commit_offset() == -1


def test_everything_before_the_first_open_message_may_be_committed() -> None:
    place = _place(5, 6, 7)

    for offset in (5, 7):
        place.finish(offset)

    assert place.commit_offset() == 6


def test_gaps_in_the_offsets_hold_nothing_back() -> None:
    place = _place(5, 9)

    for offset in (5, 9):
        place.finish(offset)

    assert place.commit_offset() == 10


def test_what_was_seen_is_not_taken_over_twice() -> None:
    place = _place(5, 6)
    place.finish(5)

    place.see(_messages(5, 6, 7))

    assert _ready(place) == [6, 7]


def test_an_ordered_partition_stops_at_a_message_that_waits() -> None:
    place = _place(5, 6, 7)
    place.hold(6, LATER)

    assert _ready(place, ordered=True) == [5]


def test_an_unordered_partition_goes_on_behind_a_message_that_waits() -> None:
    place = _place(5, 6, 7)
    place.hold(6, LATER)

    assert _ready(place) == [5, 7]


def test_a_message_whose_wait_is_over_is_handled_with_what_was_tried() -> None:
    place = _place(5, 6)
    place.hold(5, DUE)

    assert _ready(place, ordered=True) == [5, 6]
    assert place.held(5) == DUE


@pytest.mark.parametrize(("offsets", "pauses"), [((5, 6, 7), False), ((5, 6, 7, 8), True)])
def test_an_unordered_partition_pauses_when_so_much_is_read_behind_a_waiting_message(
    offsets: tuple[int, ...], pauses: bool
) -> None:
    place = _place(*offsets)
    place.hold(5, LATER)
    for offset in offsets[1:]:
        place.finish(offset)

    assert place.must_pause(4, ordered=False) is pauses


def test_an_ordered_partition_pauses_while_anything_waits() -> None:
    place = _place(5)
    place.hold(5, LATER)

    assert place.must_pause(4, ordered=True)


def test_a_partition_in_which_everything_is_finished_reads_on() -> None:
    place = _place(5)
    place.finish(5)

    assert not place.must_pause(1, ordered=True)


def test_the_first_wait_that_ends_wakes_an_unordered_partition() -> None:
    place = _place(5, 6)
    place.hold(5, LATER)
    place.hold(6, DUE)

    assert place.next_due(ordered=False) == DUE.due
    assert place.next_due(ordered=True) == LATER.due


def test_a_message_that_need_not_wait_is_due_at_once() -> None:
    place = _place(5, 6)
    place.hold(5, LATER)

    assert place.next_due(ordered=False) == 0.0
    assert place.next_due(ordered=True) == LATER.due


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 8), st.integers(1, 8), st.booleans())
def test_every_message_is_finished_once_and_none_committed_before(
    failures: list[int], fetch: int, in_flight: int, ordered: bool
) -> None:
    """Each message fails so often before it succeeds, with waits of its own; some polls give nothing."""
    place, handled, left, now = Place(), [], dict(enumerate(failures)), NOW
    while len(handled) < len(failures):
        if not place.must_pause(in_flight, ordered=ordered):
            place.see(_messages(*range(max(0, place.position), min(max(0, place.position) + fetch, len(failures)))))
        for stored in place.ready(now, ordered=ordered)[:in_flight]:
            if left[stored.offset]:
                left[stored.offset] -= 1
                place.hold(stored.offset, Held(now + 1 + stored.offset % 3, Tries()))
                if ordered:
                    break
            else:
                place.finish(stored.offset)
                handled.append(stored.offset)
        assert set(range(place.commit_offset())) <= set(handled)
        if ordered:
            assert handled == sorted(handled)
        due = place.next_due(ordered=ordered)
        now = max(now, due) if due is not None else now

    assert sorted(handled) == list(range(len(failures)))
    assert place.commit_offset() == len(failures)
