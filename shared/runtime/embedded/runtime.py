"""The embedded runtime: all services as tasks of one process on the SQLite log."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shared.errors import RetryableError
from shared.messages.envelope import Clock, Outgoing, Topic
from shared.messages.topics import TOPICS, dead_letter_topic
from shared.runtime import dead_letters, fail_points
from shared.runtime.dead_letters import DeadLetter, DeadLetterFilter
from shared.runtime.declared import DeclaredServices
from shared.runtime.delivery import Courier, Observer
from shared.runtime.embedded.consumer import Consumer
from shared.runtime.embedded.log import EmbeddedLog, Mark, TopicSpec
from shared.runtime.embedded.retention import expire
from shared.runtime.embedded.settings import EmbeddedSettings
from shared.runtime.records import Encoder, random_id
from shared.runtime.service import Fault, Lag, Service, not_running, too_far_behind


class EmbeddedRuntime:
    """Implements `shared.runtime.service.Runtime` on one SQLite file; see there for what it guarantees.

    Only one process may run a group; the caller holds the lock on the data directory. `topics` is the registry: what is
    not in it cannot be published. ConfigurationError at `start` where the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        topics: Sequence[Topic] = TOPICS,
        settings: EmbeddedSettings | None = None,
        clock: Clock = time.time,
        chance: random.Random | None = None,
        new_id: Callable[[], str] = random_id,
        observer: Observer | None = None,
    ) -> None:
        self._path = path
        self._topics = {topic.name: topic for topic in topics}
        self._settings = settings or EmbeddedSettings()
        self._clock = clock
        self._encoder = Encoder(self._topics, self._settings.partition_count, clock, new_id)
        self._courier = Courier(self._encoder, clock, chance or random.Random(), observer)
        self._services = DeclaredServices(self._topics)
        self._open = contextlib.AsyncExitStack()
        """What `stop` closes, the last opened first: the services, then the log."""
        self._consumers: list[Consumer] = []
        self._members: list[asyncio.Task[None]] = []
        self._upkeep: list[asyncio.Task[None]] = []
        self._upkeep_faults: list[Fault] = []
        self._log: EmbeddedLog | None = None

    def add(self, service: Service, members: int = 1) -> None:
        """See `Runtime.add`. ValueError for a topic outside the registry, a topic read twice, or no member."""
        self._services.add(service, members)

    async def start(self) -> None:
        """See `Runtime.start`."""
        fail_points.check_setting()
        self._log = EmbeddedLog(self._path, self._settings.synchronous, self._clock)
        self._open.push_async_callback(self._close_log)
        try:
            await self._log.create(self._topic_specs())
            self._log.on_appended = self._announce
            await self._assign()
            await self._services.start(self._open)
        except BaseException:
            await self.stop()
            raise
        self._members = [
            asyncio.create_task(member.run(), name=f"{consumer.route.group}-{index}")
            for consumer in self._consumers
            for index, member in enumerate(consumer.members)
        ]
        self._upkeep_faults = []
        self._upkeep = [asyncio.create_task(self._follow_others()), asyncio.create_task(self._expire_regularly())]
        for task in self._upkeep:
            task.add_done_callback(self._note_end)

    async def stop(self, timeout_seconds: float = 30.0) -> None:
        """See `Runtime.stop`. Everything is closed also when a stop hook raises; its error comes out at the end."""
        for consumer in self._consumers:
            consumer.stop()
        await self._services.stopping()
        if self._members:
            _, late = await asyncio.wait(self._members, timeout=timeout_seconds)
            await _cancel(late)
        await _cancel(self._upkeep)
        self._members, self._upkeep = [], []
        await self._open.aclose()
        self._consumers = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """See `Runtime.publish`. All or none is stored. It waits only while this runtime consumes."""
        records = [self._encoder.encode(message) for message in messages]
        for topic in {record.topic for record in records}:
            await self._wait_for_room(topic)
        await self._open_log().append(records)

    async def lag(self) -> list[Lag]:
        """See `Runtime.lag`; also groups of which no consumer runs here: they hold messages too."""
        return await self._open_log().lag()

    def faults(self) -> list[Fault]:
        """See `Runtime.faults`."""
        return [consumer.fault for consumer in self._consumers if consumer.fault is not None] + self._upkeep_faults

    async def dead_letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """See `Runtime.dead_letters`."""
        return await self._open_log().dead_letters(wanted)

    async def replay(self, wanted: DeadLetterFilter) -> int:
        """See `Runtime.replay`."""
        letters = await self.dead_letters(wanted)
        await self._open_log().append([letter.original(self._settings.partition_count) for letter in letters])
        return len(letters)

    async def expire(self) -> int:
        """Delete now what is old and committed by every group (it is done regularly too); returns how many messages."""
        return await expire(self._open_log(), self._clock())

    async def _close_log(self) -> None:
        log, self._log = self._open_log(), None
        await log.close()

    def _open_log(self) -> EmbeddedLog:
        if self._log is None:
            raise not_running()
        return self._log

    def _topic_specs(self) -> list[TopicSpec]:
        count = self._settings.partition_count
        own = [TopicSpec(topic.name, count, topic.retention_hours) for topic in self._topics.values()]
        letters = {dead_letter_topic(route.topic.name, route.group) for route in self._services.routes()}
        return own + [TopicSpec(name, 1, dead_letters.RETENTION_HOURS) for name in sorted(letters)]

    async def _assign(self) -> None:
        log = self._open_log()
        ends = await log.ends()
        for declared in self._services:
            for route in declared.service.routes:
                consumer = Consumer(
                    declared.service.name, route, log, self._courier, self._settings.commit_attempts_max
                )
                await consumer.assign(declared.members_of(route), ends)
                self._consumers.append(consumer)

    def _announce(self, ends: Mapping[int, Mark]) -> None:
        for consumer in self._consumers:
            consumer.announce(ends)

    async def _wait_for_room(self, topic: str) -> None:
        readers = [consumer for consumer in self._consumers if consumer.route.topic.name == topic and self._members]
        seconds = self._settings.publish_wait_seconds_max
        try:
            async with asyncio.timeout(seconds):
                for reader in readers:
                    while reader.bytes_behind() > self._settings.backlog_bytes_max:
                        reader.committed.clear()
                        await reader.committed.wait()
        except TimeoutError:
            raise too_far_behind(topic, seconds) from None

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Upkeep ends by cancellation only; anything else is shown."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        name = type(error).__name__
        step = "Restart the hub. Until then old messages are kept and those of other processes are not noticed."
        self._upkeep_faults.append(Fault("runtime", "", "", None, None, name, str(error), step, self._clock()))

    async def _follow_others(self) -> None:
        """Announce what other processes published. `data_version` of an own connection changes with every commit."""
        log = self._open_log()
        with contextlib.closing(log.watch()) as watch:
            while True:
                await asyncio.sleep(self._settings.poll_seconds)
                if watch.changed():
                    with contextlib.suppress(RetryableError):
                        self._announce(await log.ends())

    async def _expire_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._settings.retention_interval_seconds)
            # A full disk or a busy file passes; the next round tries again.
            with contextlib.suppress(RetryableError):
                await self.expire()


async def _cancel(tasks: Sequence[asyncio.Task[None]] | set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
