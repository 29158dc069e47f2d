"""One turn of a consumer: several messages handled, each with its verdict, on every runtime in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.runtime.delivery import Courier, Finished, Tries, Verdict
from shared.runtime.records import Stored
from shared.runtime.service import Route


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits for its next try. `due` is on the monotonic clock."""

    due: float
    tries: Tries


@dataclass(frozen=True, slots=True)
class Turn:
    """How a consumer handles what it fetched.

    `held` gives the earlier tries of a (partition, message), `settle` takes its verdict, `is_stopping` ends the turn
    after what is being handled; what was not handled is simply not settled.
    """

    service: str
    route: Route
    courier: Courier
    held: Callable[[int, Stored], Held | None]
    settle: Callable[[int, Stored, Verdict], None]
    is_stopping: Callable[[], bool]

    async def handle(self, by_partition: Mapping[int, Sequence[Stored]]) -> None:
        """Handle messages of several partitions at the same time; on ordered routes those of one partition in order."""
        async with asyncio.TaskGroup() as group:
            for number, messages in by_partition.items():
                lanes = [messages] if self.route.ordered else [[stored] for stored in messages]
                for lane in lanes:
                    group.create_task(self._handle_lane(number, lane))

    async def _handle_lane(self, number: int, lane: Sequence[Stored]) -> None:
        """Handle messages one after the other, until one does not finish or the consumer stops."""
        for stored in lane:
            if self.is_stopping():
                return
            held = self.held(number, stored)
            verdict = await self.courier.deliver(self.service, self.route, stored, held.tries if held else Tries())
            self.settle(number, stored, verdict)
            if not isinstance(verdict, Finished):
                return
