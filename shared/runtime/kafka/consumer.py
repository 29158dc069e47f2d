"""One consumer group on one topic in this process: its members are FastStream batch subscribers that work in turns.

A turn is what one poll gave: up to `in_flight` messages over the member's partitions. Its outputs are sent and
confirmed, then the offsets of what is finished are committed, by partition and explicitly. A message that must wait
parks its partition (ordered: paused and read again when it is due) or itself (unordered: those behind it go on).

FastStream's policy is NACK_ON_ERROR: should anything here raise, nothing of the turn is acknowledged.
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
from faststream.message import AckStatus

from shared.errors import RetryableError
from shared.runtime.delivery import Again, Courier, Finished, Halt, Verdict
from shared.runtime.kafka.backlog import Backlog
from shared.runtime.kafka.places import Place
from shared.runtime.kafka.settings import KafkaSettings
from shared.runtime.kafka.wire import Wire
from shared.runtime.records import Record, Stored
from shared.runtime.service import Fault, Route
from shared.runtime.turns import Held, Turn

Send = Callable[[Sequence[Record]], Awaitable[None]]
"""Sends records; on return all are confirmed. RetryableError where that took too long."""

LEAVE_SECONDS_MAX = 10.0
"""For telling the group; should the brokers be away it finds out by itself."""

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
        """Let every member end after what it is handling."""
        self.stopping = True

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
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None
        self.idle = asyncio.Event()
        """Set while no turn is in hand."""
        self.idle.set()
        self.subscriber = broker.subscriber(
            consumer.wire_topic,
            group_id=consumer.wire.name(consumer.route.group),
            batch=True,
            max_records=consumer.route.in_flight,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            listener=self,
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
        if self._consumer.stopping:
            message.committed = AckStatus.ACKED  # as far as FastStream is concerned; nothing is committed
            return
        self.idle.clear()
        try:
            await self._turn(message.raw_message)
        except Exception as error:
            self._consumer.halt(self._consumer.courier.fault(self._consumer.service, self._route, error))
            raise
        finally:
            self.idle.set()
        message.committed = AckStatus.ACKED

    async def _turn(self, consumed: Iterable[Any]) -> None:
        places = dict(self._places)
        verdicts: list[tuple[int, Stored, Verdict]] = []
        turn = Turn(
            self._consumer.service,
            self._route,
            self._consumer.courier,
            held=lambda number, stored: places[number].held.get(stored.offset),
            settle=lambda number, stored, verdict: verdicts.append((number, stored, verdict)),
            is_stopping=lambda: self._consumer.stopping,
        )
        await turn.handle(self._ready(consumed, places))
        try:
            outputs = [
                record for *_, verdict in verdicts if isinstance(verdict, Finished) for record in verdict.records
            ]
            await self._consumer.send(outputs)
        except RetryableError as error:
            _log.warning("turn_taken_back", topic=self._route.topic.name, group=self._route.group, reason=error.message)
            self._rewind(places)
            return
        for number, stored, verdict in verdicts:
            self._settle(places[number], stored, verdict)
        await self._commit(places)
        self._arrange(places)

    def _ready(self, consumed: Iterable[Any], places: dict[int, Place]) -> dict[int, list[Stored]]:
        """The messages that may be handled now, by partition."""
        fetched: dict[int, list[Stored]] = {}
        for record in consumed:
            fetched.setdefault(record.partition, []).append(self._consumer.wire.stored(record))
        now = time.monotonic()
        ready: dict[int, list[Stored]] = {}
        for number, messages in fetched.items():
            # A poll may return what a rebalance has just taken away; then it is somebody else's.
            if (place := places.get(number)) is not None and (
                chosen := place.ready(messages, now, ordered=self._route.ordered)
            ):
                ready[number] = chosen
        return ready

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
            places[number].commit(offset)
            self._consumer.backlog.committed(self._route.group, self._route.topic.name, number, offset)

    # ---- waiting ----------------------------------------------------------------------------------------------

    def _arrange(self, places: Mapping[int, Place]) -> None:
        """Pause what must wait, read again what was read too far, and wake up when the next message is due."""
        for number, place in places.items():
            if not self._is_mine(number, place):
                continue
            if self._route.ordered and place.held:
                self._seek(number, place.rewind())
                self._pause(number)
            elif place.held and place.width() >= self._route.in_flight:
                self._pause(number)
        self._wake_when_due()

    def _rewind(self, places: Mapping[int, Place]) -> None:
        """Read everything that is not finished again."""
        for number, place in places.items():
            if self._is_mine(number, place) and place.position >= 0:
                self._seek(number, place.rewind())
        self._wake_when_due()

    def _wake_when_due(self) -> None:
        """Set the timer to the first message that waits."""
        self._stop_timer()
        dues = [due for place in self._places.values() if (due := place.next_due()) is not None]
        if dues and not self._consumer.stopping:
            wait = max(0.0, min(dues) - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._read_due)

    def _read_due(self) -> None:
        """Read the messages whose wait is over again."""
        if not self.idle.is_set():
            return  # the turn in hand sets the timer again at its end
        now = time.monotonic()
        for number, place in self._places.items():
            if (offset := place.ask(now)) is not None:
                self._seek(number, offset)
                self._resume(number)
        self._wake_when_due()

    def _seek(self, number: int, offset: int) -> None:
        self._client.seek(self._partition(number), offset)

    def _pause(self, number: int) -> None:
        self._client.pause(self._partition(number))

    def _resume(self, number: int) -> None:
        self._client.resume(self._partition(number))

    def _partition(self, number: int) -> TopicPartition:
        return TopicPartition(self._consumer.wire_topic, number)

    def _is_mine(self, number: int, place: Place) -> bool:
        """Whether a rebalance has left this very place with us."""
        return self._places.get(number) is place

    # ---- group ------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """A rebalance begins: let the turn in hand end and commit, so that nobody does its work again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._consumer.settings.revoke_wait_seconds_max):
                await self.idle.wait()
        for partition in revoked:
            self._places.pop(partition.partition, None)
            self._consumer.backlog.forget(self._route.group, self._route.topic.name, partition.partition)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """A rebalance ended: begin anew with what is committed."""
        self._places = {partition.partition: Place() for partition in assigned}
        self.has_joined = True
        for number in self._places:
            self._consumer.backlog.assign(self._route.group, self._route.topic.name, number)

    def leave_later(self) -> None:
        """Leave the group once the turn in hand is over."""
        self._leaving = asyncio.create_task(self._leave(), name=f"{self._route.group} leaves")

    async def leave(self) -> None:
        """Wake up no more, and let a leaving that has begun end. The broker's stop does the rest."""
        self._stop_timer()
        if self._leaving is not None:
            await self._leaving

    async def _leave(self) -> None:
        await self.idle.wait()
        self._stop_timer()
        with contextlib.suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                await self.subscriber.stop()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _as_it_is(message: KafkaMessage) -> KafkaMessage:
    """In place of FastStream's decoding: the handler gets the poll as it is."""
    return message
