"""A handler that takes long is told that the runtime stops, gives its message back, and gets it again later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from shared.errors import RetryableError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import EmbeddedRuntime, Route, Service
from tests.contract.runtime.notes import NOTES, Note

SECONDS = 10


class LongWork:
    """Works until it is told to stop, or that it may come to its end."""

    def __init__(self) -> None:
        self.begun, self.stops, self.may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.done: list[int] = []
        self.is_cancelled = False

    async def handle(self, delivery: Delivery) -> Sequence[Outgoing]:
        self.begun.set()
        waits = [asyncio.ensure_future(event.wait()) for event in (self.stops, self.may_end)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise
        finally:
            for wait in waits:
                wait.cancel()
        if self.stops.is_set():
            raise RetryableError("It comes again.", after_seconds=0.0)
        self.done.append(delivery.message.n)
        return []

    async def stopping(self) -> None:
        self.stops.set()

    def service(self) -> Service:
        return Service("worker", [Route(NOTES, self.handle, "worker")], stopping=self.stopping)


async def test_long_work_ends_when_the_runtime_stops_and_is_done_after_the_next_start(tmp_path: Path) -> None:
    stopped, later = LongWork(), LongWork()
    later.may_end.set()
    runtime = EmbeddedRuntime(tmp_path / "log.db", topics=[NOTES])
    runtime.add(stopped.service())
    await runtime.start()
    await runtime.publish([Outgoing(NOTES, Note(7, "long"), 0, "s1")])
    async with asyncio.timeout(SECONDS):
        await stopped.begun.wait()

    async with asyncio.timeout(SECONDS):
        await runtime.stop(timeout_seconds=1_000.0)
    again = EmbeddedRuntime(tmp_path / "log.db", topics=[NOTES])
    again.add(later.service())
    await again.start()
    async with asyncio.timeout(SECONDS):
        while not later.done:
            await asyncio.sleep(0.005)
    await again.stop()

    assert (stopped.done, stopped.is_cancelled, later.done) == ([], False, [7])


async def test_a_route_may_have_more_members_than_its_service(tmp_path: Path) -> None:
    """One that is busy holds up its own partitions only."""
    working: set[int] = set()
    both = asyncio.Event()

    async def together(delivery: Delivery) -> Sequence[Outgoing]:
        working.add(delivery.partition)
        if len(working) == 2:
            both.set()
        await both.wait()
        return []

    runtime = EmbeddedRuntime(tmp_path / "log.db", topics=[NOTES])
    runtime.add(Service("worker", [Route(NOTES, together, "worker", ordered=False, in_flight=1, members=2)]))
    await runtime.start()
    await runtime.publish([Outgoing(NOTES, Note(1, "first"), 0, "s1")])
    await runtime.publish([Outgoing(NOTES, Note(2, "second"), 1, "s1")])

    async with asyncio.timeout(SECONDS):
        await both.wait()
    await runtime.stop()

    assert working == {0, 1}
