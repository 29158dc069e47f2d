"""Order, groups, members, restart: what every runtime promises about messages that go well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from shared.errors import RetryableError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import Service
from tests.contract.runtime.conftest import Start
from tests.contract.runtime.notes import (
    ANSWERS,
    NOTES,
    Collector,
    Note,
    answer,
    drained,
    note,
    reader,
    topic,
    until,
)
from tests.contract.runtime.runtimes import BACKLOG_BYTES_MAX, PARTITIONS, open_runtime


async def test_messages_of_one_key_come_in_the_order_published(start: Start) -> None:
    seen = Collector()
    runtime = await start(reader(seen), members=3)
    keys = ["run-a", "run-b", "run-c", "run-d", "run-e"]

    for n in range(40):
        await runtime.publish([note(n, key=keys[n % 5])])
    await drained(runtime)

    by_key = {key: [n for n in seen.numbers if n % 5 == index] for index, key in enumerate(keys)}
    assert by_key == {key: list(range(index, 40, 5)) for index, key in enumerate(keys)}


async def test_a_number_as_key_chooses_the_partition(start: Start) -> None:
    seen = Collector()
    runtime = await start(reader(seen))

    await runtime.publish([note(n) for n in range(2 * PARTITIONS)])
    await drained(runtime)

    places = {delivery.message.n: delivery.partition for delivery in seen.deliveries}
    assert places == {n: n % PARTITIONS for n in range(2 * PARTITIONS)}


async def test_outputs_of_a_handler_reach_the_next_service(start: Start) -> None:
    answers = Collector()
    runtime = await start(reader(answer), reader(answers, name="asker", of=ANSWERS))

    await runtime.publish([note(n) for n in range(20)])
    await until(lambda: len(answers.numbers) == 20)

    assert sorted(answers.numbers) == list(range(20))


async def test_a_message_carries_the_cloudevents_attributes_and_what_caused_it(start: Start) -> None:
    questions, answers = Collector(), Collector()
    asker = reader(answers, name="asker", of=ANSWERS)
    runtime = await start(reader(answer), reader(questions, name="witness"), asker)

    await runtime.publish([Outgoing(NOTES, Note(7), 7, "session-9", {"run": "12", "batch": "7"})])
    await until(lambda: bool(answers.deliveries and questions.deliveries))

    asked, answered = questions.deliveries[0].headers, answers.deliveries[0].headers
    assert asked["type"] == "hub.note.written.v1"
    assert asked["source"] == "hub/tests"
    assert asked["subject"] == "session-9"
    assert (asked["run"], asked["batch"]) == ("12", "7")
    assert {"id", "time"} <= asked.keys()
    assert answered["causationid"] == asked["id"]
    assert answered["correlationid"] == asked["id"]


async def test_an_encoded_body_is_passed_on_as_it_is(start: Start) -> None:
    seen = Collector()
    runtime = await start(reader(seen))

    await runtime.publish([Outgoing(NOTES, msgspec.msgpack.encode(Note(3, "as it is")), 3, "s1")])
    await drained(runtime)

    assert seen.deliveries[0].message == Note(3, "as it is")


async def test_every_group_gets_every_message(start: Start) -> None:
    first, second = Collector(), Collector()
    runtime = await start(reader(first), reader(second, name="second"))

    await runtime.publish([note(n) for n in range(10)])
    await drained(runtime)
    await drained(runtime, "hub.second")

    assert (sorted(first.numbers), sorted(second.numbers)) == (list(range(10)), list(range(10)))


async def test_a_new_group_starts_with_the_oldest_message(start: Start) -> None:
    runtime = await start(reader(Collector()))
    await runtime.publish([note(n) for n in range(10)])
    await drained(runtime)
    await runtime.stop()
    late = Collector()

    runtime = await start(reader(late, name="late"))
    await drained(runtime, "hub.late")

    assert sorted(late.numbers) == list(range(10))


async def test_messages_published_while_nobody_reads_wait(start: Start) -> None:
    seen = Collector()
    runtime = await start()
    await runtime.publish([note(n) for n in range(10)])
    await runtime.stop()

    runtime = await start(reader(seen))
    await drained(runtime)

    assert sorted(seen.numbers) == list(range(10))


async def test_a_restart_goes_on_behind_the_committed_messages(start: Start) -> None:
    before, after = Collector(), Collector()
    runtime = await start(reader(before))
    await runtime.publish([note(n) for n in range(8)])
    await drained(runtime)
    await runtime.stop()

    runtime = await start(reader(after))
    await runtime.publish([note(n) for n in range(8, 12)])
    await drained(runtime)

    assert (sorted(before.numbers), sorted(after.numbers)) == (list(range(8)), [8, 9, 10, 11])


class _Gate:
    """A handler that waits until it is opened and counts how many are inside."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.inside: list[Delivery] = []
        self.most_inside = 0
        self.partitions_met: list[int] = []

    async def __call__(self, delivery: Delivery) -> Sequence[Outgoing]:
        if delivery.partition in [other.partition for other in self.inside]:
            self.partitions_met.append(delivery.partition)
        self.inside.append(delivery)
        self.most_inside = max(self.most_inside, len(self.inside))
        await self.opened.wait()
        self.inside.remove(delivery)
        return [note(delivery.message.n, to=ANSWERS)]


async def test_members_handle_partitions_at_the_same_time(start: Start) -> None:
    gate = _Gate()
    runtime = await start(reader(gate, in_flight=1), members=PARTITIONS)

    await runtime.publish([note(n) for n in range(PARTITIONS)])
    await until(lambda: len(gate.inside) == PARTITIONS)
    gate.opened.set()
    await drained(runtime)

    assert gate.most_inside == PARTITIONS


async def test_an_ordered_route_never_handles_two_messages_of_a_partition_at_once(start: Start) -> None:
    gate = _Gate()
    runtime = await start(reader(gate), members=2)

    await runtime.publish([note(n) for n in range(5 * PARTITIONS)])
    await until(lambda: len(gate.inside) == PARTITIONS)
    gate.opened.set()
    await drained(runtime)

    assert gate.partitions_met == []


async def test_an_unordered_route_handles_messages_of_a_partition_at_the_same_time(start: Start) -> None:
    gate = _Gate()
    runtime = await start(reader(gate, ordered=False, in_flight=5))

    await runtime.publish([note(n, key=0) for n in range(5)])
    await until(lambda: len(gate.inside) == 5)
    gate.opened.set()
    await drained(runtime)

    assert gate.most_inside == 5


async def test_stop_finishes_what_is_being_handled_and_commits_it(start: Start) -> None:
    gate, again, answers = _Gate(), Collector(), Collector()
    runtime = await start(reader(gate))
    await runtime.publish([note(1)])
    await until(lambda: len(gate.inside) == 1)

    stopping = asyncio.create_task(runtime.stop())
    await asyncio.sleep(0)
    gate.opened.set()
    await stopping
    runtime = await start(reader(again), reader(answers, name="asker", of=ANSWERS))
    await until(lambda: answers.numbers == [1])
    await drained(runtime)

    assert again.numbers == []


async def test_a_handler_slower_than_the_stop_timeout_gets_its_message_again(start: Start) -> None:
    gate, again = _Gate(), Collector()
    runtime = await start(reader(gate))
    await runtime.publish([note(1)])
    await until(lambda: len(gate.inside) == 1)

    await runtime.stop(timeout_seconds=0.01)
    runtime = await start(reader(again))
    await drained(runtime)

    assert again.numbers == [1]


async def test_publish_waits_while_a_group_is_too_far_behind(start: Start) -> None:
    gate = _Gate()
    runtime = await start(reader(gate))
    await runtime.publish([note(1, text="x" * 2 * BACKLOG_BYTES_MAX)])
    await until(lambda: len(gate.inside) == 1)

    second = asyncio.create_task(runtime.publish([note(2)]))
    for _ in range(20):
        await runtime.lag()
    waited = not second.done()
    gate.opened.set()
    await second

    assert waited


async def test_start_hooks_run_before_and_stop_hooks_after_in_reverse_order(start: Start) -> None:
    events: list[str] = []

    def hooked(name: str) -> Service:
        async def started() -> None:
            events.append(f"start {name}")

        async def stopped() -> None:
            events.append(f"stop {name}")

        return Service(name, [], start=started, stop=stopped)

    runtime = await start(hooked("a"), hooked("b"))
    await runtime.stop()

    assert events == ["start a", "start b", "stop b", "stop a"]


async def test_a_start_hook_may_publish(address: str) -> None:
    seen = Collector()
    service = reader(seen)
    runtime = open_runtime(address)

    async def sweep_outbox() -> None:
        await runtime.publish([note(5)])

    service.start = sweep_outbox
    runtime.add(service)
    await runtime.start()
    await drained(runtime)
    await runtime.stop()

    assert seen.numbers == [5]


async def test_a_failing_start_hook_fails_the_start_and_runs_the_stop_hooks(address: str) -> None:
    events: list[str] = []

    async def fail() -> None:
        raise RetryableError("The store is away.")

    async def stopped() -> None:
        events.append("stopped")

    runtime = open_runtime(address)
    runtime.add(Service("a", [], start=fail, stop=stopped))

    with pytest.raises(RetryableError, match="The store is away"):
        await runtime.start()

    assert events == ["stopped"]


async def test_publishing_to_a_topic_outside_the_registry_is_refused(start: Start) -> None:
    runtime = await start()

    with pytest.raises(ValueError, match=r"hub\.note\.unknown\.v1"):
        await runtime.publish([note(1, to=topic("hub.note.unknown.v1"))])


async def test_publishing_on_a_stopped_runtime_is_refused(start: Start) -> None:
    runtime = await start()
    await runtime.stop()

    with pytest.raises(RetryableError, match="not running"):
        await runtime.publish([note(1)])


async def test_one_topic_cannot_be_read_twice_with_one_group(address: str) -> None:
    runtime = open_runtime(address)
    runtime.add(reader(Collector()))

    with pytest.raises(ValueError, match=r"hub\.note\.written\.v1 is read twice"):
        runtime.add(reader(Collector()))
