"""The one composition root: the embedded hub, all services in one process on a data directory."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from services.access import make_router as make_access_router
from services.analyze.service import make_analyze
from services.data_directory import DataDirectory
from services.health import make_health_router
from services.ingest.service import WINDOW_BATCHES, make_ingest
from services.loader.handlers import PAGE_RECORDS
from services.loader.service import make_loader
from services.mapper.service import make_mapper
from services.status.service import make_status
from shared.catalog import load_catalog
from shared.http.application import create_app
from shared.http.idempotency import Idempotency
from shared.http.settings import HttpSettings
from shared.messages.envelope import Clock
from shared.runtime import EmbeddedRuntime, Runtime, Service, WorkerPool
from shared.runtime.outbox import Outbox
from shared.security.principal import Principal, local_owner
from shared.security.tokens import NewToken, TokenStore
from shared.storage.documents import SqliteDocuments
from shared.storage.files import DirectoryFiles
from shared.storage.outcomes import SqliteOutcomeStore
from shared.storage.progress import SqliteProgressStore
from shared.storage.records import SqliteRecordStore
from shared.storage.sqlite import SqliteDatabase
from shared.storage.staging import SqliteStagingStore

__all__ = ["DataDirectory", "Hub", "embedded_hub"]

TITLE = "migration-hub"


@dataclass
class Hub:
    """A running embedded hub. `local_token` lets the process that made it act as the owner of its data directory."""

    app: FastAPI
    runtime: Runtime
    tokens: TokenStore
    workers: WorkerPool
    local_token: str
    first_token: NewToken | None
    """The first owner token, on the very first start only; it is shown once."""


class _LocalVerifier:
    """Knows the local token of this process besides the stored ones."""

    def __init__(self, tokens: TokenStore, local_token: str) -> None:
        self._tokens = tokens
        self._local_token = local_token

    async def verify(self, text: str) -> Principal | None:
        if secrets.compare_digest(text.encode(), self._local_token.encode()):
            return local_owner()
        return await self._tokens.verify(text)


def worker_count() -> int:
    """Worker processes for parsing and mapping: one per core, since the parent mostly waits for disk and workers."""
    return max(1, int(os.environ.get("HUB_WORKERS", str(os.cpu_count() or 1))))


@asynccontextmanager
async def embedded_hub(
    data_directory: Path,
    *,
    clock: Clock = time.time,
    workers: int | None = None,
    window: int = WINDOW_BATCHES,
    loaders: int = 1,
    page_records: int = PAGE_RECORDS,
    runtime: Runtime | None = None,
    show_first_token: bool = True,
) -> AsyncIterator[Hub]:
    """All services on a data directory whose lock the caller holds. `runtime` replaces the embedded log in tests.

    The first owner token can be read once only, so it is not made where nobody would show it (`show_first_token`).
    """
    catalog = load_catalog()
    async with AsyncExitStack() as stack:
        store = SqliteDatabase(data_directory / "store.db")
        stack.push_async_callback(store.close)
        staging_database = SqliteDatabase(data_directory / "staging.db")
        stack.push_async_callback(staging_database.close)
        documents = SqliteDocuments(store, clock=clock)
        await documents.start()
        records = SqliteRecordStore(store)
        await records.start()
        progress = SqliteProgressStore(store)
        await progress.start()
        outcomes = SqliteOutcomeStore(store)
        await outcomes.start()
        staging = SqliteStagingStore(staging_database)
        await staging.start()
        files = DirectoryFiles(data_directory / "files")
        pool = await stack.enter_async_context(WorkerPool(workers or worker_count()))
        tokens = TokenStore(documents)
        first_token = await tokens.first_start() if show_first_token else None
        runtime = runtime or EmbeddedRuntime(data_directory / "log.db", clock=clock)
        outbox = Outbox(documents, runtime)
        services: list[tuple[Service, int]] = [
            (make_status(store=outcomes, files=files, workers=pool, clock=clock, catalog=catalog), 1),
            (
                make_loader(
                    staging=staging,
                    records=records,
                    files=files,
                    workers=pool,
                    clock=clock,
                    catalog=catalog,
                    page_records=page_records,
                ),
                loaders,
            ),
            (make_mapper(documents=documents, outbox=outbox, files=files, workers=pool, catalog=catalog), 1),
            (make_analyze(documents=documents, files=files, workers=pool), 1),
            (
                make_ingest(
                    documents=documents,
                    outbox=outbox,
                    progress=progress,
                    files=files,
                    workers=pool,
                    clock=clock,
                    catalog=catalog,
                    window=window,
                ),
                1,
            ),
        ]
        for service, members in services:
            runtime.add(service, members)
        local_token = f"local_{secrets.token_urlsafe(32)}"
        idempotency = Idempotency(documents, clock=clock)
        await idempotency.purge()
        app = create_app(
            TITLE,
            [
                *(service.router for service, _ in reversed(services) if service.router is not None),
                make_health_router(runtime),
                make_access_router(tokens),
            ],
            version=version("migration-hub"),
            verifier=_LocalVerifier(tokens, local_token),
            idempotency=idempotency,
            settings=HttpSettings(),
        )
        await runtime.start()
        stack.push_async_callback(runtime.stop)
        yield Hub(
            app=app,
            runtime=runtime,
            tokens=tokens,
            workers=pool,
            local_token=local_token,
            first_token=first_token,
        )
    _write_stage_times(pool)


def _write_stage_times(workers: WorkerPool) -> None:
    """CPU seconds by worker function and of this process into the file HUB_STAGE_TIMES names, for benchmarks."""
    if path := os.environ.get("HUB_STAGE_TIMES"):
        seconds = {"parent": time.process_time(), **workers.cpu_seconds}
        Path(path).write_text(json.dumps({name: round(value, 2) for name, value in seconds.items()}))
