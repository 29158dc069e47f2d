"""Waits, limits and encoding: the parts of the delivery rules that need no log."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RetryableError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import DeadLetter, RetryPolicy, Route
from shared.runtime.dead_letters import dead_letter_of
from shared.runtime.delivery import Again, Courier, Finished, Halt, Tries, backoff_seconds
from shared.runtime.records import Encoder, Record, Stored, partition_of
from tests.contract.runtime.notes import ANSWERS, NOTES, TOPICS, note

NOW = 1_800_000_000.0


def _encoder() -> Encoder:
    return Encoder({topic.name: topic for topic in TOPICS}, 12, lambda: NOW, lambda: "m1")


def _stored(record: Record, offset: int = 5) -> Stored:
    return Stored(record.topic, record.partition, record.key, record.headers, record.body, offset)


async def _deliver(error: Exception, policy: RetryPolicy, tries: Tries) -> Again | Finished | Halt:
    async def fail(delivery: Delivery) -> Sequence[Outgoing]:
        raise error

    courier = Courier(_encoder(), lambda: NOW, random.Random(1))
    route = Route(NOTES, fail, "hub.reader", retry=policy)
    return await courier.deliver("reader", route, _stored(_encoder().encode(note(1))), tries)


@given(failed=st.integers(1, 10_000), seed=st.integers())
def test_a_wait_is_between_half_and_all_of_the_doubled_wait_and_capped(failed: int, seed: int) -> None:
    policy = RetryPolicy(first_wait_seconds=0.1, wait_seconds_max=30.0)

    wait = backoff_seconds(policy, failed, random.Random(seed))

    full = min(0.1 * 2 ** min(failed - 1, 20), 30.0)
    assert full / 2 <= wait <= full


async def test_a_pause_lasts_as_long_as_was_asked() -> None:
    verdict = await _deliver(RetryableError("", after_seconds=90.0), RetryPolicy(), Tries(failures=2))

    assert verdict == Again(90.0, Tries(failures=2, pauses=1), is_pause=True)


async def test_a_pause_is_capped() -> None:
    verdict = await _deliver(RetryableError("", after_seconds=1e9), RetryPolicy(pause_seconds_max=600.0), Tries())

    assert verdict == Again(600.0, Tries(pauses=1), is_pause=True)


async def test_pauses_do_not_use_up_the_attempts() -> None:
    verdict = await _deliver(OSError(), RetryPolicy(attempts_max=3), Tries(failures=1, pauses=50))

    assert isinstance(verdict, Again)
    assert verdict.tries == Tries(failures=2, pauses=50)


async def test_without_a_limit_a_passing_error_is_never_given_up() -> None:
    verdict = await _deliver(RetryableError("Away."), RetryPolicy(attempts_max=None), Tries(failures=10_000))

    assert isinstance(verdict, Again)


async def test_attempts_used_up_give_a_dead_letter_that_counts_all_tries() -> None:
    verdict = await _deliver(RetryableError("Away."), RetryPolicy(attempts_max=3), Tries(failures=2, pauses=4))

    assert isinstance(verdict, Finished)
    assert verdict.records[0].topic == "hub.note.written.v1.hub.reader.dlq"
    assert verdict.records[0].headers["dlq-attempts"] == "7"


async def test_a_fault_says_what_to_do() -> None:
    verdict = await _deliver(KeyError("x"), RetryPolicy(unexpected_attempts_max=1), Tries())

    assert isinstance(verdict, Halt)
    assert "start again" in verdict.fault.next_step


@given(key=st.integers(0, 10**9) | st.text(max_size=20), count=st.integers(1, 1024))
def test_a_key_always_has_the_same_partition_in_range(key: int | str, count: int) -> None:
    assert 0 <= partition_of(key, count) < count
    assert partition_of(key, count) == partition_of(key, count)


def test_partitions_of_texts_do_not_depend_on_the_process() -> None:
    # Fixed values: another hash would tear messages of one key apart across an update.
    assert [partition_of(key, 12) for key in ("run-1", "run-2", "session-ä")] == [11, 9, 2]


def test_further_headers_stand_beside_the_attributes() -> None:
    record = _encoder().encode(Outgoing(ANSWERS, note(1).message, "run-1", "s1", {"run": "4"}), {"id": "m0"})

    assert record.headers == {
        "id": "m1",
        "type": "hub.note.answered.v1",
        "source": "hub/tests",
        "time": "2027-01-15T08:00:00+00:00",
        "subject": "s1",
        "causationid": "m0",
        "correlationid": "m0",
        "run": "4",
    }


def test_a_message_of_the_wrong_model_is_refused() -> None:
    with pytest.raises(TypeError, match="carries Note, not dict"):
        _encoder().encode(Outgoing(NOTES, {"n": 1}, 1, "s1"))


@given(
    headers=st.dictionaries(st.text(max_size=5).filter(lambda name: not name.startswith("dlq-")), st.text(max_size=5)),
    body=st.binary(max_size=50),
    reason=st.text(max_size=50),
    at=st.floats(0, 4e9),
)
def test_a_dead_letter_survives_its_record(headers: dict[str, str], body: bytes, reason: str, at: float) -> None:
    letter = DeadLetter("hub.note.written.v1", 3, 17, "run-1", headers, body, "g", "OSError", "used", reason, 8, at)

    assert dead_letter_of(_stored(letter.record())) == letter
