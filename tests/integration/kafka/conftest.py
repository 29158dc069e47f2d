"""Runtimes on the session's broker, each test with topics and groups of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest

from shared.errors import HubError
from shared.runtime import Service
from shared.runtime.kafka import KafkaRuntime, KafkaSettings
from tests.contract.runtime.notes import TOPICS
from tests.contract.runtime.runtimes import kafka_settings
from tests.support.kafka_broker import KafkaBrokerHandle

New = Callable[..., KafkaRuntime]


@pytest.fixture
def settings(kafka: KafkaBrokerHandle) -> Callable[..., KafkaSettings]:
    """`settings(**changes)` with the topic prefix of this test."""
    prefix = f"{uuid.uuid4().hex[:12]}."

    def make(bootstrap: str = kafka.bootstrap, **changes: Any) -> KafkaSettings:
        return kafka_settings(bootstrap, prefix, **changes)

    return make


@pytest.fixture
async def new(settings: Callable[..., KafkaSettings]) -> AsyncIterator[New]:
    """`new(service, ..., members=1, **settings)`: a runtime that is not started; stopped at the end of the test."""
    made: list[KafkaRuntime] = []

    def make(*services: Service, members: int = 1, bootstrap: str | None = None, **changes: Any) -> KafkaRuntime:
        runtime = KafkaRuntime(settings(*([bootstrap] if bootstrap else []), **changes), topics=TOPICS)
        for service in services:
            runtime.add(service, members)
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        with suppress(HubError):
            await runtime.stop(timeout_seconds=1)
