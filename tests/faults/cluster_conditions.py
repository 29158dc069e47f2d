"""What happens to a cluster at the moment one of its processes has been killed, besides that kill."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.messages.topics import TOPICS
from tests.support.forked_cluster import ForkedCluster, Member
from tests.support.kafka_broker import OwnBroker
from tests.support.tcp_proxy import TcpProxy

Restart = Callable[[], Member]
"""Starts the killed process again, armed with its next fail point."""


@dataclass(frozen=True)
class Kill:
    """A process that killed itself. `point` is what it had written to the log of fail points, synced, before."""

    service: str
    point: str
    exit_code: int


@dataclass
class Surroundings:
    """Where a cluster runs. `proxies` stand between it and its broker and store."""

    cluster: ForkedCluster
    broker: OwnBroker
    proxies: list[TcpProxy]
    done: Counter[str] = field(default_factory=Counter)
    """What was done to it, counted: the proof that the condition really was there."""


@dataclass(frozen=True)
class Condition:
    """`strike` is called at each kill and starts the process again; `throughout` lasts from the start to the end."""

    name: str
    strike: Callable[[Surroundings, Kill, Restart], Awaitable[None]]
    must_have_done: tuple[str, ...] = ()
    """What of `Surroundings.done` must have happened."""
    uses_proxies: bool = False
    throughout: Callable[[Surroundings], AbstractAsyncContextManager[None]] | None = None


async def _nothing_else(around: Surroundings, kill: Kill, restart: Restart) -> None:
    restart()


async def _broker_killed(around: Surroundings, kill: Kill, restart: Restart) -> None:
    """The process starts while the broker is away, and the broker comes back while the process starts."""
    before = around.broker.pid
    await asyncio.to_thread(around.broker.kill)
    restart()
    await asyncio.to_thread(around.broker.start)
    around.done["brokers killed"] += around.broker.pid != before


async def _connections_cut(around: Surroundings, kill: Kill, restart: Restart) -> None:
    for proxy in around.proxies:
        proxy.cut()
    member = restart()
    await around.cluster.until(
        "the process lives", lambda: member.exit_code is not None or bool(member.answers("/live"))
    )
    accepted = [proxy.accepted_count for proxy in around.proxies]
    for proxy in around.proxies:
        proxy.restore()
    await around.cluster.until("connections are made again", lambda: around.proxies[0].accepted_count > accepted[0])
    around.done["connections cut"] += 1


async def _connections_slow(around: Surroundings, kill: Kill, restart: Restart) -> None:
    """Slow until the process has its partitions, so that its start, the rebalance and what goes on are slow."""
    for proxy in around.proxies:
        proxy.slow(SLOW_BYTES_PER_SECOND, SLOW_DELAY_SECONDS)
    before = around.proxies[0].forwarded_bytes
    await around.cluster.ready(restart())
    around.done["bytes passed slowly"] += around.proxies[0].forwarded_bytes - before
    for proxy in around.proxies:
        proxy.restore()


SLOW_BYTES_PER_SECOND = 1_000_000
SLOW_DELAY_SECONDS = 0.01


async def _member_comes_or_goes(around: Surroundings, kill: Kill, restart: Restart) -> None:
    """At one kill another member joins, at the next one it leaves in order."""
    others = around.cluster.of(kill.service)
    if others:
        # One that has only been forked does not hear the signal yet: it would end by it with nothing begun.
        await around.cluster.until("the member that leaves lives", others[0].is_live)
        others[0].leave()
        around.done["members left"] += 1
        restart()
        return
    first = restart()
    around.cluster.start(kill.service, first.armed)
    around.done["members joined"] += 1


@asynccontextmanager
async def _delivered_twice(around: Surroundings) -> AsyncIterator[None]:
    """Every message of every topic is sent once more as it is: same partition, key, headers and body.

    Repeats that the hub makes itself have the same content and are not repeated again, else there would be no end.
    """
    settings = around.cluster.settings
    prefix = settings.topic_prefix
    clients = {"bootstrap_servers": around.broker.bootstrap}
    consumer = AIOKafkaConsumer(
        *(prefix + topic.name for topic in TOPICS), **clients, auto_offset_reset="earliest", enable_auto_commit=False
    )
    producer = AIOKafkaProducer(**clients)
    seen: set[bytes] = set()

    async def echo() -> None:
        async for message in consumer:
            content = hashlib.sha256(repr((message.topic, message.key)).encode() + (message.value or b"")).digest()
            if content not in seen:
                seen.add(content)
                await producer.send_and_wait(
                    message.topic, message.value, message.key, message.partition, headers=list(message.headers)
                )
                around.done["messages sent again"] += 1

    await consumer.start()
    await producer.start()
    echoing = asyncio.create_task(echo())
    try:
        yield
        if echoing.done():
            echoing.result()
    finally:
        echoing.cancel()
        await asyncio.gather(echoing, return_exceptions=True)
        await consumer.stop()
        await producer.stop()


CONDITIONS = {
    condition.name: condition
    for condition in (
        Condition("killed", _nothing_else),
        Condition("broker_killed", _broker_killed, ("brokers killed",)),
        Condition("connection_cut", _connections_cut, ("connections cut",), uses_proxies=True),
        Condition("connection_slow", _connections_slow, ("bytes passed slowly",), uses_proxies=True),
        Condition("delivered_twice", _nothing_else, ("messages sent again",), throughout=_delivered_twice),
        Condition("rebalance", _member_comes_or_goes, ("members joined", "members left")),
    )
}
