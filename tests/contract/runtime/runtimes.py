"""The runtimes under the conformance suite. A new one is added here; the tests stay as they are.

An address names a runtime and its log ("embedded:/tmp/x/log.db", "kafka:127.0.0.1:9092/prefix."), so that another
process can open the same one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.messages.envelope import Clock, Topic
from shared.runtime import EmbeddedRuntime, EmbeddedSettings, Runtime
from shared.runtime.kafka import KafkaRuntime, KafkaSettings
from tests.contract.runtime.notes import TOPICS

PARTITIONS = 4
BACKLOG_BYTES_MAX = 10_000


def open_runtime(address: str, *, topics: Sequence[Topic] = TOPICS, clock: Clock = time.time) -> Runtime:
    """A runtime on the log at the address, not started."""
    kind, _, place = address.partition(":")
    return _OPENERS[kind](place, topics, clock)


def new_address(kind: str, request: pytest.FixtureRequest) -> str:
    """The address of a log that does not exist yet."""
    if kind == "kafka":
        return f"kafka:{request.getfixturevalue('kafka').bootstrap}/{uuid.uuid4().hex[:12]}."
    return f"{kind}:{request.getfixturevalue('tmp_path') / 'log.db'}"


def _open_embedded(place: str, topics: Sequence[Topic], clock: Clock) -> Runtime:
    settings = EmbeddedSettings(partition_count=PARTITIONS, backlog_bytes_max=BACKLOG_BYTES_MAX, poll_seconds=0.01)
    return EmbeddedRuntime(Path(place), topics=topics, settings=settings, clock=clock)


def _open_kafka(place: str, topics: Sequence[Topic], clock: Clock) -> Runtime:
    bootstrap, _, prefix = place.partition("/")
    return KafkaRuntime(kafka_settings(bootstrap, prefix), topics=topics, clock=clock)


def kafka_settings(bootstrap: str, prefix: str, **others: Any) -> KafkaSettings:
    """Settings for tests: a dead member is noticed after three seconds, topics are made at the start."""
    return KafkaSettings(
        bootstrap_servers=(bootstrap,),
        topic_prefix=prefix,
        **{
            "partition_count": PARTITIONS,
            "backlog_bytes_max": BACKLOG_BYTES_MAX,
            "create_missing_topics": True,
            "session_timeout_ms": 3_000,
            "batch_timeout_ms": 5,
            **others,
        },
    )


_OPENERS: dict[str, Callable[[str, Sequence[Topic], Clock], Runtime]] = {
    "embedded": _open_embedded,
    "kafka": _open_kafka,
}
KINDS = ("embedded", pytest.param("kafka", marks=pytest.mark.kafka))
