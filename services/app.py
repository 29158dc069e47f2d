"""The one composition root: the embedded hub, all services in one process on a data directory."""

from __future__ import annotations

import fcntl
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

from services.analyze.service import make_analyze
from services.ingest.service import WINDOW_BATCHES, make_ingest
from services.loader.service import make_loader
from services.mapper.service import make_mapper
from services.status.service import make_status
from shared.catalog import load_catalog
from shared.errors import ConfigurationError
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


class DataDirectory:
    """The folder of an embedded hub and its lock, held while a process runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def server_file(self) -> Path:
        """Where the process that holds the lock says how to reach it."""
        return self.path / "server.json"

    def acquire(self) -> bool:
        """Takes the lock; False where another process runs the hub on this folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"The data directory {self.path} cannot be made: {error.strerror}.",
                next_step="Choose another one with --data-dir.",
            ) from error
        # O_CLOEXEC: worker processes must not inherit the lock, or it would outlive a killed parent.
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        self.server_file.unlink(missing_ok=True)
        return True

    def announce(self, url: str, token: str) -> None:
        """Tells commands of the same user how to reach this process."""
        temporary = self.path / f"server.json.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"url": url, "token": token, "pid": os.getpid()}, file)
        temporary.replace(self.server_file)

    def server(self) -> tuple[str, str] | None:
        """(address, token) of the process that holds the lock; None while it does not say."""
        try:
            known = json.loads(self.server_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return known["url"], known["token"]

    def release(self) -> None:
        """Gives the lock back."""
        if self._lock is not None:
            self.server_file.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


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
    runtime: Runtime | None = None,
) -> AsyncIterator[Hub]:
    """All services on a data directory whose lock the caller holds. `runtime` replaces the embedded log in tests."""
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
        first_token = await tokens.first_start()
        runtime = runtime or EmbeddedRuntime(data_directory / "log.db", clock=clock)
        outbox = Outbox(documents, runtime)
        services: list[tuple[Service, int]] = [
            (make_status(store=outcomes, files=files, workers=pool, clock=clock, catalog=catalog), 1),
            (
                make_loader(
                    staging=staging, records=records, files=files, workers=pool, clock=clock, catalog=catalog
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
            [service.router for service, _ in reversed(services) if service.router is not None],
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

