"""What every message carries besides its body: its topic, its key, and the CloudEvents attributes sent as headers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import BaseModel


@dataclass(frozen=True)
class Topic:
    """One topic of the registry (`shared/messages/topics.py`): its purpose, contract and keeping.

    `model`: a pydantic model (travels as JSON) or a msgspec Struct (travels as MessagePack).
    `keyed_by`: `batch` puts a message to partition = batch number modulo partitions, `file` the files of a session one
    after the other to the next partition, `run` and `session` hash the id.
    `public`: its contract is promised to other systems; it carries codes, counts and ids only, never a cell's value.
    """

    name: str
    purpose: str
    model: type[BaseModel] | type[msgspec.Struct]
    keyed_by: str
    producer: str
    consumers: tuple[str, ...]
    retention_hours: int
    public: bool = False
    compacted: bool = False
    """Keep the last message of each key. None needs it: state lies in stores and is never rebuilt from topics."""
    type: str = ""
    """CloudEvents type; the topic's name where not given."""

    def encode(self, message: Any) -> bytes:
        """The body as bytes. The message must be an instance of `model`, or bytes that a worker encoded already."""
        if isinstance(message, bytes):
            return message
        if not isinstance(message, self.model):
            raise TypeError(f"{self.name} carries {self.model.__name__}, not {type(message).__name__}")
        if isinstance(message, BaseModel):
            return message.model_dump_json().encode()
        return msgspec.msgpack.encode(message)

    def decode(self, body: bytes) -> Any:
        """The message of a body; raises ValueError (pydantic, msgspec) where it is none."""
        if issubclass(self.model, BaseModel):
            return self.model.model_validate_json(body)
        return msgspec.msgpack.decode(body, type=self.model)


@dataclass(frozen=True)
class Outgoing:
    """A message to send, returned by a handler or an HTTP call; the runtime encodes and publishes it."""

    topic: Topic
    message: Any
    key: int | str
    """An int chooses partition = key modulo partitions; a str is hashed."""
    subject: str
    """Session id (CloudEvents subject)."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further attributes, e.g. run and batch."""


@dataclass(frozen=True)
class Delivery:
    """One message as a handler gets it. It may come again; `attempt` counts the tries of this delivery from 1."""

    topic: Topic
    message: Any
    partition: int
    offset: int
    headers: dict[str, str]
    """CloudEvents attributes (id, type, source, time, subject) and further headers."""
    attempt: int = 1


Clock = Callable[[], float]
"""Seconds since the epoch."""
