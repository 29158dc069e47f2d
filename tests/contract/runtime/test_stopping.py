"""A handler that takes long is told that the runtime stops, gives its message back, and gets it again later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.errors import RetryableError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import Route, Service
from tests.contract.runtime.conftest import Start
from tests.contract.runtime.notes import NOTES, drained, note, reader, until

SECONDS = 20


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
        return Service("reader", [Route(NOTES, self.handle, "hub.reader")], stopping=self.stopping)


async def test_long_work_ends_when_the_runtime_stops_and_is_done_after_the_next_start(start: Start) -> None:
    stopped, later = LongWork(), LongWork()
    later.may_end.set()
    runtime = await start(stopped.service())
    await runtime.publish([note(7)])
    await until(stopped.begun.is_set)

    async with asyncio.timeout(SECONDS):
        await runtime.stop(timeout_seconds=1_000.0)
    runtime = await start(later.service())
    await drained(runtime)

    assert (stopped.done, stopped.is_cancelled, later.done) == ([], False, [7])


async def test_a_route_may_have_more_members_than_its_service(start: Start) -> None:
    """One that is busy holds up its own partitions only."""
    working: set[int] = set()

    async def together(delivery: Delivery) -> Sequence[Outgoing]:
        working.add(delivery.partition)
        await until(lambda: len(working) >= 2)
        return []

    runtime = await start(reader(together, ordered=False, in_flight=1, members=2))
    for n in (0, 1, 2, 3):
        await runtime.publish([note(n)])
    await drained(runtime)

    assert working == {0, 1, 2, 3}
