"""Records as they travel on Kafka: CloudEvents in binary mode (Kafka protocol binding 1.0), names with their prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.messages.envelope import Topic
from shared.messages.topics import DEAD_LETTER_SUFFIX
from shared.runtime.records import Record, Stored

_ATTRIBUTE = "ce_"
_SPECVERSION = "1.0"
CONTENT_TYPE = "content-type"


@dataclass(frozen=True)
class Wire:
    """Translates between our names and headers and those on the wire. `prefix` comes before topics and groups."""

    topics: Mapping[str, Topic]
    prefix: str = ""

    def name(self, name: str) -> str:
        """A topic's or group's name on the cluster."""
        return self.prefix + name

    def own_name(self, wire_name: str) -> str | None:
        """Our name of a topic or group of the cluster; None where it is not of this hub."""
        return wire_name.removeprefix(self.prefix) if wire_name.startswith(self.prefix) else None

    def is_own_dead_letters(self, wire_name: str) -> bool:
        """Whether a topic of the cluster keeps dead letters of a topic of ours."""
        own = self.own_name(wire_name) or ""
        return own.endswith(DEAD_LETTER_SUFFIX) and any(own.startswith(f"{topic}.") for topic in self.topics)

    def headers(self, record: Record) -> dict[str, str]:
        """CloudEvents attributes as `ce_*` headers, and the content type."""
        headers = {_ATTRIBUTE + name: value for name, value in record.headers.items()}
        headers[_ATTRIBUTE + "specversion"] = _SPECVERSION
        headers[CONTENT_TYPE] = content_type(self.topics.get(record.headers.get("type", record.topic)))
        return headers

    def stored(self, consumed: Any) -> Stored:
        """The record of an aiokafka ConsumerRecord. Messages of other programs may lack key, body and headers."""
        headers = {
            name.removeprefix(_ATTRIBUTE): (value or b"").decode(errors="replace")
            for name, value in consumed.headers
            if name.startswith(_ATTRIBUTE) and name != _ATTRIBUTE + "specversion"
        }
        return Stored(
            topic=consumed.topic.removeprefix(self.prefix),
            partition=consumed.partition,
            key=(consumed.key or b"").decode(errors="replace"),
            headers=headers,
            body=consumed.value or b"",
            offset=consumed.offset,
        )


def content_type(topic: Topic | None) -> str:
    """How a topic's bodies are encoded."""
    is_json = topic is not None and issubclass(topic.model, BaseModel)
    return "application/json" if is_json else "application/msgpack"
