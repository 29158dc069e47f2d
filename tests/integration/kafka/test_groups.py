"""Members that come, go, die and dawdle: rebalances."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import RetryPolicy
from shared.runtime.kafka import KafkaRuntime, KafkaSettings
from tests.contract.runtime.notes import ANSWERS, Collector, answer, drained, note, reader, until
from tests.contract.runtime.runtimes import PARTITIONS
from tests.integration.kafka.conftest import New

pytestmark = pytest.mark.kafka

_ROOT = Path(__file__).parents[3]
COUNT = 200


class Slowly:
    """Answers each note after a moment, so that members come and go while there is work."""

    def __init__(self, seconds: float = 0.005) -> None:
        self.seconds = seconds
        self.numbers: list[int] = []

    async def __call__(self, delivery: Delivery) -> Sequence[Outgoing]:
        await asyncio.to_thread(time.sleep, self.seconds)
        self.numbers.append(delivery.message.n)
        return await answer(delivery)


@pytest.mark.parametrize("joining", [1, 3])
async def test_members_that_join_and_leave_in_mid_batch_lose_nothing(new: New, joining: int) -> None:
    answers, workers = Collector(), [Slowly() for _ in range(1 + joining)]
    asker = new(reader(answers, name="asker", of=ANSWERS))
    members = [new(reader(worker)) for worker in workers]
    await asker.start()
    await members[0].start()
    await asker.publish([note(n) for n in range(COUNT)])
    await until(lambda: len(workers[0].numbers) > 5)

    for member in members[1:]:
        await member.start()
    await asker.publish([note(n) for n in range(COUNT, 2 * COUNT)])
    await until(lambda: all(worker.numbers for worker in workers))
    await members[0].stop()
    await drained(asker)
    await drained(asker, "hub.asker")

    assert set(answers.numbers) == set(range(2 * COUNT))


async def test_a_rebalance_waits_for_the_turn_in_hand_so_that_nothing_is_handled_twice(new: New) -> None:
    first, second = Slowly(), Slowly()
    one, two = new(reader(first)), new(reader(second))
    await one.start()
    await one.publish([note(n) for n in range(COUNT)])
    await until(lambda: len(first.numbers) > 5)

    await two.start()
    await drained(one)

    assert sorted(first.numbers + second.numbers) == list(range(COUNT))


async def test_four_members_share_the_partitions(new: New) -> None:
    workers = [Collector() for _ in range(PARTITIONS)]
    members = [new(reader(worker)) for worker in workers]
    for member in members:
        await member.start()
    await _each_has_one(members)

    await members[0].publish([note(n) for n in range(10 * PARTITIONS)])
    await drained(members[0])

    assert sorted(len({delivery.partition for delivery in worker.deliveries}) for worker in workers) == [1, 1, 1, 1]


async def _each_has_one(runtimes: Sequence[KafkaRuntime]) -> None:
    """Joining is over when each of four members holds one of the four partitions."""
    members = [member for runtime in runtimes for consumer in runtime._consumers for member in consumer.members]
    await until(lambda: all(len(member._places) == 1 for member in members))


async def test_a_killed_member_is_replaced_by_the_others(
    new: New, settings: Callable[..., KafkaSettings], tmp_path: Path
) -> None:
    here, answers = Collector(), Collector()
    runtime = new(reader(here, name="witness"), reader(answers, name="asker", of=ANSWERS))
    await runtime.start()
    await runtime.publish([note(n) for n in range(20)])
    address = f"kafka:{settings().bootstrap_servers[0]}/{settings().topic_prefix}"
    environment = os.environ | {"HUB_FAIL_POINT": "mapper.mapped_not_committed@6"}
    command = [sys.executable, "-m", "tests.contract.runtime.crash_child", address, "answer"]
    child = await asyncio.to_thread(subprocess.run, command, cwd=_ROOT, env=environment, timeout=60)

    survivor = new(reader(answer))
    await survivor.start()
    await drained(runtime)
    await drained(runtime, "hub.asker")

    assert child.returncode == -signal.SIGKILL
    assert set(answers.numbers) == set(range(20))


async def test_a_member_slower_than_the_poll_interval_loses_its_partitions_and_nothing_else(new: New) -> None:
    gate, rescuer, answers = asyncio.Event(), Collector(), Collector()

    async def stuck(delivery: Delivery) -> Sequence[Outgoing]:
        await gate.wait()
        return await answer(delivery)

    slow = new(reader(stuck), max_poll_interval_ms=1_500, revoke_wait_seconds_max=0.2)
    asker = new(reader(answers, name="asker", of=ANSWERS))
    await asker.start()
    await slow.start()
    await asker.publish([note(n) for n in range(PARTITIONS)])

    quick = new(reader(rescuer), max_poll_interval_ms=1_500, revoke_wait_seconds_max=0.2)
    await quick.start()
    await until(lambda: sorted(rescuer.numbers) == list(range(PARTITIONS)))
    gate.set()
    await drained(asker)

    # The slow one's answers were sent although its offsets were refused: at least once.
    await until(lambda: set(answers.numbers) == set(range(PARTITIONS)))
    assert slow.faults() == quick.faults() == []


async def test_a_waiting_message_in_one_partition_holds_back_only_its_own_commit(new: New) -> None:
    """A batch spans partitions: rewinding one of them must neither lose nor commit messages of another."""
    failures = {1: 2, 6: 1}
    handled: list[int] = []

    async def sometimes(delivery: Delivery) -> Sequence[Outgoing]:
        n = delivery.message.n
        if failures.get(n, 0):
            failures[n] -= 1
            raise OSError("not now")
        handled.append(n)
        return ()

    runtime = new(reader(sometimes, in_flight=16))
    await runtime.start()
    await runtime.publish([note(n) for n in range(8)])
    await drained(runtime)

    assert sorted(handled) == list(range(8))


async def test_many_messages_that_wait_for_a_store_that_is_away_are_all_handled_in_the_end(new: New) -> None:
    """Several of one partition wait with different waits, more than a turn may hold, on an unordered route."""
    is_away = True
    handled: list[int] = []

    async def store(delivery: Delivery) -> Sequence[Outgoing]:
        if is_away:
            raise OSError("away")
        handled.append(delivery.message.n)
        return ()

    patient = RetryPolicy(attempts_max=None, first_wait_seconds=0.005, wait_seconds_max=0.05)
    runtime = new(reader(store, ordered=False, in_flight=4, retry=patient))
    await runtime.start()
    await runtime.publish([note(n) for n in range(COUNT)])
    members = [member for consumer in runtime._consumers for member in consumer.members]
    await until(lambda: any(place.is_paused for member in members for place in member._places.values()))
    is_away = False
    await drained(runtime)

    assert set(handled) == set(range(COUNT))
