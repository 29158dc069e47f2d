"""What ingest is made of."""

from __future__ import annotations

from services.ingest.api import make_router
from services.ingest.caretaker import REPAIR_SECONDS, Caretaker
from services.ingest.handlers import IngestHandlers
from services.ingest.landing import Landing
from services.ingest.runs import Runs
from services.ingest.sessions import Sessions
from services.ingest.starting import RunStarter
from shared.catalog import Catalog
from shared.messages.envelope import Clock, Topic
from shared.messages.topics import (
    BATCH_LOADED,
    BATCH_STAGED,
    FILE_RECEIVED,
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

# Files that a process lands at the same time though they were not added at the same moment, if it has workers for them.
LANDING_MEMBERS = 4

_UNTIL_IT_WORKS = RetryPolicy(attempts_max=None, pauses_max=None)
# A full disk or a worker that died is no fault of the file: it is tried again for about half a minute.
_HALF_A_MINUTE = RetryPolicy(attempts_max=7, first_wait_seconds=1.0, wait_seconds_max=16.0)


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
    repair_seconds: float = REPAIR_SECONDS,
) -> Service:
    """Ingest over its stores. What has not moved for `repair_seconds` is sent again, then at growing intervals."""
    runs = Runs(documents=documents, outbox=outbox, progress=progress, files=files, clock=clock)
    sessions = Sessions(documents=documents, outbox=outbox, files=files, workers=workers, clock=clock)
    starter = RunStarter(sessions=sessions, runs=runs, catalog=catalog, window=window)
    landing = Landing(sessions=sessions, files=files, workers=workers)
    handlers = IngestHandlers(runs=runs, sessions=sessions, landing=landing)
    caretaker = Caretaker(runs, landing, starter, outbox, repair_seconds)

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
            Route(
                FILE_RECEIVED,
                handlers.file_received,
                consumer_group(NAME, FILE_RECEIVED),
                give_up=handlers.file_given_up,
                ordered=False,
                in_flight=4,
                members=LANDING_MEMBERS,
                retry=_HALF_A_MINUTE,
            ),
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
        stopping=landing.stopping,
    )
