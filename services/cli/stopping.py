"""Keeps a process running until it is told to stop, also while what it needs is away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from shared.errors import HubError, RetryableError
from shared.observability.events import emit, register

T = TypeVar("T")

START_WAIT_SECONDS_FIRST = 0.5
START_WAIT_SECONDS_MAX = 15.0

PROCESS_STARTED = register("process_started", "info", "The process has started and takes work.")
PROCESS_WAITS = register("process_waits", "warning", "The process cannot start yet: what it needs is away.")
PROCESS_STOPS = register("process_stops", "info", "The process was told to stop and finishes what it has begun.")


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def first() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        emit(PROCESS_STOPS)
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, first)
    return stop


async def run_until(
    stop: asyncio.Event,
    open_process: Callable[[], AbstractAsyncContextManager[T]],
    started: Callable[[T], None],
    stopping: Callable[[T], Awaitable[None]] | None = None,
) -> None:
    """Opens a process, says so, and closes it when `stop` is set, after `stopping`.

    While it cannot be opened for a RetryableError it is tried again after growing waits; `stop` ends that at once. Any
    other error comes out.
    """
    is_open = asyncio.Event()

    async def live() -> None:
        async with open_process() as process:
            is_open.set()
            started(process)
            await stop.wait()
            if stopping is not None:
                await stopping(process)

    wait_seconds = START_WAIT_SECONDS_FIRST
    while not stop.is_set():
        life = asyncio.create_task(live(), name="process")
        told = asyncio.create_task(stop.wait())
        await asyncio.wait({life, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if stop.is_set() and not is_open.is_set():
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError, HubError):
                await life
            return
        try:
            await life
        except RetryableError as error:
            if is_open.is_set():
                raise
            emit(PROCESS_WAITS, reason=error.message, next_step=error.next_step, wait_seconds=wait_seconds)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await stop.wait()
            wait_seconds = min(wait_seconds * 2, START_WAIT_SECONDS_MAX)
