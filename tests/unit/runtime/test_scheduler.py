"""The adversarial runtime: it is nasty, it loses nothing, and it is the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConfigurationError, PermanentError, RetryableError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import DeadLetterFilter, Runtime
from tests.contract.runtime.notes import ANSWERS, TOPICS, Collector, answer, note, reader
from tests.support.scheduler import AdversarialRuntime, Nastiness


async def _run(seed: int, count: int, *, ordered: bool = True, key: int | None = None) -> tuple[list[int], list[int]]:
    """Numbers as the first and as the second service saw them."""
    notes, answers = Collector(), Collector()
    runtime = AdversarialRuntime(seed, topics=TOPICS, partition_count=4)
    runtime.add(reader(notes, name="witness", ordered=ordered), members=3)
    runtime.add(reader(answer, ordered=ordered), members=3)
    runtime.add(reader(answers, name="asker", of=ANSWERS, ordered=ordered), members=3)
    await runtime.start()
    await runtime.publish([note(n, key=key) for n in range(count)])
    await runtime.run_until_idle()
    assert all(lag.messages == 0 for lag in await runtime.lag())
    await runtime.stop()
    return notes.numbers, answers.numbers


def test_it_is_a_runtime() -> None:
    runtime: Runtime = AdversarialRuntime(1)

    assert runtime.faults() == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), ordered=st.booleans())
async def test_every_message_arrives_and_its_answers_too(seed: int, ordered: bool) -> None:
    notes, answers = await _run(seed, 30, ordered=ordered)

    assert set(notes) == set(range(30))
    assert set(answers) == set(range(30))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
async def test_an_ordered_partition_goes_back_but_never_skips(seed: int) -> None:
    notes, _ = await _run(seed, 30, key=0)

    highest = -1
    for n in notes:
        assert n <= highest + 1
        highest = max(highest, n)


async def test_the_same_seed_gives_the_same_run() -> None:
    assert await _run(7, 40) == await _run(7, 40)


async def test_seeds_differ_and_messages_come_out_of_order_and_twice() -> None:
    first, _ = await _run(7, 40, ordered=False)
    second, _ = await _run(8, 40, ordered=False)

    assert first != second
    assert first != sorted(first)
    assert len(first) > 40


async def test_handlers_of_several_members_interleave() -> None:
    inside, most = 0, 0

    async def count(delivery: Delivery) -> Sequence[Outgoing]:
        import asyncio

        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1
        return ()

    runtime = AdversarialRuntime(3, topics=TOPICS, partition_count=4)
    runtime.add(reader(count), members=4)
    await runtime.start()
    await runtime.publish([note(n) for n in range(40)])
    await runtime.run_until_idle()

    assert most >= 3


async def test_the_rules_of_delivery_are_those_of_every_runtime() -> None:
    async def handle(delivery: Delivery) -> Sequence[Outgoing]:
        if delivery.message.n == 1:
            raise PermanentError("Never.")
        if delivery.message.n == 2 and delivery.attempt < 3:
            raise RetryableError("Away.", after_seconds=600)
        return await answer(delivery)

    answers = Collector()
    runtime = AdversarialRuntime(5, topics=TOPICS, partition_count=4, nastiness=Nastiness(repeats_max=0))
    runtime.add(reader(handle))
    runtime.add(reader(answers, name="asker", of=ANSWERS))
    await runtime.start()
    await runtime.publish([note(n) for n in range(4)])
    await runtime.run_until_idle()

    (letter,) = await runtime.dead_letters(DeadLetterFilter())
    assert (letter.offset, letter.reason_code) == (0, "permanent")
    assert sorted(answers.numbers) == [0, 2, 3]


async def test_a_group_that_stopped_does_not_keep_it_running() -> None:
    async def stop(delivery: Delivery) -> Sequence[Outgoing]:
        raise ConfigurationError("No key.")

    runtime = AdversarialRuntime(5, topics=TOPICS)
    runtime.add(reader(stop))
    await runtime.start()
    await runtime.publish([note(1)])
    await runtime.run_until_idle()

    assert [fault.group for fault in runtime.faults()] == ["hub.reader"]


async def test_messages_that_breed_for_ever_are_reported() -> None:
    async def breed(delivery: Delivery) -> Sequence[Outgoing]:
        return [note(delivery.message.n + 1)]

    runtime = AdversarialRuntime(5, topics=TOPICS)
    runtime.add(reader(breed))
    await runtime.start()
    await runtime.publish([note(1)])

    with pytest.raises(RuntimeError, match="breed"):
        await runtime.run_until_idle(rounds_max=200)
