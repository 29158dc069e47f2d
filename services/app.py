"""The one composition root: the embedded hub, the HTTP face of a cluster, and one service as a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from services.access import make_router as make_access_router
from services.analyze.service import make_analyze
from services.bus import make_runtime
from services.data_directory import DataDirectory
from services.dead_letters import DeadLetterDesk, make_dead_letter_router
from services.health import ManyProcesses, OneProcess, Watch, make_health_router
from services.ingest.service import WINDOW_BATCHES, make_ingest
from services.instances import Heartbeat
from services.loader.handlers import PAGE_RECORDS
from services.loader.service import make_loader
from services.mapper.language_model import LanguageModel
from services.mapper.service import make_mapper
from services.settings import HubSettings, load_settings
from services.status.service import make_status
from services.stores import Stores, open_stores
from shared.catalog import Catalog, load_catalog
from shared.errors import ConflictError
from shared.http.application import create_app
from shared.http.idempotency import Idempotency
from shared.http.settings import HttpSettings
from shared.messages.envelope import Clock
from shared.runtime import Runtime, Service, WorkerPool
from shared.runtime.delivery import Observer
from shared.runtime.outbox import Outbox
from shared.runtime.service import Hook
from shared.security.principal import Principal, local_owner
from shared.security.tokens import NewToken, TokenStore

__all__ = ["SERVICES", "DataDirectory", "Hub", "ServiceProcess", "api_hub", "embedded_hub", "service_process"]

TITLE = "migration-hub"


@dataclass
class Hub:
    """A running hub with its API. `local_token` lets the process that made it act as its owner."""

    app: FastAPI
    runtime: Runtime
    stores: Stores
    tokens: TokenStore
    workers: WorkerPool
    local_token: str
    first_token: NewToken | None
    """The first owner token, on the very first start only; it is shown once."""
    end_streams: Hook
    """Ends answers that go on as long as somebody listens."""


@dataclass
class ServiceProcess:
    """One service that consumes."""

    name: str
    runtime: Runtime
    stores: Stores


@dataclass(frozen=True)
class _Parts:
    """What services are made of."""

    stores: Stores
    runtime: Runtime
    outbox: Outbox
    workers: WorkerPool
    clock: Clock
    catalog: Catalog
    settings: HubSettings
    window: int = WINDOW_BATCHES
    page_records: int = PAGE_RECORDS


def _status(parts: _Parts) -> Service:
    return make_status(
        store=parts.stores.outcomes,
        documents=parts.stores.documents,
        files=parts.stores.files,
        workers=parts.workers,
        clock=parts.clock,
        catalog=parts.catalog,
    )


def _loader(parts: _Parts) -> Service:
    return make_loader(
        staging=parts.stores.staging,
        records=parts.stores.records,
        files=parts.stores.files,
        workers=parts.workers,
        clock=parts.clock,
        catalog=parts.catalog,
        page_records=parts.page_records,
    )


def _mapper(parts: _Parts) -> Service:
    return make_mapper(
        documents=parts.stores.documents,
        outbox=parts.outbox,
        files=parts.stores.files,
        workers=parts.workers,
        clock=parts.clock,
        catalog=parts.catalog,
        language_model=_language_model(parts.settings),
        memory_shared=parts.settings.mapper_memory_shared,
    )


def _language_model(settings: HubSettings) -> LanguageModel | None:
    """The one of the settings; None where none is set, which is the default."""
    if settings.mapper_llm_url is None or settings.mapper_llm_model is None:
        return None
    key = settings.mapper_llm_key
    return LanguageModel(
        url=settings.mapper_llm_url,
        model=settings.mapper_llm_model,
        key=key.get_secret_value() if key is not None else None,
        samples_allowed=settings.mapper_llm_samples_allowed,
        confidence_below=settings.mapper_llm_confidence_below,
        timeout_seconds=settings.mapper_llm_timeout_seconds,
    )


def _analyze(parts: _Parts) -> Service:
    return make_analyze(documents=parts.stores.documents, files=parts.stores.files, workers=parts.workers)


def _ingest(parts: _Parts) -> Service:
    return make_ingest(
        documents=parts.stores.documents,
        outbox=parts.outbox,
        progress=parts.stores.progress,
        files=parts.stores.files,
        workers=parts.workers,
        clock=parts.clock,
        catalog=parts.catalog,
        window=parts.window,
        repair_seconds=parts.settings.repair_seconds,
    )


# In the order in which they start: who is sent something is there before who sends it.
_MAKERS: dict[str, Callable[[_Parts], Service]] = {
    "status": _status,
    "loader": _loader,
    "mapper": _mapper,
    "analyze": _analyze,
    "ingest": _ingest,
}
SERVICES = tuple(sorted(_MAKERS))


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
    settings: HubSettings | None = None,
    observer: Observer | None = None,
) -> AsyncIterator[Hub]:
    """All services on a data directory whose lock the caller holds. `runtime` replaces the embedded log in tests.

    Without `settings` everything lies in the directory, whatever the environment says of other places.
    The first owner token can be read once only, so it is not made where nobody would show it (`show_first_token`).
    """
    if settings is None:
        places = {"bus": None, "store": None, "files": None}
        settings = load_settings(data_dir=data_directory).model_copy(update=places)
    async with AsyncExitStack() as stack:
        _hold_log(stack, settings)
        runtime = runtime or make_runtime(settings, clock, observer)
        parts = await _parts(stack, settings, clock, runtime, workers, window, page_records)
        services = [make(parts) for make in _MAKERS.values()]
        for service in services:
            runtime.add(service, loaders if service.name == "loader" else 1)
        await runtime.start()
        stack.push_async_callback(runtime.stop)
        hub = await _hub(parts, services, OneProcess(runtime), makes_token=show_first_token)
        yield hub
    _write_stage_times(hub.workers)


@asynccontextmanager
async def api_hub(
    settings: HubSettings,
    *,
    clock: Clock = time.time,
    observer: Observer | None = None,
    show_first_token: bool = True,
) -> AsyncIterator[Hub]:
    """The HTTP of all services and no consumer: a process without state, of which several may run.

    RetryableError while the bus or the store is away.
    """
    async with AsyncExitStack() as stack:
        runtime = make_runtime(settings, clock, observer)
        parts = await _parts(stack, settings, clock, runtime)
        services = [make(parts) for make in _MAKERS.values()]
        await _start(stack, runtime, settings)
        watch = ManyProcesses(runtime, parts.stores.documents, SERVICES, clock)
        hub = await _hub(parts, services, watch, makes_token=show_first_token)
        # No start hook: what they begin belongs to the consumers. Stop hooks end what HTTP calls began.
        for service in services:
            if service.stop is not None:
                stack.push_async_callback(service.stop)
        yield hub


@asynccontextmanager
async def service_process(
    settings: HubSettings, name: str, *, clock: Clock = time.time, observer: Observer | None = None
) -> AsyncIterator[ServiceProcess]:
    """One service, consuming, without its HTTP. It says in the store that it lives.

    RetryableError while the bus or the store is away.
    """
    async with AsyncExitStack() as stack:
        runtime = make_runtime(settings, clock, observer)
        parts = await _parts(stack, settings, clock, runtime)
        runtime.add(_MAKERS[name](parts))
        heartbeat = Heartbeat(parts.stores.documents, name, runtime.faults, clock)
        stack.push_async_callback(heartbeat.stop)
        await _start(stack, runtime, settings)
        await heartbeat.start()
        yield ServiceProcess(name, runtime, parts.stores)


# ---- inside ---------------------------------------------------------------------------------------------------


async def _parts(
    stack: AsyncExitStack,
    settings: HubSettings,
    clock: Clock,
    runtime: Runtime,
    workers: int | None = None,
    window: int = WINDOW_BATCHES,
    page_records: int = PAGE_RECORDS,
) -> _Parts:
    stores = await stack.enter_async_context(open_stores(settings, clock))
    pool = await stack.enter_async_context(WorkerPool(workers or settings.worker_count))
    outbox = Outbox(stores.documents, runtime)
    return _Parts(stores, runtime, outbox, pool, clock, load_catalog(), settings, window, page_records)


async def _hub(parts: _Parts, services: Sequence[Service], watch: Watch, *, makes_token: bool) -> Hub:
    """The API over the parts, once everything runs: a first token made before a start that fails is never shown."""
    documents = parts.stores.documents
    tokens = TokenStore(documents)
    if (given := parts.settings.owner_token) is not None:
        await tokens.ensure_owner(given.get_secret_value())
    first_token = await tokens.first_start() if makes_token else None
    local_token = f"local_{secrets.token_urlsafe(32)}"
    idempotency = Idempotency(documents, clock=parts.clock)
    await idempotency.purge()
    desk = DeadLetterDesk(parts.runtime, documents, parts.clock)
    app = create_app(
        TITLE,
        [
            *(service.router for service in reversed(services) if service.router is not None),
            make_health_router(watch, desk),
            make_dead_letter_router(desk),
            make_access_router(tokens),
        ],
        version=version("migration-hub"),
        verifier=_LocalVerifier(tokens, local_token),
        idempotency=idempotency,
        settings=HttpSettings(),
    )
    return Hub(
        app=app,
        runtime=parts.runtime,
        stores=parts.stores,
        tokens=tokens,
        workers=parts.workers,
        local_token=local_token,
        first_token=first_token,
        end_streams=next(service.stop for service in services if service.name == "status" and service.stop),
    )


async def _start(stack: AsyncExitStack, runtime: Runtime, settings: HubSettings) -> None:
    """Starts the runtime; at its stop the stores and the HTTP side get a fifth of the time."""

    async def stop() -> None:
        await runtime.stop(0.8 * settings.stop_seconds)

    await runtime.start()
    stack.push_async_callback(stop)


def _hold_log(stack: AsyncExitStack, settings: HubSettings) -> None:
    """An embedded log outside of the data directory is not held by its lock: one of its own keeps it for us alone."""
    folder = settings.log_folder
    if folder is None or folder.absolute() == settings.data_dir.absolute():
        return
    lock = DataDirectory(folder)
    if not lock.acquire():
        raise ConflictError(
            f"Another hub runs on the log in {folder}. Nothing was started.",
            next_step="Stop it first, or choose another place with HUB_BUS.",
        )
    stack.callback(lock.release)


class _LocalVerifier:
    """Knows the local token of this process besides the stored ones."""

    def __init__(self, tokens: TokenStore, local_token: str) -> None:
        self._tokens = tokens
        self._local_token = local_token

    async def verify(self, text: str) -> Principal | None:
        if secrets.compare_digest(text.encode(), self._local_token.encode()):
            return local_owner()
        return await self._tokens.verify(text)


def _write_stage_times(workers: WorkerPool) -> None:
    """CPU seconds by worker function and of this process into the file HUB_STAGE_TIMES names, for benchmarks."""
    if path := os.environ.get("HUB_STAGE_TIMES"):
        seconds = {"parent": time.process_time(), **workers.cpu_seconds}
        Path(path).write_text(json.dumps({name: round(value, 2) for name, value in seconds.items()}))
