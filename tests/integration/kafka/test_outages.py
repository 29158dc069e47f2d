"""Brokers that die, hang, are cut off or not there yet."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import ConfigurationError, RetryableError
from tests.contract.runtime.notes import ANSWERS, Collector, answer, drained, note, reader, until
from tests.integration.kafka.conftest import New
from tests.support.kafka_broker import OwnBroker
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.kafka

COUNT = 60


async def test_a_broker_that_dies_and_comes_back_costs_no_message(new: New, own_kafka: OwnBroker) -> None:
    answers = Collector()
    runtime = new(reader(answer), reader(answers, name="asker", of=ANSWERS))
    await runtime.start()
    await runtime.publish([note(n) for n in range(COUNT)])
    await until(lambda: len(answers.numbers) > 3)

    await asyncio.to_thread(own_kafka.kill)
    publishing = asyncio.create_task(runtime.publish([note(n) for n in range(COUNT, 2 * COUNT)]))
    await asyncio.to_thread(own_kafka.start)
    await publishing
    await until(lambda: set(answers.numbers) == set(range(2 * COUNT)))
    await drained(runtime)
    await drained(runtime, "hub.asker")

    assert runtime.faults() == []


async def test_a_broker_that_hangs_costs_no_message(new: New, own_kafka: OwnBroker) -> None:
    answers = Collector()
    runtime = new(reader(answer), reader(answers, name="asker", of=ANSWERS))
    await runtime.start()

    own_kafka.pause()
    publishing = asyncio.create_task(runtime.publish([note(n) for n in range(COUNT)]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await asyncio.shield(publishing)
    own_kafka.resume()
    await publishing
    await until(lambda: set(answers.numbers) == set(range(COUNT)))

    assert runtime.faults() == []


async def test_a_connection_that_is_cut_is_made_again(new: New, own_kafka: OwnBroker) -> None:
    answers = Collector()
    with TcpProxy(own_kafka.proxy_port, own_kafka.proxied_port) as proxy:
        runtime = new(reader(answer), reader(answers, name="asker", of=ANSWERS), bootstrap=own_kafka.proxied_bootstrap)
        await runtime.start()
        await runtime.publish([note(n) for n in range(COUNT)])
        await until(lambda: len(answers.numbers) > 3)

        proxy.cut()
        publishing = asyncio.create_task(runtime.publish([note(n) for n in range(COUNT, 2 * COUNT)]))
        await asyncio.to_thread(proxy.restore)
        await publishing
        await until(lambda: set(answers.numbers) == set(range(2 * COUNT)))
        await drained(runtime)
        await runtime.stop()

    assert runtime.faults() == []


async def test_a_start_waits_for_a_broker_that_is_not_there_yet(new: New, own_kafka: OwnBroker) -> None:
    await asyncio.to_thread(own_kafka.kill)
    runtime = new(reader(Collector()))

    starting = asyncio.create_task(runtime.start())
    await asyncio.to_thread(own_kafka.start)
    await starting

    assert runtime.has_joined()


async def test_a_broker_that_never_comes_is_said(new: New) -> None:
    runtime = new(reader(Collector()), bootstrap="127.0.0.1:1", start_wait_seconds_max=0.3)

    with pytest.raises(RetryableError, match=r"No Kafka broker answers at 127\.0\.0\.1:1"):
        await runtime.start()


async def test_missing_topics_are_said_with_the_way_out(new: New) -> None:
    runtime = new(reader(Collector()), create_missing_topics=False)

    with pytest.raises(RetryableError, match="hub topics create"):
        await runtime.start()


async def test_more_partitions_wanted_than_there_are_is_said(new: New) -> None:
    await new().create_topics()

    with pytest.raises(ConfigurationError, match="HUB_TOPIC_PARTITIONS=4"):
        await new(partition_count=5, create_missing_topics=False).start()


async def test_stopping_while_the_broker_is_away_ends(new: New, own_kafka: OwnBroker) -> None:
    runtime = new(reader(Collector()))
    await runtime.start()
    await asyncio.to_thread(own_kafka.kill)

    await runtime.stop(timeout_seconds=1)
    await asyncio.to_thread(own_kafka.start)

    with pytest.raises(RetryableError, match="not running"):
        await runtime.publish([note(1)])
