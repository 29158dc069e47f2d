"""Messages as a log keeps them: encoded once, with the CloudEvents attributes as headers."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import PermanentError
from shared.messages.envelope import Clock, Outgoing, Topic

BODY_BYTES_MAX = 1024 * 1024
"""What one message may weigh (DESIGN §4); more travels as a claim check. Kafka brokers take no more by default."""


@dataclass(frozen=True, slots=True)
class Record:
    """One encoded message and where it goes."""

    topic: str
    partition: int
    key: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Stored(Record):
    """A record in the log."""

    offset: int


def partition_of(key: int | str, partition_count: int) -> int:
    """An int goes to key modulo partitions, a str to a hash that is the same in every process and version."""
    number = key if isinstance(key, int) else zlib.crc32(key.encode())
    return number % partition_count


def random_id() -> str:
    """A new message id."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Encoder:
    """Turns outgoing messages into records. Clock and ids come from outside, so that tests can fix them."""

    topics: Mapping[str, Topic]
    """The registry by name: only its topics exist."""
    partition_count: int
    clock: Clock
    new_id: Callable[[], str] = random_id

    def encode(self, outgoing: Outgoing, cause: Mapping[str, str] | None = None) -> Record:
        """The record of a message; `cause` are the headers of the message it answers.

        A `message` of type `bytes` is an encoded body (see `Topic.encode`). TypeError for a message of the wrong model,
        ValueError for a topic that is not in the registry, PermanentError above BODY_BYTES_MAX.
        """
        topic = outgoing.topic
        if topic.name not in self.topics:
            raise ValueError(f"The topic {topic.name} is not in the registry; messages to it would be lost.")
        body = topic.encode(outgoing.message)
        if len(body) > BODY_BYTES_MAX:
            raise PermanentError(
                f"A message to {topic.name} has {len(body):,} bytes; at most {BODY_BYTES_MAX:,} may be sent.",
                next_step="Store the content and send its address (claim check).",
                code="message_too_large",
            )
        partition = partition_of(outgoing.key, self.partition_count)
        return Record(topic.name, partition, str(outgoing.key), self._headers(outgoing, cause), body)

    def _headers(self, outgoing: Outgoing, cause: Mapping[str, str] | None) -> dict[str, str]:
        topic = outgoing.topic
        headers = {
            "id": self.new_id(),
            "type": topic.type or topic.name,
            "source": f"hub/{topic.producer}",
            "time": datetime.fromtimestamp(self.clock(), UTC).isoformat(),
            "subject": outgoing.subject,
        }
        if cause and "id" in cause:
            headers["causationid"] = cause["id"]
            headers["correlationid"] = cause.get("correlationid", cause["id"])
        headers.update(outgoing.headers)
        return headers
