"""A runtime that is as nasty as at-least-once delivery allows, in memory and the same for the same seed.

It works in rounds. Each round picks some of the messages that may be delivered (forwards, backwards or at random, from
several members at once), handles them at the same time, and commits the outcomes in random order. On the way it

- delays messages for some rounds, so that partitions overtake each other,
- delivers messages again, at once or much later, to the same or (unordered) to two members at the same time,
- loses commits, as a crash does: the outputs are gone, or sent although the offset was not committed (as on Kafka),
- and where it is asked to, loses messages of some topics, as a topic does whose records were deleted before their time.

What it keeps: nothing else is lost; on ordered routes messages of one partition are handled one after the other in
their order, except that it may go back and repeat earlier ones, in order. Deterministic as long as the handlers are.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shared.errors import RetryableError
from shared.messages.envelope import Outgoing, Topic
from shared.messages.topics import TOPICS
from shared.runtime import DeadLetter, DeadLetterFilter, Fault, Lag, Route, Service
from shared.runtime.dead_letters import dead_letter_of
from shared.runtime.delivery import Again, Courier, Finished, Halt, Tries, Verdict
from shared.runtime.records import Encoder, Record, Stored

_START = 1_800_000_000.0
_ROUND_SECONDS = 0.05


@dataclass(frozen=True)
class Nastiness:
    """How much of everything; shares are probabilities per delivery."""

    repeat_share: float = 0.15
    lost_commit_share: float = 0.1
    repeats_max: int = 300
    """Repeats and lost commits together. A repeated acknowledgement sends messages again, which breed repeats in turn:
    without a bound an import would never end."""
    delay_rounds_max: int = 4
    losable: frozenset[str] = frozenset()
    """Topics that lose messages, until each has lost `lost_max`."""
    lost_share: float = 0.34
    lost_max: int = 3


@dataclass
class _Cursor:
    """Where a group stands in one partition."""

    next_offset: int = 0
    finished: set[int] = field(default_factory=set)
    """Handled beyond `next_offset` (unordered)."""
    tries: dict[int, Tries] = field(default_factory=dict)
    due: dict[int, float] = field(default_factory=dict)
    repeats: list[int] = field(default_factory=list)
    """Offsets to deliver once more (unordered)."""


@dataclass
class _Group:
    """One route of one service."""

    service: str
    route: Route
    members: int
    cursors: list[_Cursor]
    fault: Fault | None = None


@dataclass(frozen=True)
class _Choice:
    """One delivery of a round."""

    group: _Group
    partition: int
    offset: int
    is_repeat: bool = False


class AdversarialRuntime:
    """Implements `Runtime`; handlers run only in `run_until_idle`. The same seed gives the same run."""

    def __init__(
        self,
        seed: int,
        *,
        topics: Sequence[Topic] = TOPICS,
        partition_count: int = 12,
        nastiness: Nastiness | None = None,
    ) -> None:
        self.deliveries = 0
        self.repeats = 0
        self.lost: Counter[str] = Counter()
        """Messages lost so far, by topic."""
        self._chance = random.Random(seed)
        self._nastiness = nastiness or Nastiness()
        self._now = _START
        self._ids = 0
        self._partition_count = partition_count
        self._encoder = Encoder({topic.name: topic for topic in topics}, partition_count, lambda: self._now, self._id)
        self._courier = Courier(self._encoder, lambda: self._now, self._chance)
        self._services: list[Service] = []
        self._groups: list[_Group] = []
        self._log: dict[tuple[str, int], list[Stored]] = {}
        self._visible_at: dict[tuple[str, int], list[float]] = {}
        self._is_running = False

    def add(self, service: Service, members: int = 1) -> None:
        """See `Runtime.add`."""
        self._services.append(service)
        for route in service.routes:
            cursors = [_Cursor() for _ in range(self._partition_count)]
            self._groups.append(_Group(service.name, route, members, cursors))

    async def start(self) -> None:
        """See `Runtime.start`; consuming begins with `run_until_idle`."""
        self._is_running = True
        for service in self._services:
            if service.start is not None:
                await service.start()

    async def stop(self, timeout_seconds: float = 30.0) -> None:
        """See `Runtime.stop`."""
        self._is_running = False
        for service in self._services:
            if service.stopping is not None:
                await service.stopping()
        for service in reversed(self._services):
            if service.stop is not None:
                await service.stop()

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """See `Runtime.publish`. It never waits."""
        if not self._is_running:
            raise RetryableError("The runtime is not running. Nothing was sent.")
        self._append([self._encoder.encode(message) for message in messages])

    async def lag(self) -> list[Lag]:
        """See `Runtime.lag`."""
        return [
            Lag(
                group.route.topic.name,
                group.route.group,
                partition,
                cursor.next_offset,
                len(self._kept(group, partition)),
            )
            for group in self._groups
            for partition, cursor in enumerate(group.cursors)
        ]

    def faults(self) -> list[Fault]:
        """See `Runtime.faults`."""
        return [group.fault for group in self._groups if group.fault is not None]

    async def dead_letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """See `Runtime.dead_letters`."""
        letters = (
            dead_letter_of(stored)
            for (topic, _), kept in sorted(self._log.items())
            if topic.endswith(".dlq")
            for stored in kept
        )
        return [letter for letter in letters if wanted.matches(letter)][: wanted.count_max]

    async def replay(self, wanted: DeadLetterFilter) -> int:
        """See `Runtime.replay`."""
        letters = await self.dead_letters(wanted)
        self._append([letter.original(self._partition_count) for letter in letters])
        return len(letters)

    async def run_until_idle(self, rounds_max: int = 1_000_000) -> None:
        """Deliver until every group that did not stop has committed everything. RuntimeError if that does not end."""
        for _ in range(rounds_max):
            choices = self._choose()
            if choices:
                await self._round(choices)
            elif not self._skip_to_next_due():
                return
            self._now += _ROUND_SECONDS
        raise RuntimeError(f"Still not idle after {rounds_max} rounds: messages breed messages.")

    async def _round(self, choices: Sequence[_Choice]) -> None:
        self.deliveries += len(choices)
        verdicts = await asyncio.gather(*(self._deliver(choice) for choice in choices))
        outcomes = list(zip(choices, verdicts, strict=True))
        self._chance.shuffle(outcomes)
        for choice, verdict in outcomes:
            self._settle(choice, verdict)

    async def _deliver(self, choice: _Choice) -> Verdict:
        # Members start at different moments: some let others go first.
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        group, cursor = choice.group, choice.group.cursors[choice.partition]
        stored = self._kept(group, choice.partition)[choice.offset]
        tries = cursor.tries.get(choice.offset, Tries())
        return await self._courier.deliver(group.service, group.route, stored, tries)

    def _settle(self, choice: _Choice, verdict: Verdict) -> None:
        group, cursor = choice.group, choice.group.cursors[choice.partition]
        match verdict:
            case Finished():
                is_lost = not choice.is_repeat and self._happens(self._nastiness.lost_commit_share)
                # A crash before the commit: either nothing went out, or everything did and it will once more.
                if not is_lost or self._chance.random() < 0.5:
                    self._append(verdict.records)
                if not is_lost and not choice.is_repeat:
                    self._commit(group, cursor, choice.offset)
            case Again():
                if not choice.is_repeat:
                    cursor.tries[choice.offset] = verdict.tries
                    cursor.due[choice.offset] = self._now + verdict.wait_seconds
            case Halt():
                group.fault = group.fault or verdict.fault

    def _commit(self, group: _Group, cursor: _Cursor, offset: int) -> None:
        cursor.tries.pop(offset, None)
        cursor.due.pop(offset, None)
        cursor.finished.add(offset)
        while cursor.next_offset in cursor.finished:
            cursor.finished.remove(cursor.next_offset)
            cursor.next_offset += 1
        if not self._happens(self._nastiness.repeat_share):
            return
        if group.route.ordered:
            # As after a lost member: go back and come forward again in order.
            cursor.next_offset = max(0, cursor.next_offset - self._chance.randint(1, 3))
        else:
            cursor.repeats.append(self._chance.randint(max(0, offset - 20), offset))

    def _happens(self, share: float) -> bool:
        if self.repeats >= self._nastiness.repeats_max or self._chance.random() >= share:
            return False
        self.repeats += 1
        return True

    def _choose(self) -> list[_Choice]:
        """The deliveries of this round."""
        chosen: list[_Choice] = []
        for group in self._groups:
            if group.fault is not None:
                continue
            ready = list(self._ready(group))
            repeats = list(self._taken_repeats(group))
            match self._chance.randrange(3):
                case 0:
                    ready.reverse()
                case 1:
                    self._chance.shuffle(ready)
            size = self._chance.randint(1, group.members * group.route.in_flight)
            chosen += ready[:size] + repeats
        self._chance.shuffle(chosen)
        # Not every group gets a turn in every round.
        return chosen[: self._chance.randint(1, len(chosen))] if chosen else chosen

    def _ready(self, group: _Group) -> Iterator[_Choice]:
        for partition, cursor in enumerate(group.cursors):
            visible_at = self._visible_at.get((group.route.topic.name, partition), [])
            window = 1 if group.route.ordered else group.route.in_flight
            for offset in range(cursor.next_offset, min(len(visible_at), cursor.next_offset + window)):
                is_due = max(visible_at[offset], cursor.due.get(offset, 0.0)) <= self._now
                if is_due and offset not in cursor.finished:
                    yield _Choice(group, partition, offset)

    def _taken_repeats(self, group: _Group) -> Iterator[_Choice]:
        """Repeats whose time has come: each has an even chance in each round, and goes beside whatever else goes."""
        for partition, cursor in enumerate(group.cursors):
            for offset in list(cursor.repeats):
                if self._chance.random() < 0.5:
                    cursor.repeats.remove(offset)
                    yield _Choice(group, partition, offset, is_repeat=True)

    def _skip_to_next_due(self) -> bool:
        """Let time pass until something may be delivered; False if nothing ever will be."""
        moments = [
            max(visible_at, cursor.due.get(offset, 0.0))
            for group in self._groups
            if group.fault is None
            for partition, cursor in enumerate(group.cursors)
            for offset, visible_at in enumerate(self._visible_at.get((group.route.topic.name, partition), []))
            if offset >= cursor.next_offset and offset not in cursor.finished
        ]
        has_repeats = any(cursor.repeats for group in self._groups for cursor in group.cursors if group.fault is None)
        if moments:
            self._now = max(self._now, min(moments))
        return bool(moments) or has_repeats

    def _append(self, records: Sequence[Record]) -> None:
        for record in records:
            if self._is_lost(record.topic):
                continue
            place = (record.topic, record.partition)
            kept = self._log.setdefault(place, [])
            kept.append(
                Stored(record.topic, record.partition, record.key, record.headers, record.body, offset=len(kept))
            )
            delay = self._chance.randint(0, self._nastiness.delay_rounds_max) * _ROUND_SECONDS
            self._visible_at.setdefault(place, []).append(self._now + delay)

    def _is_lost(self, topic: str) -> bool:
        nastiness = self._nastiness
        if topic not in nastiness.losable or self.lost[topic] >= nastiness.lost_max:
            return False
        is_lost = self._chance.random() < nastiness.lost_share
        self.lost[topic] += is_lost
        return is_lost

    def _kept(self, group: _Group, partition: int) -> list[Stored]:
        return self._log.get((group.route.topic.name, partition), [])

    def _id(self) -> str:
        self._ids += 1
        return f"m{self._ids}"
