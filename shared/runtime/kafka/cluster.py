"""What is asked of the cluster besides consuming and producing: topics, lag, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.runtime.dead_letters import DeadLetter, DeadLetterFilter, dead_letter_of
from shared.runtime.kafka.settings import FETCH_BYTES_MAX, KafkaSettings
from shared.runtime.kafka.topics import Topics
from shared.runtime.kafka.wire import Wire
from shared.runtime.service import Lag

OWN_GROUPS = "hub."
"""How the names of our groups begin, behind the prefix: others on the cluster are none of our business."""

_POLL_MS = 500


class Cluster:
    """An admin client and a consumer outside all groups. The library's KafkaErrors come out as they are."""

    def __init__(self, settings: KafkaSettings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect. What was opened is closed again where that fails."""
        try:
            self._admin = AIOKafkaAdminClient(**self._settings.for_connection())
            await self._admin.start()
            self._reader = self._new_reader()
            await self._reader.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Disconnect. Calling it again does nothing."""
        if self._reader is not None:
            # Stopped right after its start, aiokafka's consumer answers with the cancellation of its own task.
            await asyncio.gather(self._reader.stop(), return_exceptions=True)
        if self._admin is not None:
            await self._admin.close()
        self._admin = self._reader = None

    @property
    def topics(self) -> Topics:
        """The cluster's topics."""
        return Topics(self._started_admin, self._settings, self._wire)

    async def lag(self, declared: Iterable[tuple[str, str]]) -> list[Lag]:
        """Where groups stand: these (topic, group) pairs, and every other one that has committed something."""
        committed = {group: await self._committed(group) for group in await self._groups()}
        readings = set(declared)
        readings |= {(topic, group) for group, offsets in committed.items() for topic, _ in offsets}
        partitions = await self._partitions({topic for topic, _ in readings})
        reader = self._started_reader
        first = await reader.beginning_offsets(partitions) if partitions else {}
        end = await reader.end_offsets(partitions) if partitions else {}
        return [
            Lag(
                topic,
                group,
                place.partition,
                # What was deleted meanwhile cannot be handled any more, and a new group starts with the oldest kept.
                max(committed.get(group, {}).get((topic, place.partition), 0), first[place]),
                end[place],
            )
            for topic, group in sorted(readings)
            for place in sorted(partitions)
            if place.topic == self._wire.name(topic)
        ]

    async def dead_letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """The dead letters that match, oldest first within a topic."""
        found: list[DeadLetter] = []
        for name in sorted(await self._started_admin.list_topics()):
            if not self._wire.is_own_dead_letters(name):
                continue
            found += await self._read_letters(TopicPartition(name, 0), wanted, wanted.count_max - len(found))
            if len(found) >= wanted.count_max:
                break
        return found

    async def _read_letters(self, place: TopicPartition, wanted: DeadLetterFilter, count_max: int) -> list[DeadLetter]:
        """A reader of its own: the shared one is asked for offsets at the same time."""
        reader = self._new_reader()
        await reader.start()
        try:
            reader.assign([place])
            end = (await reader.end_offsets([place]))[place]
            reader.seek(place, (await reader.beginning_offsets([place]))[place])
            found: list[DeadLetter] = []
            while await reader.position(place) < end and len(found) < count_max:
                for consumed in (await reader.getmany(place, timeout_ms=_POLL_MS)).get(place, []):
                    letter = dead_letter_of(self._wire.stored(consumed))
                    if wanted.matches(letter):
                        found.append(letter)
            return found[:count_max]
        finally:
            await reader.stop()

    async def _groups(self) -> list[str]:
        """Our names of the groups that the cluster knows."""
        groups = [self._wire.own_name(group[0]) for group in await self._started_admin.list_consumer_groups()]
        return [group for group in groups if group is not None and group.startswith(OWN_GROUPS)]

    async def _committed(self, group: str) -> dict[tuple[str, int], int]:
        """(topic, partition) -> committed offset, of our topics."""
        offsets = await self._started_admin.list_consumer_group_offsets(self._wire.name(group))
        return {
            (topic, place.partition): int(known.offset)
            for place, known in offsets.items()
            if known.offset >= 0 and (topic := self._wire.own_name(place.topic) or "") in self._wire.topics
        }

    async def _partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        names = sorted(self._wire.name(topic) for topic in topics)
        present = sorted(set(await self._started_admin.list_topics()) & set(names)) if names else []
        described = await self._started_admin.describe_topics(present) if present else []
        return [TopicPartition(topic["topic"], p["partition"]) for topic in described for p in topic["partitions"]]

    def _new_reader(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            **self._settings.for_connection(),
        )

    @property
    def _started_admin(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            raise RuntimeError("the cluster's clients are not started")
        return self._admin

    @property
    def _started_reader(self) -> AIOKafkaConsumer:
        if self._reader is None:
            raise RuntimeError("the cluster's clients are not started")
        return self._reader
