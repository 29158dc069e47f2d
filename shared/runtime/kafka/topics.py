"""The topics of the registry on a cluster: made, looked at, checked before anything is consumed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.errors import ConfigurationError, RetryableError
from shared.messages.envelope import Topic
from shared.messages.topics import DEAD_LETTER_SUFFIX, consumer_group, dead_letter_topic
from shared.runtime import dead_letters
from shared.runtime.kafka.settings import KafkaSettings
from shared.runtime.kafka.wire import Wire
from shared.runtime.records import BODY_BYTES_MAX

MESSAGE_BYTES_MAX = 2 * BODY_BYTES_MAX
"""`max.message.bytes` of our topics: Kafka's own default is 1 MiB with headers, and a body alone may have that."""

LEADERS_SECONDS_MAX = 30.0
"""For the cluster to choose leaders of new partitions; usually well under a second."""

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class TopicSpec:
    """What a topic is to be like. `name` is ours, without the cluster's prefix."""

    name: str
    partitions: int
    retention_hours: int
    compacted: bool = field(default=False, kw_only=True)
    """Keep the last message of each key, too."""


@dataclass(frozen=True)
class TopicState(TopicSpec):
    """What a topic is like on the cluster. `partitions` is 0 where it does not exist."""

    replication: int
    created: bool = False
    """Made, or given more partitions, by this call."""

    @property
    def exists(self) -> bool:
        """Whether the cluster has it."""
        return self.partitions > 0


def wanted_topics(registry: Iterable[Topic], groups: Iterable[tuple[str, str]], partitions: int) -> list[TopicSpec]:
    """Specs of the registry's topics and of the dead-letter topics of these (topic, group) pairs."""
    own = [TopicSpec(topic.name, partitions, topic.retention_hours, compacted=topic.compacted) for topic in registry]
    letters = sorted({dead_letter_topic(topic, group) for topic, group in groups})
    return own + [TopicSpec(name, 1, dead_letters.RETENTION_HOURS) for name in letters]


def registered_groups(registry: Iterable[Topic]) -> list[tuple[str, str]]:
    """(topic, group) of every consumer that the registry names."""
    return [(topic.name, consumer_group(service, topic)) for topic in registry for service in topic.consumers]


class Topics:
    """The cluster's topics through an admin client that is started."""

    def __init__(self, admin: AIOKafkaAdminClient, settings: KafkaSettings, wire: Wire) -> None:
        self._admin = admin
        self._settings = settings
        self._wire = wire

    async def states(self, specs: Sequence[TopicSpec]) -> list[TopicState]:
        """How these topics are on the cluster, in the same order."""
        known = await self._described(specs)
        return [known.get(spec.name) or TopicState(spec.name, 0, spec.retention_hours, 0) for spec in specs]

    async def create(self, specs: Sequence[TopicSpec]) -> list[TopicState]:
        """Make what is missing, and add partitions where there are fewer than wanted; the others stay as they are.

        Partitions are never taken away: their messages would be lost. RetryableError where the cluster refuses for now.
        """
        before = {state.name: state for state in await self.states(specs)}
        missing = [spec for spec in specs if not before[spec.name].exists]
        narrow = [spec for spec in specs if 0 < before[spec.name].partitions < spec.partitions]
        if missing:
            answer = await self._admin.create_topics([self._new(spec) for spec in missing])
            _check(answer.topic_errors, allowed=TopicAlreadyExistsError)
        if narrow:
            wider = {self._wire.name(spec.name): NewPartitions(spec.partitions) for spec in narrow}
            _check((await self._admin.create_partitions(wider)).topic_errors)
        await self._until_led({spec.name: spec.partitions for spec in (*missing, *narrow)})
        changed = {spec.name for spec in (*missing, *narrow)}
        return [replace(state, created=state.name in changed) for state in await self.states(specs)]

    async def _until_led(self, partitions: Mapping[str, int]) -> None:
        """Wait until every partition of these topics has a leader: until then sends to it fail and are tried again."""
        names = {self._wire.name(name): count for name, count in partitions.items()}
        try:
            async with asyncio.timeout(LEADERS_SECONDS_MAX):
                while names:
                    for topic in await self._admin.describe_topics(sorted(names)):
                        if sum(p["leader"] >= 0 for p in topic["partitions"]) >= names[topic["topic"]]:
                            del names[topic["topic"]]
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise RetryableError(
                f"{len(names)} new topics have no leader yet, {min(names)} among them.",
                next_step="Look whether all brokers are up, then try again.",
            ) from None

    def check(self, states: Sequence[TopicState]) -> None:
        """RetryableError where topics are missing (they may be made now), ConfigurationError where too narrow."""
        if missing := [state.name for state in states if not state.exists]:
            raise RetryableError(
                f"{len(missing)} topics do not exist on the Kafka cluster, {missing[0]} among them.",
                next_step="Make them with `hub topics create`. Nothing was consumed or sent.",
            )
        count = self._settings.partition_count
        narrow = [state for state in states if state.partitions < count and not state.name.endswith(DEAD_LETTER_SUFFIX)]
        if narrow:
            raise ConfigurationError(
                f"The topic {narrow[0].name} has {narrow[0].partitions} partitions, and {count} are set.",
                next_step=f"Set HUB_TOPIC_PARTITIONS={narrow[0].partitions} everywhere, or add partitions with "
                "`hub topics create` while nothing runs.",
            )

    def _new(self, spec: TopicSpec) -> NewTopic:
        return NewTopic(
            self._wire.name(spec.name),
            num_partitions=spec.partitions,
            replication_factor=self._settings.replication_factor,
            replica_assignments={},  # aiokafka does not take -1 without it
            topic_configs={
                "retention.ms": str(spec.retention_hours * _HOUR_MS),
                "max.message.bytes": str(MESSAGE_BYTES_MAX),
                "cleanup.policy": "compact,delete" if spec.compacted else "delete",
            },
        )

    async def _described(self, specs: Sequence[TopicSpec]) -> Mapping[str, TopicState]:
        present = set(await self._admin.list_topics())
        names = {self._wire.name(spec.name): spec for spec in specs}
        asked = sorted(present & names.keys())
        if not asked:
            return {}
        described = await self._admin.describe_topics(asked)
        hours = await self._retention_hours(asked)
        return {
            names[topic["topic"]].name: TopicState(
                names[topic["topic"]].name,
                len(topic["partitions"]),
                hours.get(topic["topic"], names[topic["topic"]].retention_hours),
                len(topic["partitions"][0]["replicas"]) if topic["partitions"] else 0,
            )
            for topic in described
        }

    async def _retention_hours(self, wire_names: Sequence[str]) -> dict[str, int]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": ""}) for name in wire_names]
        hours: dict[str, int] = {}
        for answer in await self._admin.describe_configs(resources):
            for _, _, _, name, entries, *_ in answer.resources:
                hours.update((name, int(entry[1]) // _HOUR_MS) for entry in entries if entry[0] == "retention.ms")
        return hours


def _check(topic_errors: Iterable[tuple[object, ...]], *, allowed: type[KafkaError] | None = None) -> None:
    """RetryableError for the first topic that was refused."""
    for name, code, *text in topic_errors:
        error = for_code(code)
        if code and error is not allowed:
            raise RetryableError(
                f"Kafka did not make the topic {name}: {error.__name__}{': ' + str(text[0]) if text else ''}.",
                next_step="Look at the cluster (free brokers, rights of our user), then try again.",
            )
