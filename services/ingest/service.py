"""What ingest is made of."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from services.ingest.api import make_router
from services.ingest.handlers import IngestHandlers
from services.ingest.model import RUNS, Run
from services.ingest.runs import Runs
from services.ingest.sessions import Sessions
from services.ingest.starting import RunStarter
from shared.catalog import Catalog
from shared.errors import ConflictError, RetryableError
from shared.messages.envelope import Clock, Topic
from shared.messages.topics import (
    BATCH_LOADED,
    BATCH_STAGED,
    FINALIZE_PLANNED,
    MAPPING_APPROVED,
    REFERENCES_SETTLED,
    RUN_CLOSED,
    SEAL_COMPLETED,
    consumer_group,
)
from shared.runtime import Handler, RetryPolicy, Route, Service, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.documents import Documents
from shared.storage.files import Files
from shared.storage.progress import ProgressStore

NAME = "ingest"

# Two turns of a consumer (16 messages): while one is committed the next one is worked on. At most 16 MiB of text.
WINDOW_BATCHES = 32

SWEEP_SECONDS = 10.0
REPAIR_FIRST_SECONDS = 60.0
REPAIR_SECONDS_MAX = 3_600.0

_UNTIL_IT_WORKS = RetryPolicy(attempts_max=None, pauses_max=None)


def make_ingest(
    *,
    documents: Documents,
    outbox: Outbox,
    progress: ProgressStore,
    files: Files,
    workers: WorkerPool,
    clock: Clock,
    catalog: Catalog,
    window: int = WINDOW_BATCHES,
) -> Service:
    """Ingest over its stores."""
    runs = Runs(documents=documents, outbox=outbox, progress=progress, files=files, clock=clock)
    sessions = Sessions(documents=documents, outbox=outbox, files=files, workers=workers, clock=clock)
    starter = RunStarter(sessions=sessions, runs=runs, catalog=catalog, window=window)
    handlers = IngestHandlers(runs=runs, sessions=sessions)
    caretaker = Caretaker(runs, sessions, starter, outbox)

    def route(topic: Topic, handler: Handler, fail_point: str | None = None) -> Route:
        return Route(
            topic,
            handler,
            consumer_group(NAME, topic),
            retry=_UNTIL_IT_WORKS,
            fail_point_before_commit=fail_point,
        )

    return Service(
        name=NAME,
        routes=[
            route(BATCH_STAGED, handlers.staged, "ingest.batch_released_not_committed"),
            route(SEAL_COMPLETED, handlers.sealed),
            route(BATCH_LOADED, handlers.loaded, "ingest.batch_released_not_committed"),
            route(FINALIZE_PLANNED, handlers.pages_planned),
            route(REFERENCES_SETTLED, handlers.settled),
            route(RUN_CLOSED, handlers.closed),
            route(MAPPING_APPROVED, handlers.mapping_approved),
        ],
        router=make_router(sessions, runs, starter),
        start=caretaker.start,
        stop=caretaker.stop,
    )


@dataclass
class Caretaker:
    """Sweeps outboxes, lands again what was left, and repairs runs in which nothing has moved for long."""

    runs: Runs
    sessions: Sessions
    starter: RunStarter
    outbox: Outbox
    _task: asyncio.Task[None] | None = None
    _seen: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    """Run -> (sequence, acknowledgements of the step, seconds without news)."""

    async def start(self) -> None:
        """Begins at once with what an earlier process left."""
        await self.sessions.resume_landing()
        self._task = asyncio.create_task(self._work(), name="ingest caretaker")

    async def stop(self) -> None:
        """Ends the upkeep and abandons landing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.sessions.stop()

    async def _work(self) -> None:
        # A busy store passes, and who was quicker did the work: the next round tries again.
        with contextlib.suppress(RetryableError, ConflictError):
            await self.outbox.sweep(0.0)
            await self.starter.start_left()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with contextlib.suppress(RetryableError, ConflictError):
                await self.outbox.sweep()
                await self._repair()

    async def _repair(self) -> None:
        page = await self.runs.documents.find(RUNS, newest_first=True, limit=100)
        for run in (Run.model_validate_json(document.body) for document in page.documents):
            if run.freed or run.paused or await self.runs.running(run.account) != run.run:
                self._seen.pop(run.run, None)
                continue
            news = (run.sequence, await self.runs.progress.count(run.run, run.step))
            sequence, done, waited = self._seen.get(run.run, (*news, 0.0))
            waited = waited + SWEEP_SECONDS if (sequence, done) == news else 0.0
            self._seen[run.run] = (*news, waited)
            if _is_due(waited):
                await self.runs.repair(run.run)


def _is_due(waited_seconds: float) -> bool:
    """After one minute, then after two, four ... : at growing intervals, at the latest every hour."""
    due = REPAIR_FIRST_SECONDS
    while due < waited_seconds:
        due += min(due, REPAIR_SECONDS_MAX)
    return waited_seconds == due
