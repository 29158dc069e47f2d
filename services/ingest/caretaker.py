"""What ingest looks after from time to time, in every process: what was left unsent, not begun, lost or forgotten.

Several processes do it side by side; that sends some messages twice and harms nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field

from services.ingest.landing import Landing
from services.ingest.model import RUNS, Run
from services.ingest.runs import Runs
from services.ingest.starting import RunStarter
from shared.errors import ConflictError, RetryableError
from shared.messages.control import ENDED
from shared.observability.events import UPKEEP_FAILED, emit
from shared.runtime.outbox import Outbox

SWEEP_SECONDS = 10.0
START_SECONDS_MAX = 30.0
"""A run that was made longer ago and holds no account was left by a process that died."""

REPAIR_SECONDS = 60.0
REPAIR_SECONDS_MAX = 3_600.0
TOLD_SECONDS = 24 * 3_600.0
"""So long after its end a run's last state is told again now and then, so that status learns what it missed."""

_RUNS_LOOKED_AT = 100


@dataclass
class _Watched:
    """A run as it was seen last: what counts as news, since when there are none, and when it is repaired next."""

    news: tuple[int, int]
    since: float
    due: float


@dataclass
class Caretaker:
    """Sweeps outboxes, starts what was left, asks again for lost files, repairs runs in which nothing has moved."""

    runs: Runs
    landing: Landing
    starter: RunStarter
    outbox: Outbox
    repair_seconds: float = REPAIR_SECONDS
    _task: asyncio.Task[None] | None = None
    _watched: dict[int, _Watched] = field(default_factory=dict)
    _looked_at: float = 0.0

    async def start(self) -> None:
        """Begins at once with what an earlier process left."""
        await self.landing.start()
        self._looked_at = self.runs.clock()
        self._task = asyncio.create_task(self._work(), name="ingest caretaker")

    async def stop(self) -> None:
        """Ends the upkeep."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        await _in_peace(self.outbox.sweep(0.0))
        await _in_peace(self.starter.start_left(0.0))
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, self.repair_seconds))
            await self.round()

    async def round(self) -> None:
        """One look at everything."""
        await _in_peace(self.outbox.sweep())
        await _in_peace(self.starter.start_left(START_SECONDS_MAX))
        await _in_peace(self.landing.ask_again(self.repair_seconds))
        await _in_peace(self._repair())

    async def _repair(self) -> None:
        now, before = self.runs.clock(), self._looked_at
        watched, self._watched = self._watched, {}
        for run in await self._runs_to_look_at():
            if run.freed:
                if any(before < moment <= now for moment in self._told_again(run)):
                    await self.runs.repair(run.run)
            elif await self._is_waiting(run):
                await self._watch(run, watched.get(run.run), now)
        self._looked_at = now

    async def _runs_to_look_at(self) -> list[Run]:
        """The newest runs, and those that hold an account however old they are."""
        page = await self.runs.documents.find(RUNS, newest_first=True, limit=_RUNS_LOOKED_AT)
        newest = [Run.model_validate_json(document.body) for document in page.documents]
        known = {run.run for run in newest}
        return newest + [await self.runs.get(run) for run in await self.runs.all_running() if run not in known]

    async def _is_waiting(self, run: Run) -> bool:
        """Whether the run should get on by itself: it holds the account, or has ended and was not closed."""
        if run.state in ENDED:
            return True
        return not run.paused and await self.runs.running(run.account) == run.run

    async def _watch(self, run: Run, seen: _Watched | None, now: float) -> None:
        news = (run.sequence, await self.runs.progress.count(run.run, run.step))
        if seen is None or seen.news != news:
            seen = _Watched(news, now, self.repair_seconds)
        elif now - seen.since >= seen.due:
            seen.due += min(seen.due, REPAIR_SECONDS_MAX)
            await self.runs.repair(run.run)
        self._watched[run.run] = seen

    def _told_again(self, run: Run) -> Iterator[float]:
        """The moments at which a run that is over is told again: at growing intervals, for a day."""
        wait = self.repair_seconds
        while wait < TOLD_SECONDS:
            yield (run.ended_at or 0.0) + wait
            wait *= 2


async def _in_peace(work: Awaitable[object]) -> None:
    """A busy store passes, and who was quicker did the work: the next round tries again.

    So it does after a fault of our own, which is told: one bad document must not end the upkeep of all accounts.
    """
    try:
        await work
    except (RetryableError, ConflictError):
        pass
    except Exception as fault:
        emit(UPKEEP_FAILED, exc_info=fault)
