"""One consumer group on one topic in the embedded runtime: its members work in turns.

A turn fetches up to `in_flight` messages over the member's partitions, handles them, and commits all their outputs and
the offsets in one transaction. A message that must wait parks its partition (ordered) or itself (unordered); the turn
does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest

from shared.errors import RetryableError
from shared.runtime.delivery import Again, Courier, Finished, Halt, Verdict, backoff_seconds
from shared.runtime.embedded.log import EmbeddedLog, Mark, Progress
from shared.runtime.records import Record, Stored
from shared.runtime.service import Fault, RetryPolicy, Route
from shared.runtime.turns import Held, Turn

_COMMIT_WAITS = RetryPolicy(wait_seconds_max=5.0)


@dataclass(slots=True)
class Partition:
    """Where a member stands in one of its partitions."""

    number: int
    committed: Mark
    end: Mark
    held: dict[int, Held] = field(default_factory=dict)
    finished: dict[int, int] = field(default_factory=dict)
    """Offset -> body bytes of messages committed ahead of a held one (unordered). A crash delivers them again."""

    @property
    def bytes_behind(self) -> int:
        """Bytes of the bodies not committed yet."""
        return self.end.bytes - self.committed.bytes

    def ready(self, route: Route, now: float) -> list[int]:
        """Offsets that may be handled now, in order, out of the `in_flight` that follow the committed one."""
        offsets: list[int] = []
        for offset in range(self.committed.offset, min(self.end.offset, self.committed.offset + route.in_flight)):
            if (held := self.held.get(offset)) and held.due > now:
                if route.ordered:
                    break
            elif offset not in self.finished:
                offsets.append(offset)
        return offsets

    def progress(self) -> Progress:
        """The step over all that is finished without a gap."""
        offset, body_bytes = self.committed.offset, 0
        while offset in self.finished:
            body_bytes += self.finished[offset]
            offset += 1
        return Progress(offset, body_bytes)

    def advance(self, step: Progress) -> None:
        """The step is committed."""
        for offset in range(self.committed.offset, step.next_offset):
            del self.finished[offset]
        self.committed = Mark(step.next_offset, self.committed.bytes + step.body_bytes)


class Consumer:
    """All members of one route in this process."""

    def __init__(
        self, service: str, route: Route, log: EmbeddedLog, courier: Courier, commit_attempts_max: int
    ) -> None:
        self.service = service
        self.route = route
        self.log = log
        self.courier = courier
        self.commit_attempts_max = commit_attempts_max
        self.partitions: dict[int, Partition] = {}
        self.members: list[Member] = []
        self.fault: Fault | None = None
        self.stopping = False
        self.committed = asyncio.Event()
        """Set at each commit; whoever waits for room clears it."""

    async def assign(self, member_count: int, ends: Mapping[int, Mark]) -> None:
        """Register the group and share the partitions out."""
        marks = await self.log.register(self.route.group, self.route.topic.name)
        self.partitions = {number: Partition(number, mark, ends[number]) for number, mark in marks.items()}
        owned = list(self.partitions.values())
        self.members = [Member(self, owned[index::member_count]) for index in range(min(member_count, len(owned)))]

    def announce(self, ends: Mapping[int, Mark]) -> None:
        """Take over new ends of partitions and wake the members that own them."""
        for member in self.members:
            member.announce(ends)

    def bytes_behind(self) -> int:
        """Bytes published and not yet committed by this group."""
        return sum(partition.bytes_behind for partition in self.partitions.values())

    def stop(self) -> None:
        """Let every member end after what it is handling."""
        self.stopping = True
        for member in self.members:
            member.wake.set()

    def halt(self, fault: Fault) -> None:
        """Stop on a fault; the first one is shown."""
        self.fault = self.fault or fault
        self.stop()


class Member:
    """One task that owns some partitions of a consumer."""

    def __init__(self, consumer: Consumer, partitions: Sequence[Partition]) -> None:
        self._consumer = consumer
        self._route = consumer.route
        self._partitions = {partition.number: partition for partition in partitions}
        self._first = 0
        self.wake = asyncio.Event()

    def announce(self, ends: Mapping[int, Mark]) -> None:
        """Take over new ends of own partitions and wake up for them."""
        for number in ends.keys() & self._partitions.keys():
            partition = self._partitions[number]
            if ends[number].offset > partition.end.offset:
                partition.end = ends[number]
                self.wake.set()

    async def run(self) -> None:
        """Turn after turn until the consumer stops. A fault of the log or of the runtime halts it."""
        try:
            while not self._consumer.stopping:
                self.wake.clear()
                if wanted := self._wanted():
                    await self._turn(wanted)
                else:
                    await self._wait()
        except Exception as error:
            self._consumer.halt(self._consumer.courier.fault(self._consumer.service, self._route, error))

    def _wanted(self) -> list[tuple[int, int]]:
        """(number, offset) of up to `in_flight` messages, evenly over the partitions, each time another first."""
        now = time.monotonic()
        partitions = list(self._partitions.values())
        self._first = (self._first + 1) % len(partitions)
        turned = partitions[self._first :] + partitions[: self._first]
        ready = [[(partition.number, offset) for offset in partition.ready(self._route, now)] for partition in turned]
        evenly = chain.from_iterable(zip_longest(*ready))
        return list(islice((place for place in evenly if place is not None), self._route.in_flight))

    async def _wait(self) -> None:
        dues = [held.due for partition in self._partitions.values() for held in partition.held.values()]
        seconds = max(0.0, min(dues) - time.monotonic()) if dues else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wake.wait()

    async def _turn(self, wanted: Sequence[tuple[int, int]]) -> None:
        by_partition: dict[int, list[Stored]] = {}
        messages = self._consumer.log.read(wanted)
        if len(messages) != len(wanted):
            raise RuntimeError(f"The log lost {len(wanted) - len(messages)} messages of {self._route.topic.name}.")
        for (number, _), stored in zip(wanted, messages, strict=True):
            by_partition.setdefault(number, []).append(stored)
        records: list[Record] = []
        turn = Turn(
            self._consumer.service,
            self._route,
            self._consumer.courier,
            held=lambda number, stored: self._partitions[number].held.get(stored.offset),
            settle=lambda number, stored, verdict: self._settle(self._partitions[number], stored, verdict, records),
            is_stopping=lambda: self._consumer.stopping,
        )
        await turn.handle(by_partition)
        await self._commit([self._partitions[number] for number in by_partition], records)

    def _settle(self, partition: Partition, stored: Stored, verdict: Verdict, records: list[Record]) -> None:
        match verdict:
            case Finished():
                partition.held.pop(stored.offset, None)
                partition.finished[stored.offset] = len(stored.body)
                records.extend(verdict.records)
            case Again():
                partition.held[stored.offset] = Held(time.monotonic() + verdict.wait_seconds, verdict.tries)
            case Halt():
                self._consumer.halt(verdict.fault)

    async def _commit(self, partitions: Sequence[Partition], records: Sequence[Record]) -> None:
        steps = {partition.number: partition.progress() for partition in partitions}
        moved = {
            partition.number: steps[partition.number]
            for partition in partitions
            if steps[partition.number].next_offset > partition.committed.offset
        }
        if not moved and not records:
            return
        await self._commit_durably(records, moved)
        for number, step in moved.items():
            self._partitions[number].advance(step)
        self._consumer.committed.set()

    async def _commit_durably(self, records: Sequence[Record], moved: Mapping[int, Progress]) -> None:
        """Commit, trying again while the disk or another process is in the way. The handlers' work stays valid."""
        consumer = self._consumer
        for attempt in range(1, consumer.commit_attempts_max + 1):
            try:
                await consumer.log.commit(self._route.group, records, moved)
                return
            except RetryableError:
                if attempt == consumer.commit_attempts_max:
                    raise
                await asyncio.sleep(backoff_seconds(_COMMIT_WAITS, attempt, consumer.courier.chance))
