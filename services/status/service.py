"""What status is made of."""

from __future__ import annotations

from services.status.api import make_router
from services.status.error_file import ErrorFiles
from services.status.handlers import StatusHandlers
from services.status.progress import Progress
from shared.catalog import Catalog
from shared.messages.envelope import Clock
from shared.messages.topics import (
    BATCH_LOADED,
    BATCH_STAGED,
    PROBLEMS_FOUND,
    REFERENCES_SETTLED,
    RUN_CHANGED,
    SESSION_CHANGED,
    consumer_group,
)
from shared.runtime import Route, Service, WorkerPool
from shared.storage.documents import Documents
from shared.storage.files import Files
from shared.storage.outcomes import OutcomeStore

NAME = "status"


def make_status(
    *,
    store: OutcomeStore,
    documents: Documents,
    files: Files,
    workers: WorkerPool,
    clock: Clock,
    catalog: Catalog,
) -> Service:
    """Status over its stores. Its router needs no consumer in the same process."""
    progress = Progress(store=store, documents=documents, files=files, catalog=catalog, clock=clock)
    handlers = StatusHandlers(store=store, progress=progress)
    error_files = ErrorFiles(store=store, files=files, workers=workers)
    readers = {
        BATCH_STAGED: handlers.staged,
        BATCH_LOADED: handlers.loaded,
        REFERENCES_SETTLED: handlers.settled,
        PROBLEMS_FOUND: handlers.problems,
        RUN_CHANGED: handlers.run_changed,
        SESSION_CHANGED: handlers.session_changed,
    }
    return Service(
        name=NAME,
        # Every effect is keyed by its outcome, so messages of one run need no order; the last news of a session do.
        routes=[
            Route(topic, handler, consumer_group(NAME, topic), ordered=topic is SESSION_CHANGED)
            for topic, handler in readers.items()
        ],
        router=make_router(progress, error_files),
        stop=progress.stop,
    )
