"""Sizes at their edges, topics as they are made, and what lies on the wire."""

from __future__ import annotations

import os

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.errors import PermanentError
from shared.messages.envelope import Outgoing
from shared.runtime.records import BODY_BYTES_MAX
from tests.contract.runtime.notes import NOTES, Collector, Note, drained, reader, until
from tests.integration.kafka.conftest import New

pytestmark = pytest.mark.kafka


def _body_of(size: int) -> bytes:
    """A note of exactly so many bytes that no compression makes smaller."""
    frame = len(msgspec.msgpack.encode(Note(1, "x" * 70_000))) - 70_000
    text = os.urandom(size // 2).hex()[: size - frame]
    body = msgspec.msgpack.encode(Note(1, text))
    assert len(body) == size
    return body


async def test_a_body_at_the_limit_goes_through_and_one_byte_more_is_refused(new: New) -> None:
    seen = Collector()
    runtime = new(reader(seen), backlog_bytes_max=16 * BODY_BYTES_MAX)
    await runtime.start()

    await runtime.publish([Outgoing(NOTES, _body_of(BODY_BYTES_MAX), n, "s1") for n in range(4)])
    await until(lambda: len(seen.deliveries) == 4)

    with pytest.raises(PermanentError, match="1,048,577 bytes"):
        await runtime.publish([Outgoing(NOTES, _body_of(BODY_BYTES_MAX + 1), 0, "s1")])


async def test_many_messages_at_the_limit_in_one_partition_all_arrive(new: New) -> None:
    seen = Collector()
    runtime = new(reader(seen), backlog_bytes_max=32 * BODY_BYTES_MAX)
    await runtime.start()

    await runtime.publish([Outgoing(NOTES, _body_of(BODY_BYTES_MAX), 0, "s1") for _ in range(20)])
    await drained(runtime)

    assert [delivery.offset for delivery in seen.deliveries] == list(range(20))


async def test_topics_are_made_from_the_registry_once(new: New) -> None:
    runtime = new(reader(Collector()))

    first = await runtime.create_topics()
    again = await runtime.create_topics()

    assert {(state.name, state.partitions, state.retention_hours) for state in first} == {
        ("hub.note.written.v1", 4, 24),
        ("hub.note.answered.v1", 4, 24),
        ("hub.note.written.v1.hub.reader.dlq", 1, 720),
    }
    assert {state.created for state in first} == {True}
    assert {state.created for state in again} == {False}


async def test_partitions_are_added_and_never_taken_away(new: New) -> None:
    await new().create_topics()

    wider = await new(partition_count=6).create_topics()
    narrower = await new(partition_count=2).create_topics()

    assert [(state.partitions, state.created) for state in wider] == [(6, True), (6, True)]
    assert [(state.partitions, state.created) for state in narrower] == [(6, False), (6, False)]


async def test_a_message_lies_on_the_wire_as_a_cloudevent_in_binary_mode(new: New) -> None:
    runtime = new()
    await runtime.start()
    await runtime.publish([Outgoing(NOTES, Note(5), 5, "session-9", {"run": "12"})])
    settings = runtime._settings
    outside = AIOKafkaConsumer(bootstrap_servers=list(settings.bootstrap_servers), auto_offset_reset="earliest")
    await outside.start()
    place = TopicPartition(f"{settings.topic_prefix}{NOTES.name}", 1)
    outside.assign([place])
    outside.seek(place, 0)

    message = await outside.getone(place)
    await outside.stop()

    headers = {name: value.decode() for name, value in message.headers}
    assert message.key == b"5"
    assert headers["content-type"] == "application/msgpack"
    assert (headers["ce_specversion"], headers["ce_type"], headers["ce_source"]) == ("1.0", NOTES.name, "hub/tests")
    assert (headers["ce_subject"], headers["ce_run"]) == ("session-9", "12")
    assert {"ce_id", "ce_time"} <= headers.keys()


async def test_a_message_of_another_program_without_key_and_headers_is_handled(new: New) -> None:
    seen = Collector()
    runtime = new(reader(seen))
    await runtime.start()
    producer_settings = runtime._settings
    producer = AIOKafkaProducer(bootstrap_servers=list(producer_settings.bootstrap_servers))
    await producer.start()
    await producer.send_and_wait(f"{producer_settings.topic_prefix}{NOTES.name}", msgspec.msgpack.encode(Note(8)))
    await producer.stop()
    await drained(runtime)

    assert [(delivery.message.n, delivery.headers) for delivery in seen.deliveries] == [(8, {})]


async def test_headers_that_are_no_text_cost_no_message(new: New) -> None:
    seen = Collector()
    runtime = new(reader(seen))
    await runtime.start()
    settings = runtime._settings
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.bootstrap_servers))
    await producer.start()
    for n, headers in enumerate([[], [("ce_subject", b"\xff\xfe")], []]):
        body = msgspec.msgpack.encode(Note(n))
        await producer.send_and_wait(f"{settings.topic_prefix}{NOTES.name}", body, partition=0, headers=headers)
    await producer.stop()
    await drained(runtime)

    assert seen.numbers == [0, 1, 2]
