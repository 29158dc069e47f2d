"""Where a member stands in a partition: what is handled, committed, skipped and read again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.delivery import Tries
from shared.runtime.kafka.places import Place
from shared.runtime.records import Stored
from shared.runtime.turns import Held

NOW = 100.0
LATER = Held(NOW + 60, Tries(failures=1))
DUE = Held(NOW - 1, Tries(failures=1))


def _messages(*offsets: int) -> list[Stored]:
    return [Stored("hub.note.written.v1", 0, "", {}, b"", offset) for offset in offsets]


def _ready(place: Place, *offsets: int, ordered: bool = False) -> list[int]:
    return [stored.offset for stored in place.ready(_messages(*offsets), NOW, ordered=ordered)]


def test_nothing_is_committed_before_a_message_was_seen() -> None:
    assert Place().commit_offset() == -1


def test_everything_before_the_first_open_message_may_be_committed() -> None:
    place = Place()
    _ready(place, 5, 6, 7)

    for offset in (5, 7):
        place.finish(offset)

    assert place.commit_offset() == 6


def test_gaps_in_the_offsets_hold_nothing_back() -> None:
    place = Place()
    _ready(place, 5, 9)

    for offset in (5, 9):
        place.finish(offset)

    assert place.commit_offset() == 10


def test_what_is_finished_behind_a_waiting_message_is_not_handled_again() -> None:
    place = Place()
    _ready(place, 5, 6, 7)
    place.hold(5, DUE)
    place.finish(6)

    assert _ready(place, 5, 6, 7) == [5, 7]


def test_what_is_committed_is_not_handled_again_when_reading_went_back_for_a_waiting_one() -> None:
    place = Place()
    _ready(place, 5, 6, 7)
    for offset in (5, 6, 7):
        place.finish(offset)
    place.commit(place.commit_offset())

    assert _ready(place, 6, 7, 8) == [8]


def test_an_ordered_partition_stops_at_a_message_that_waits() -> None:
    place = Place()
    place.hold(6, LATER)

    assert _ready(place, 5, 6, 7, ordered=True) == [5]
    assert place.commit_offset() == 5


def test_an_unordered_partition_goes_on_behind_a_message_that_waits() -> None:
    place = Place()
    place.hold(6, LATER)

    assert _ready(place, 5, 6, 7) == [5, 7]


def test_a_rewind_reads_from_the_first_unfinished_message_and_keeps_tries() -> None:
    place = Place()
    _ready(place, 5, 6, 7, ordered=True)
    place.finish(5)
    place.hold(6, LATER)

    assert place.rewind() == 6
    assert place.held == {6: LATER}
    assert place.width() == 0


def test_a_due_message_is_asked_for_once() -> None:
    place = Place()
    _ready(place, 5, 6)
    place.hold(5, DUE)
    place.hold(6, LATER)

    assert [place.ask(NOW), place.ask(NOW)] == [5, None]
    assert place.next_due() == LATER.due


def test_a_message_that_was_read_again_may_be_asked_for_again() -> None:
    place = Place()
    _ready(place, 5)
    place.hold(5, DUE)
    place.ask(NOW)

    _ready(place, 5)

    assert place.next_due() == DUE.due


@given(st.lists(st.sampled_from(["finish", "hold", "fail"]), min_size=1, max_size=30), st.integers(1, 8))
def test_every_message_is_finished_and_none_committed_before(fates: list[str], fetch: int) -> None:
    """Whatever fails and waits, reading on and going back finishes each message exactly once, in any fetch size."""
    place, handled, position = Place(), [], 0
    failing = {offset: 1 for offset, fate in enumerate(fates) if fate != "finish"}
    now = NOW
    for _ in range(20 * len(fates)):
        fetched = range(position, min(position + fetch, len(fates)))
        for stored in place.ready(_messages(*fetched), now, ordered=False):
            if failing.pop(stored.offset, 0):
                place.hold(stored.offset, Held(now + 1, Tries(failures=1)))
            else:
                place.finish(stored.offset)
                handled.append(stored.offset)
        position += len(fetched)
        if (commit := place.commit_offset()) > place.committed:
            assert set(range(commit)) <= set(handled)
            place.commit(commit)
        now += 1
        if (due := place.ask(now)) is not None:
            position = due

    assert sorted(handled) == list(range(len(fates)))
    assert place.commit_offset() == len(fates)
