"""One consumer group on one topic in this process: its members are FastStream batch subscribers that work in turns.

A turn is what one poll gave: up to `in_flight` messages over the member's partitions, and what waited and is due. Its
outputs are sent and confirmed, then the offsets of what is finished are committed, by partition and explicitly. A
message that must wait parks its partition (ordered: paused until it is handled) or itself (unordered: those behind it
go on, up to `in_flight`); it is kept in memory and handled again when it is due.

FastStream's policy is NACK_ON_ERROR: should a turn raise, nothing of it is acknowledged, and the group halts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import KafkaAckableMessage
from faststream.message import AckStatus

from shared.errors import RetryableError
from shared.runtime.delivery import Again, Courier, Finished, Halt, Tries, Verdict
from shared.runtime.kafka.backlog import Backlog
from shared.runtime.kafka.places import Place
from shared.runtime.kafka.settings import KafkaSettings
from shared.runtime.kafka.wire import Wire
from shared.runtime.records import Record, Stored
from shared.runtime.service import Fault, Route
from shared.runtime.turns import Held, Turn

Send = Callable[[Sequence[Record]], Awaitable[None]]
"""Sends records; on return all are confirmed. RetryableError where that took too long."""

LEAVE_SECONDS_MAX = 3.0
"""For telling the group; should the brokers be away it finds out by itself."""

TAKEN_BACK_SECONDS = 1.0
"""Until a turn whose outputs the cluster did not take is made again."""

_log = structlog.get_logger("hub.runtime")


@dataclass
class Consumer:
    """All members of one route in this process."""

    service: str
    route: Route
    courier: Courier
    wire: Wire
    settings: KafkaSettings
    send: Send
    backlog: Backlog
    members: list[Member] = field(default_factory=list)
    fault: Fault | None = None
    stopping: bool = False

    @property
    def wire_topic(self) -> str:
        """The topic's name on the cluster."""
        return self.wire.name(self.route.topic.name)

    def join(self, broker: KafkaBroker, member_count: int) -> None:
        """Declare the members at the broker; they start with it."""
        self.members = [Member(self, broker) for _ in range(min(member_count, self.settings.partition_count))]

    def stop(self) -> None:
        """Let every member end after what it is handling; nothing more is read meanwhile."""
        self.stopping = True
        for member in self.members:
            member.pause_all()

    def halt(self, fault: Fault) -> None:
        """Stop on a fault and leave the group, so that other processes take over; the first fault is shown."""
        if self.fault is None:
            self.fault = fault
            self.stop()
            for member in self.members:
                member.leave_later()


class Member(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One member of the group: a subscriber with its partitions."""

    def __init__(self, consumer: Consumer, broker: KafkaBroker) -> None:
        self._consumer = consumer
        self._route = consumer.route
        self._places: dict[int, Place] = {}
        self.has_joined = False
        """Whether the group has given this member its share (which may be empty) since its start."""
        self._polled = self._places
        """`_places` as they were at the poll in hand."""
        self._first = 0
        self._timer: asyncio.TimerHandle | None = None
        self._turns = asyncio.Lock()
        """One turn at a time, whether a poll or a message that is due began it."""
        self._working: asyncio.Task[None] | None = None
        self._due_turn: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self.subscriber = broker.subscriber(
            consumer.wire_topic,
            group_id=consumer.wire.name(consumer.route.group),
            batch=True,
            max_records=consumer.route.in_flight,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            listener=self,
            parser=self._parse,
            decoder=_as_it_is,
            **consumer.settings.for_consumer(),
        )
        self.subscriber(self._handle)

    @property
    def _client(self) -> AIOKafkaConsumer:
        client = self.subscriber.consumer
        if client is None:
            raise IllegalStateError("the subscriber is not started")
        return client

    # ---- turns ------------------------------------------------------------------------------------------------

    async def _handle(self, message: KafkaMessage) -> None:
        """What FastStream calls with each poll's messages."""
        await self._take_turn(message.raw_message, self._polled)
        message.committed = AckStatus.ACKED  # as far as FastStream is concerned; offsets are committed by the turn

    async def _take_turn(self, consumed: Iterable[Any], polled: Mapping[int, Place]) -> None:
        """A turn as a task of its own, so that a stop can cancel it and wait for its end.

        `polled`: the places as they were at the poll. A rebalance may have come since, while another turn went on; what
        was polled before it is read again from the commit by whoever has the partition now.
        """
        async with self._turns:
            if self._consumer.stopping:
                return
            self._working = asyncio.create_task(self._turn(consumed, polled), name=f"turn of {self._route.group}")
            try:
                await self._working
            except Exception as error:
                self._consumer.halt(self._consumer.courier.fault(self._consumer.service, self._route, error))
                raise

    async def _turn(self, consumed: Iterable[Any], polled: Mapping[int, Place]) -> None:
        if polled is self._places:
            self._see(consumed)
        places = dict(self._places)
        verdicts: list[tuple[int, Stored, Verdict]] = []
        turn = Turn(
            self._consumer.service,
            self._route,
            self._consumer.courier,
            held=lambda number, stored: places[number].held(stored.offset),
            settle=lambda number, stored, verdict: verdicts.append((number, stored, verdict)),
            is_stopping=lambda: self._consumer.stopping,
        )
        await turn.handle(self._ready(places))
        outputs = [record for *_, verdict in verdicts if isinstance(verdict, Finished) for record in verdict.records]
        try:
            await self._consumer.send(outputs)
        except RetryableError as error:
            _log.warning("turn_taken_back", topic=self._route.topic.name, group=self._route.group, reason=error.message)
            verdicts = [(number, stored, self._again(places[number], stored)) for number, stored, _ in verdicts]
        for number, stored, verdict in verdicts:
            self._settle(places[number], stored, verdict)
        await self._commit(places)
        self._arrange(places)

    def _see(self, consumed: Iterable[Any]) -> None:
        """Take over what a poll gave, except what a rebalance has just taken away: that is somebody else's."""
        for record in consumed:
            if (place := self._places.get(record.partition)) is not None:
                place.see([self._consumer.wire.stored(record)])

    def _ready(self, places: Mapping[int, Place]) -> dict[int, list[Stored]]:
        """Up to `in_flight` messages that may be handled now, by partition, each time beginning with another one."""
        now, room = time.monotonic(), self._route.in_flight
        numbers = sorted(places)
        self._first = (self._first + 1) % max(1, len(numbers))
        ready: dict[int, list[Stored]] = {}
        for number in numbers[self._first :] + numbers[: self._first]:
            if chosen := places[number].ready(now, ordered=self._route.ordered)[:room]:
                ready[number] = chosen
                room -= len(chosen)
        return ready

    def _again(self, place: Place, stored: Stored) -> Again:
        """The verdict on a message whose outputs could not be sent: handled again soon, its tries as they were."""
        held = place.held(stored.offset)
        return Again(TAKEN_BACK_SECONDS, held.tries if held else Tries())

    def _settle(self, place: Place, stored: Stored, verdict: Verdict) -> None:
        match verdict:
            case Finished():
                place.finish(stored.offset)
            case Again():
                place.hold(stored.offset, Held(time.monotonic() + verdict.wait_seconds, verdict.tries))
            case Halt():
                self._consumer.halt(verdict.fault)

    async def _commit(self, places: Mapping[int, Place]) -> None:
        """Commit what is finished without a gap. Refused after a rebalance: then whoever has it now does it again."""
        moved = {
            number: offset
            for number, place in places.items()
            if self._is_mine(number, place) and (offset := place.commit_offset()) > place.committed
        }
        if not moved:
            return
        try:
            await self._client.commit({self._partition(number): offset for number, offset in moved.items()})
        except (CommitFailedError, IllegalStateError) as error:
            _log.warning("commit_refused", topic=self._route.topic.name, group=self._route.group, reason=str(error))
            return
        for number, offset in moved.items():
            places[number].committed = offset
            self._consumer.backlog.committed(self._route.group, self._route.topic.name, number, offset)

    # ---- waiting ----------------------------------------------------------------------------------------------

    def _arrange(self, places: Mapping[int, Place]) -> None:
        """Pause what must wait, go on with what need not, and wake up when the next message is due."""
        for number, place in places.items():
            if not self._is_mine(number, place) or self._consumer.stopping:
                continue
            must_pause = place.must_pause(self._route.in_flight, ordered=self._route.ordered)
            if must_pause != place.is_paused:
                place.is_paused = must_pause
                (self._client.pause if must_pause else self._client.resume)(self._partition(number))
        self._stop_timer()
        dues = [
            due for place in self._places.values() if (due := place.next_due(ordered=self._route.ordered)) is not None
        ]
        if dues and not self._consumer.stopping:
            wait = max(0.0, min(dues) - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._handle_due)

    def _handle_due(self) -> None:
        """Begin a turn with what has waited; a poll's turn that comes first takes it along."""
        self._due_turn = asyncio.create_task(self._take_due_turn(), name=f"due turn of {self._route.group}")

    async def _take_due_turn(self) -> None:
        # Its error has halted the group and is shown as a fault; there is no poll to take back.
        with contextlib.suppress(Exception):
            await self._take_turn((), self._places)

    def pause_all(self) -> None:
        """Read no more."""
        client = self.subscriber.consumer
        if client is not None and (assigned := client.assignment()):
            client.pause(*assigned)

    def _partition(self, number: int) -> TopicPartition:
        return TopicPartition(self._consumer.wire_topic, number)

    def _is_mine(self, number: int, place: Place) -> bool:
        """Whether a rebalance has left this very place with us."""
        return self._places.get(number) is place

    # ---- group ------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """A rebalance begins: let the turn in hand end and commit, so that nobody does its work again."""
        with contextlib.suppress(TimeoutError):
            await self.until_idle(self._consumer.settings.revoke_wait_seconds_max)
        self._places = {}
        for partition in revoked:
            self._consumer.backlog.forget(self._route.group, self._route.topic.name, partition.partition)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """A rebalance ended: begin anew with what is committed."""
        self._places = {partition.partition: Place() for partition in assigned}
        self.has_joined = True
        for number in self._places:
            self._consumer.backlog.assign(self._route.group, self._route.topic.name, number)

    async def until_idle(self, timeout_seconds: float) -> None:
        """Return when the turn in hand is over; TimeoutError after that."""
        async with asyncio.timeout(timeout_seconds), self._turns:
            pass

    def leave_later(self) -> None:
        """Leave the group once the turn in hand is over."""
        self._leaving = asyncio.create_task(self._leave(), name=f"{self._route.group} leaves")

    async def end(self) -> None:
        """Give up the turn in hand, if it still goes on, and wake up no more. The broker's stop leaves the group."""
        self._stop_timer()
        tasks = [task for task in (self._working, self._due_turn) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._leaving is not None:
            await self._leaving

    async def _leave(self) -> None:
        async with self._turns:
            self._stop_timer()
        with contextlib.suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                await self.subscriber.stop()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _parse(self, consumed: tuple[Any, ...]) -> KafkaMessage:
        """In place of FastStream's parsing, which decodes headers and fails on those that are no text."""
        self._polled = self._places
        return KafkaAckableMessage(
            body=b"", raw_message=consumed, message_id=str(consumed[0].offset), consumer=self._client
        )


async def _as_it_is(message: KafkaMessage) -> KafkaMessage:
    """In place of FastStream's decoding: the handler gets the poll as it is."""
    return message
