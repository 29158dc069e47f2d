"""Names and headers on the cluster."""

from __future__ import annotations

from types import SimpleNamespace

from shared.messages.topics import BATCH_LOADED, BATCH_MAPPED, TOPICS
from shared.runtime.kafka.wire import Wire
from shared.runtime.records import Record, Stored

WIRE = Wire({topic.name: topic for topic in TOPICS}, "acme.")
HEADERS = {"id": "1", "type": BATCH_LOADED.name, "source": "hub/loader", "subject": "s1", "run": "7"}


def _consumed(headers: dict[str, str], *, key: bytes | None = b"7", value: bytes | None = b"{}") -> SimpleNamespace:
    encoded = [(name, text.encode()) for name, text in headers.items()]
    name = f"acme.{BATCH_LOADED.name}"
    return SimpleNamespace(topic=name, partition=3, offset=9, key=key, value=value, headers=encoded)


def test_a_record_comes_back_as_it_was_sent() -> None:
    sent = Record(BATCH_LOADED.name, 3, "7", HEADERS, b"{}")

    received = WIRE.stored(_consumed(WIRE.headers(sent) | {"correlation_id": "added by the library"}))

    assert received == Stored(BATCH_LOADED.name, 3, "7", HEADERS, b"{}", 9)


def test_the_content_type_says_how_a_body_is_encoded() -> None:
    types = [WIRE.headers(Record(topic.name, 0, "", {}, b""))["content-type"] for topic in (BATCH_LOADED, BATCH_MAPPED)]

    assert types == ["application/json", "application/msgpack"]


def test_a_message_of_another_program_may_lack_everything() -> None:
    received = WIRE.stored(_consumed({}, key=None, value=None))

    assert (received.key, received.headers, received.body) == ("", {}, b"")


def test_only_dead_letters_of_own_topics_are_ours() -> None:
    own = f"acme.{BATCH_LOADED.name}.hub.status.batch-loaded.dlq"

    assert WIRE.is_own_dead_letters(own)
    assert not WIRE.is_own_dead_letters(own.removeprefix("acme."))
    assert not WIRE.is_own_dead_letters("acme.other.dlq")


def test_header_bytes_that_are_no_text_do_not_stop_reading() -> None:
    consumed = _consumed({})
    consumed.headers = [("ce_id", b"\xff"), ("ce_type", None)]

    assert WIRE.stored(consumed).headers == {"id": "\ufffd", "type": ""}


def test_names_of_other_hubs_on_the_cluster_are_not_ours() -> None:
    assert WIRE.own_name("acme.hub.run.changed.v1") == "hub.run.changed.v1"
    assert WIRE.own_name("other.hub.run.changed.v1") is None
