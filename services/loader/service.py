"""What loader is made of."""

from __future__ import annotations

from services.loader.api import make_router
from services.loader.destination_hub import HubDestination
from services.loader.handlers import PAGE_RECORDS, LoaderHandlers
from shared.catalog import Catalog
from shared.connectors.destination import Destination
from shared.messages.envelope import Clock
from shared.messages.topics import (
    BATCH_MAPPED,
    CLOSE_REQUESTED,
    FINALIZE_REQUESTED,
    LOAD_REQUESTED,
    OUTCOMES_REQUESTED,
    SEAL_REQUESTED,
    consumer_group,
)
from shared.runtime import RetryPolicy, Route, Service, WorkerPool
from shared.storage.files import Files
from shared.storage.records import RecordStore
from shared.storage.staging import StagingStore

NAME = "loader"

# What must not be given up: without its answer the run would never end. A store that is away makes the run wait.
_UNTIL_IT_WORKS = RetryPolicy(attempts_max=None, pauses_max=None)


def make_loader(
    *,
    staging: StagingStore,
    records: RecordStore,
    files: Files,
    workers: WorkerPool,
    clock: Clock,
    catalog: Catalog,
    page_records: int = PAGE_RECORDS,
    destination: Destination | None = None,
) -> Service:
    """Loader over its stores. Records go to the hub's own store where no other `destination` is given."""
    handlers = LoaderHandlers(
        staging=staging,
        records=records,
        destination=destination or HubDestination(records),
        files=files,
        workers=workers,
        clock=clock,
        page_records=page_records,
    )
    return Service(
        name=NAME,
        routes=[
            Route(BATCH_MAPPED, handlers.stage, consumer_group(NAME, BATCH_MAPPED), ordered=False, in_flight=16),
            Route(SEAL_REQUESTED, handlers.seal, consumer_group(NAME, SEAL_REQUESTED), give_up=handlers.seal_given_up),
            Route(
                LOAD_REQUESTED,
                handlers.load,
                consumer_group(NAME, LOAD_REQUESTED),
                give_up=handlers.load_given_up,
                ordered=False,
                in_flight=16,
                retry=_UNTIL_IT_WORKS,
            ),
            Route(
                FINALIZE_REQUESTED,
                handlers.finalize,
                consumer_group(NAME, FINALIZE_REQUESTED),
                retry=_UNTIL_IT_WORKS,
            ),
            Route(CLOSE_REQUESTED, handlers.close, consumer_group(NAME, CLOSE_REQUESTED), retry=_UNTIL_IT_WORKS),
            Route(OUTCOMES_REQUESTED, handlers.repeat_outcomes, consumer_group(NAME, OUTCOMES_REQUESTED)),
        ],
        router=make_router(records, catalog),
    )
