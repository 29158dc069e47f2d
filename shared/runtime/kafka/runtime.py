"""The Kafka runtime: services on the topics of a cluster, each service usually in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from shared.errors import RetryableError
from shared.messages.envelope import Clock, Outgoing, Topic
from shared.messages.topics import TOPICS
from shared.runtime import fail_points
from shared.runtime.dead_letters import DeadLetter, DeadLetterFilter
from shared.runtime.declared import DeclaredServices
from shared.runtime.delivery import Courier, Observer, backoff_seconds
from shared.runtime.kafka.backlog import Backlog
from shared.runtime.kafka.client_log import ClientLog
from shared.runtime.kafka.cluster import Cluster
from shared.runtime.kafka.consumer import Consumer
from shared.runtime.kafka.login import refuse_wrong_login
from shared.runtime.kafka.sending import Sender, new_broker
from shared.runtime.kafka.settings import KafkaSettings
from shared.runtime.kafka.topics import TopicSpec, TopicState, registered_groups, wanted_topics
from shared.runtime.kafka.wire import Wire
from shared.runtime.records import Encoder, random_id
from shared.runtime.service import Fault, Lag, RetryPolicy, Service, not_running, too_far_behind

T = TypeVar("T")

_START_WAITS = RetryPolicy(wait_seconds_max=5.0)
CLOSE_SECONDS_MAX = 3.0
"""For leaving the groups and flushing the producer, and as long for the rest: brokers that are away hold up no stop."""

_log = structlog.get_logger("hub.runtime")


class KafkaRuntime:
    """Implements `shared.runtime.service.Runtime` on Apache Kafka; see there for what it guarantees.

    Outputs are confirmed by all in-sync replicas before the offset is committed: a crash between the two repeats a
    message, it never loses one. Messages are kept as long as their topic's retention says, whoever has read them.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        topics: Sequence[Topic] = TOPICS,
        clock: Clock = time.time,
        chance: random.Random | None = None,
        new_id: Callable[[], str] = random_id,
        observer: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._topics = {topic.name: topic for topic in topics}
        self._wire = Wire(self._topics, settings.topic_prefix)
        self._chance = chance or random.Random()
        self._encoder = Encoder(self._topics, settings.partition_count, clock, new_id)
        self._courier = Courier(self._encoder, clock, self._chance, observer)
        self._services = DeclaredServices(self._topics)
        self._clock = clock
        self._backlog = Backlog()
        self._client_log = ClientLog(clock)
        self._refusal: Fault | None = None
        self._open = contextlib.AsyncExitStack()
        """What `stop` closes, the last opened first: the services, then the clients."""
        self._consumers: list[Consumer] = []
        self._cluster: Cluster | None = None
        self._sender: Sender | None = None

    def add(self, service: Service, members: int = 1) -> None:
        """See `Runtime.add`."""
        self._services.add(service, members)

    async def start(self) -> None:
        """See `Runtime.start`. A cluster that is away is tried again for `start_wait_seconds_max`.

        RetryableError where it stays away or topics are missing, ConfigurationError where it refuses us.
        """
        fail_points.check_setting()
        try:
            self._cluster = await self._connect(self._start_prepared_cluster)
            self._open.push_async_callback(_close, self._cluster)
            broker = new_broker(self._settings, self._client_log)
            sender = Sender(broker, self._settings, self._wire, self._backlog)
            self._join(broker, sender)
            self._open.push_async_callback(_close, broker)
            await self._connect(broker.connect)
            self._sender = sender
            await self._services.start(self._open)
            with _as_retryable("The groups cannot be joined"):
                # All at once: each waits for its first assignment.
                await asyncio.gather(*(subscriber.start() for subscriber in broker.subscribers))
        except BaseException:
            await self.stop()
            raise

    async def stop(self, timeout_seconds: float = 30.0) -> None:
        """See `Runtime.stop`."""
        for consumer in self._consumers:
            consumer.stop()
        await self._services.stopping()
        members = [member for consumer in self._consumers for member in consumer.members]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                for member in members:
                    await member.until_idle(timeout_seconds)
        await asyncio.gather(*(member.end() for member in members))
        try:
            await self._open.aclose()
        finally:
            self._consumers, self._cluster, self._sender = [], None, None

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """See `Runtime.publish`. It waits for groups of this process only; in the cluster the run's window bounds."""
        records = [self._encoder.encode(message) for message in messages]
        sender = self._sender
        if sender is None:
            raise not_running()
        for topic in {record.topic for record in records}:
            await self._wait_for_room(topic)
        seconds = self._settings.publish_wait_seconds_max
        try:
            async with asyncio.timeout(seconds):
                await sender.send(records)
        except TimeoutError:
            raise RetryableError(
                f"Kafka has not confirmed {len(records)} messages within {seconds:g} seconds; some may be stored.",
                next_step="Look whether the brokers are up, then send them again.",
            ) from None
        except KafkaError as error:
            raise self._refused(error) from error

    async def lag(self) -> list[Lag]:
        """See `Runtime.lag`."""
        declared = {(route.topic.name, route.group) for route in self._services.routes()}
        with _as_retryable("The lag cannot be read"):
            return await self._started_cluster.lag(declared)

    def faults(self) -> list[Fault]:
        """See `Runtime.faults`."""
        stopped = [consumer.fault for consumer in self._consumers if consumer.fault is not None]
        return stopped + self._client_log.faults() + ([self._refusal] if self._refusal else [])

    def has_joined(self) -> bool:
        """Whether every consumer of this process has been given its share of the partitions."""
        return all(member.has_joined for consumer in self._consumers for member in consumer.members)

    async def dead_letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """See `Runtime.dead_letters`."""
        with _as_retryable("The dead letters cannot be read"):
            return await self._started_cluster.dead_letters(wanted)

    async def replay(self, wanted: DeadLetterFilter) -> int:
        """See `Runtime.replay`."""
        letters = await self.dead_letters(wanted)
        if self._sender is None:
            raise not_running()
        await self._sender.send([letter.original(self._settings.partition_count) for letter in letters])
        return len(letters)

    # ---- topics -----------------------------------------------------------------------------------------------

    async def create_topics(self) -> list[TopicState]:
        """Make the registry's topics and dead-letter topics that are missing; works also while not started."""
        async with self._reached() as cluster:
            return await cluster.topics.create(self._wanted_topics())

    async def list_topics(self) -> list[TopicState]:
        """How the registry's topics are on the cluster; works also while not started."""
        async with self._reached() as cluster:
            return await cluster.topics.states(self._wanted_topics())

    @contextlib.asynccontextmanager
    async def _reached(self) -> AsyncIterator[Cluster]:
        if self._cluster is not None:
            yield self._cluster
            return
        cluster = await self._connect(self._start_cluster)
        try:
            with _as_retryable("The topics cannot be used"):
                yield cluster
        finally:
            await cluster.stop()

    def _wanted_topics(self) -> list[TopicSpec]:
        """All of the registry, with the dead-letter topics of its groups and of those declared here."""
        groups = registered_groups(self._topics.values()) + self._declared_groups()
        return wanted_topics(self._topics.values(), groups, self._settings.partition_count)

    def _declared_groups(self) -> list[tuple[str, str]]:
        return [(route.topic.name, route.group) for route in self._services.routes()]

    # ---- start ------------------------------------------------------------------------------------------------

    async def _start_cluster(self) -> Cluster:
        cluster = Cluster(self._settings, self._wire)
        await cluster.start()
        return cluster

    async def _start_prepared_cluster(self) -> Cluster:
        """A cluster whose topics are as they must be."""
        cluster = await self._start_cluster()
        specs = wanted_topics(self._topics.values(), self._declared_groups(), self._settings.partition_count)
        try:
            if self._settings.create_missing_topics:
                await cluster.topics.create(specs)
            cluster.topics.check(await cluster.topics.states(specs))
        except BaseException:
            await cluster.stop()
            raise
        return cluster

    async def _connect(self, connect: Callable[[], Awaitable[T]]) -> T:
        """Connect, trying again while the brokers are away."""
        deadline = time.monotonic() + self._settings.start_wait_seconds_max
        attempt = 0
        while True:
            try:
                return await connect()
            except (KafkaError, OSError) as error:
                await refuse_wrong_login(self._settings)
                attempt += 1
                wait = backoff_seconds(_START_WAITS, attempt, self._chance)
                if time.monotonic() + wait > deadline:
                    raise RetryableError(
                        f"No Kafka broker answers at {', '.join(self._settings.bootstrap_servers)} "
                        f"({type(error).__name__}).",
                        next_step="Start it, or correct HUB_BUS. Nothing was consumed or sent.",
                    ) from error
                _log.warning("broker_not_reached", attempt=attempt, wait_seconds=wait, error_class=type(error).__name__)
                await asyncio.sleep(wait)

    def _join(self, broker: KafkaBroker, sender: Sender) -> None:
        for declared in self._services:
            for route in declared.service.routes:
                consumer = Consumer(
                    service=declared.service.name,
                    route=route,
                    courier=self._courier,
                    wire=self._wire,
                    settings=self._settings,
                    send=sender.send,
                    backlog=self._backlog,
                )
                consumer.join(broker, max(declared.members, route.members))
                self._consumers.append(consumer)

    def _refused(self, error: KafkaError) -> RetryableError:
        """A message that the cluster will not take. The idempotent producer may take no other one after it."""
        step = "Look at the cluster and at our rights there, then restart this process."
        message = f"Kafka refused the messages: {type(error).__name__}. Some of them may have been stored."
        self._refusal = Fault("runtime", "", "", None, None, type(error).__name__, message, step, self._clock())
        return RetryableError(message, next_step=step)

    @property
    def _started_cluster(self) -> Cluster:
        if self._cluster is None:
            raise not_running()
        return self._cluster

    async def _wait_for_room(self, topic: str) -> None:
        seconds = self._settings.publish_wait_seconds_max
        try:
            async with asyncio.timeout(seconds):
                await self._backlog.wait_below(topic, self._settings.backlog_bytes_max)
        except TimeoutError:
            raise too_far_behind(topic, seconds) from None


@contextlib.contextmanager
def _as_retryable(what: str) -> Iterator[None]:
    """An error of the library as one of ours."""
    try:
        yield
    except KafkaError as error:
        raise RetryableError(
            f"{what}: Kafka answered {type(error).__name__}.", next_step="Look whether the brokers are up; try again."
        ) from error


async def _close(clients: KafkaBroker | Cluster) -> None:
    """Leave the groups and close the connections, for a bounded time."""
    with contextlib.suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await clients.stop()
