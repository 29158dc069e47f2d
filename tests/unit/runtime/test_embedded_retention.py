"""Retention of the embedded log: what may go, what must stay, and that the disk gets its space back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.runtime import EmbeddedRuntime, EmbeddedSettings, Service
from tests.contract.runtime.notes import ANSWERS, Collector, drained, note, reader, topic, until

NOW = 1_800_000_000.0
HOUR = 3600.0
SHORT = topic("hub.note.kept-an-hour.v1", retention_hours=1)
LONG = topic("hub.note.kept-a-day.v1", retention_hours=24)


class FakeClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    """A clock at NOW."""
    return FakeClock()


@pytest.fixture
def opened(tmp_path: Path, clock: FakeClock) -> Callable[..., EmbeddedRuntime]:
    """`opened(service, ...)`: a runtime on the log of this test, not started."""

    def open_(*services: Service, partition_count: int = 2) -> EmbeddedRuntime:
        settings = EmbeddedSettings(partition_count=partition_count, poll_seconds=0.01)
        runtime = EmbeddedRuntime(tmp_path / "log.db", topics=[SHORT, LONG, ANSWERS], settings=settings, clock=clock)
        for service in services:
            runtime.add(service)
        return runtime

    return open_


async def test_old_messages_that_every_group_committed_are_deleted(
    opened: Callable[..., EmbeddedRuntime], clock: FakeClock
) -> None:
    runtime = opened(reader(Collector(), of=SHORT))
    await runtime.start()
    await runtime.publish([note(n, to=SHORT) for n in range(500)])
    await drained(runtime)
    clock.now += 2 * HOUR

    deleted = await runtime.expire()
    await runtime.stop()

    assert deleted == 500


async def test_messages_younger_than_their_topic_keeps_them_stay(
    opened: Callable[..., EmbeddedRuntime], clock: FakeClock
) -> None:
    runtime = opened()
    await runtime.start()
    await runtime.publish([note(1, to=SHORT), note(2, to=LONG)])
    clock.now += 0.5 * HOUR
    await runtime.publish([note(3, to=SHORT)])
    clock.now += 0.75 * HOUR

    deleted = await runtime.expire()
    await runtime.stop()

    assert deleted == 1


async def test_a_message_that_the_slowest_group_needs_stays_however_old(
    opened: Callable[..., EmbeddedRuntime], clock: FakeClock
) -> None:
    slow = Collector()
    runtime = opened(reader(Collector(), name="fast", of=SHORT), reader(slow, name="slow", of=SHORT))
    await runtime.start()
    await runtime.publish([note(n, to=SHORT) for n in range(4)])
    await drained(runtime, "hub.fast")
    await drained(runtime, "hub.slow")
    await runtime.stop()
    runtime = opened(reader(Collector(), name="fast", of=SHORT))
    await runtime.start()
    await runtime.publish([note(n, to=SHORT) for n in range(4, 10)])
    await drained(runtime, "hub.fast")
    clock.now += 100 * HOUR

    deleted = await runtime.expire()
    await runtime.stop()
    runtime = opened(reader(slow, name="slow", of=SHORT))
    await runtime.start()
    await drained(runtime, "hub.slow")
    await runtime.stop()

    assert deleted == 4
    assert sorted(slow.numbers) == list(range(10))


async def test_a_new_group_starts_behind_what_retention_deleted(
    opened: Callable[..., EmbeddedRuntime], clock: FakeClock
) -> None:
    runtime = opened()
    await runtime.start()
    await runtime.publish([note(n, to=SHORT) for n in range(6)])
    clock.now += 2 * HOUR
    await runtime.publish([note(n, to=SHORT) for n in range(6, 9)])
    await runtime.expire()
    await runtime.stop()
    late = Collector()

    runtime = opened(reader(late, of=SHORT))
    await runtime.start()
    await drained(runtime)
    await runtime.publish([note(9, to=SHORT)])
    await until(lambda: len(late.numbers) == 4)
    await runtime.stop()

    assert sorted(late.numbers) == [6, 7, 8, 9]


async def test_the_file_gets_smaller(opened: Callable[..., EmbeddedRuntime], clock: FakeClock, tmp_path: Path) -> None:
    runtime = opened()
    await runtime.start()
    await runtime.publish([note(n, to=SHORT, text="x" * 100_000) for n in range(100)])
    await runtime.stop()
    full = (tmp_path / "log.db").stat().st_size
    clock.now += 2 * HOUR

    runtime = opened()
    await runtime.start()
    await runtime.expire()
    shrunk = (tmp_path / "log.db").stat().st_size
    await runtime.stop()

    assert full > 10_000_000
    assert shrunk < 500_000


async def test_another_number_of_partitions_than_the_log_was_made_with_is_refused(
    opened: Callable[..., EmbeddedRuntime],
) -> None:
    runtime = opened()
    await runtime.start()
    await runtime.stop()

    with pytest.raises(ConfigurationError, match="has 2 partitions"):
        await opened(partition_count=3).start()


async def test_a_file_that_is_no_log_is_refused_with_a_way_out(
    opened: Callable[..., EmbeddedRuntime], tmp_path: Path
) -> None:
    (tmp_path / "log.db").write_bytes(b"this is no database at all" * 100)

    with pytest.raises(ConfigurationError, match=r"log\.db cannot be opened"):
        await opened().start()
