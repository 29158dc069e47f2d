"""The broker that `deploy/kafka` starts: it can be used, killed and brought back with what it held."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import uuid
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError

from tests.support.kafka_broker import KafkaBrokerHandle, OwnBroker

pytestmark = pytest.mark.kafka


async def create_topic(bootstrap: str, partitions: int = 1, **configs: str) -> str:
    """A new topic of a name nobody else has."""
    name = f"topic-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
    finally:
        await admin.close()
    return name


async def produce(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=4 * 1024 * 1024)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, headers=[("note", b"x" * 1000)])
    finally:
        await producer.stop()


async def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values of a topic with one partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_what_is_sent_comes_back(kafka: KafkaBrokerHandle) -> None:
    topic = await create_topic(kafka.bootstrap)

    await produce(kafka.bootstrap, topic, b"one", b"two")

    assert await consume(kafka.bootstrap, topic, 2) == [b"one", b"two"]


async def test_a_message_of_a_mebibyte_with_headers_passes(kafka: KafkaBrokerHandle) -> None:
    topic = await create_topic(kafka.bootstrap)
    largest = os.urandom(1024 * 1024)

    await produce(kafka.bootstrap, topic, largest)

    assert await consume(kafka.bootstrap, topic, 1) == [largest]


async def test_after_a_kill_it_is_back_at_the_same_address_with_its_data(own_kafka: OwnBroker) -> None:
    topic = await create_topic(own_kafka.bootstrap)
    await produce(own_kafka.bootstrap, topic, b"before")
    address, pid = own_kafka.bootstrap, own_kafka.pid

    await asyncio.to_thread(own_kafka.kill)
    await asyncio.to_thread(own_kafka.start)
    await produce(address, topic, b"after")

    assert own_kafka.pid != pid
    assert await consume(address, topic, 2) == [b"before", b"after"]


async def test_when_the_process_that_started_it_dies_it_ends_too(own_kafka: OwnBroker) -> None:
    pid = own_kafka.pid

    await asyncio.to_thread(own_kafka.abandon)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_paused_it_answers_nobody_until_resumed(own_kafka: OwnBroker) -> None:
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap, enable_idempotence=True) as producer:
        topic = await create_topic(own_kafka.bootstrap)
        await producer.send_and_wait(topic, b"before")
        own_kafka.pause()
        held = await producer.send(topic, b"meanwhile")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.shield(held)
        assert not held.done()

        own_kafka.resume()

        assert (await held).offset == 1


async def answers(**client: Any) -> bool:
    """Whether a client with these settings is let in."""
    producer = AIOKafkaProducer(**client, request_timeout_ms=5_000)
    try:
        await producer.start()
    except KafkaConnectionError:
        return False
    finally:
        await producer.stop()
    return True


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("is_right", [True, False])
async def test_a_password_decides_who_is_let_in(own_kafka: OwnBroker, mechanism: str, is_right: bool) -> None:
    secure = own_kafka.secure
    login = {"sasl_plain_username": secure.username, "sasl_plain_password": secure.password if is_right else "guessed"}

    let_in = await answers(
        bootstrap_servers=secure.sasl, security_protocol="SASL_PLAINTEXT", sasl_mechanism=mechanism, **login
    )

    assert let_in is is_right


async def test_its_certificate_can_be_checked(own_kafka: OwnBroker) -> None:
    secure = own_kafka.secure
    trusting = ssl.create_default_context(cafile=secure.ca_file)

    assert await answers(bootstrap_servers=secure.tls, security_protocol="SSL", ssl_context=trusting)
    assert not await answers(
        bootstrap_servers=secure.tls, security_protocol="SSL", ssl_context=ssl.create_default_context()
    )


@pytest.mark.parametrize("has_one", [True, False])
async def test_a_listener_wants_the_client_s_certificate(own_kafka: OwnBroker, has_one: bool) -> None:
    secure = own_kafka.secure
    context = ssl.create_default_context(cafile=secure.ca_file)
    if has_one:
        context.load_cert_chain(secure.cert_file, secure.key_file)

    let_in = await answers(bootstrap_servers=secure.mutual_tls, security_protocol="SSL", ssl_context=context)

    assert let_in is has_one
