"""A process that is kept running until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.cli import stopping
from services.cli.stopping import run_until
from shared.errors import ConfigurationError, RetryableError
from shared.observability.events import listen

SECONDS_MAX = 10
ROOT = Path(__file__).parents[3]


class Process:
    """What it went through, and what its start runs into, one after the other."""

    def __init__(self, *obstacles: Exception | None) -> None:
        self.obstacles = list(obstacles)
        self.history: list[str] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        self.history.append("opened")
        if self.obstacles and (obstacle := self.obstacles.pop(0)) is not None:
            raise obstacle
        yield "process"
        self.history.append("closed")

    def started(self, _: str) -> None:
        self.history.append("started")

    async def stopping(self, _: str) -> None:
        self.history.append("stopping")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "START_WAIT_SECONDS_FIRST", 0.01)


async def test_a_process_is_closed_in_order_when_it_is_told_to_stop() -> None:
    process, stop = Process(), asyncio.Event()
    running = asyncio.create_task(run_until(stop, process.open, process.started, process.stopping))
    async with asyncio.timeout(SECONDS_MAX):
        while "started" not in process.history:
            await asyncio.sleep(0)

        stop.set()
        await running

    assert process.history == ["opened", "started", "stopping", "closed"]


async def test_what_is_away_at_the_start_is_waited_for_and_told() -> None:
    away = RetryableError("No broker answers.", next_step="Start it.")
    process, stop = Process(away, away), asyncio.Event()
    told: list[object] = []
    end_listening = listen(lambda event, facts: told.append((event.name, facts.get("next_step"))))

    def started(name: str) -> None:
        process.started(name)
        stop.set()

    async with asyncio.timeout(SECONDS_MAX):
        await run_until(stop, process.open, started)
    end_listening()

    assert process.history == ["opened", "opened", "opened", "started", "closed"]
    assert told == [("process_waits", "Start it.")] * 2


async def test_what_waiting_does_not_cure_ends_the_process() -> None:
    process = Process(ConfigurationError("The log was written by a newer hub."))

    with pytest.raises(ConfigurationError):
        await run_until(asyncio.Event(), process.open, process.started)

    assert process.history == ["opened"]


async def test_a_start_that_hangs_ends_when_it_is_told_to_stop() -> None:
    stop, is_hanging = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def hanging() -> AsyncIterator[None]:
        is_hanging.set()
        await asyncio.Event().wait()
        yield

    running = asyncio.create_task(run_until(stop, hanging, lambda _: None))
    async with asyncio.timeout(SECONDS_MAX):
        await is_hanging.wait()
        stop.set()
        await running


async def test_an_error_after_the_start_comes_out() -> None:
    process = Process()

    def started(_: str) -> None:
        raise RetryableError("The answer could not be given.")

    with pytest.raises(RetryableError):
        await run_until(asyncio.Event(), process.open, started)


def test_the_second_signal_ends_the_process_at_once() -> None:
    program = (
        "import asyncio, sys, services.cli.stopping as s\n"
        "async def main():\n"
        "    stop = s.stop_on_signals()\n"
        "    print('ready', flush=True)\n"
        "    await stop.wait()\n"
        "    print('stopping', flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        process.send_signal(signal.SIGTERM)
        while not said[-1].startswith("stopping"):
            said.append(process.stdout.readline())
            assert said[-1], "it ended with the first signal"

        process.send_signal(signal.SIGTERM)

        assert process.wait(SECONDS_MAX) == -signal.SIGTERM
