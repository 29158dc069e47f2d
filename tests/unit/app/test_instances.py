"""Processes that say in the store that they live, and the health of the hub made of that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from services import instances
from services.health import ManyProcesses
from services.instances import INSTANCES, LOST_SECONDS, Heartbeat, living_instances
from shared.errors import RetryableError
from shared.runtime import Fault, Runtime
from shared.storage.documents import Documents, SqliteDocuments
from tests.contract.stores.document_contract import FakeClock
from tests.support.stores import open_documents

SECONDS_MAX = 10


def fault(service: str = "loader") -> Fault:
    return Fault(service, "hub.x.v1", "hub.loader.x", 0, 7, "ConfigurationError", "No key.", "Set it.", 1_000.0)


class NoConsumers:
    """A runtime that only publishes."""

    def faults(self) -> list[Fault]:
        return []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def documents(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteDocuments]:
    async with open_documents(tmp_path, clock) as documents:
        yield documents


def watch_of(documents: Documents, clock: FakeClock, *services: str) -> ManyProcesses:
    return ManyProcesses(cast(Runtime, NoConsumers()), documents, services, clock)


async def test_a_process_is_seen_from_its_start_to_its_stop(documents: SqliteDocuments, clock: FakeClock) -> None:
    heartbeat = Heartbeat(documents, "loader", list, clock)

    await heartbeat.start()
    living = await living_instances(documents, clock())
    await heartbeat.stop()

    assert [(instance.service, instance.faults) for instance in living] == [("loader", [])]
    assert await living_instances(documents, clock()) == []


async def test_a_process_that_was_not_seen_for_a_minute_is_missing(
    documents: SqliteDocuments, clock: FakeClock
) -> None:
    await Heartbeat(documents, "loader", list, clock).start()
    watch = watch_of(documents, clock, "loader", "mapper")

    before = await watch.standing()
    clock.now += LOST_SECONDS + 1
    after = await watch.standing()

    assert [missing.service for missing in before.missing] == ["mapper"]
    assert [missing.service for missing in after.missing] == ["loader", "mapper"]
    assert after.missing[0].next_step == "Start one with `hub service loader`."


async def test_a_fault_of_any_process_is_shown_soon(
    documents: SqliteDocuments, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "LOOK_SECONDS", 0.01)
    faults: list[Fault] = []
    heartbeat = Heartbeat(documents, "loader", lambda: faults, clock)
    await heartbeat.start()
    watch = watch_of(documents, clock, "loader")

    faults.append(fault())
    deadline = time.monotonic() + SECONDS_MAX
    while not (standing := await watch.standing()).faults:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    await heartbeat.stop()

    assert [(shown.service, shown.message, shown.next_step) for shown in standing.faults] == [
        ("loader", "No key.", "Set it.")
    ]


async def test_a_store_that_is_away_for_a_while_does_not_end_the_heartbeat(
    documents: SqliteDocuments, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(instances, "SEEN_SECONDS", 0.01)
    heartbeat = Heartbeat(documents, "loader", list, clock)
    await heartbeat.start()
    failures: list[RetryableError] = []

    async def away(*_: object, **__: object) -> int:
        failures.append(RetryableError("The store is away."))
        raise failures[-1]

    deadline = time.monotonic() + SECONDS_MAX
    with monkeypatch.context() as patch:
        patch.setattr(documents, "put", away)
        while not failures:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    clock.now += 5
    while (await living_instances(documents, clock()))[0].seen_at != clock():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    await heartbeat.stop()


async def test_what_killed_processes_left_is_forgotten_after_an_hour(
    documents: SqliteDocuments, clock: FakeClock
) -> None:
    await Heartbeat(documents, "loader", list, clock, id="killed").start()
    clock.now += 3_601

    await Heartbeat(documents, "loader", list, clock, id="next").start()

    assert [document.id for document in (await documents.find(INSTANCES)).documents] == ["next"]
