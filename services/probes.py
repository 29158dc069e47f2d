"""What a process answers besides the API: /live, /ready and /metrics, from its first moment on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from services.instances import INSTANCES
from shared.errors import HubError, RetryableError
from shared.http.application import API_PREFIX
from shared.http.probes import make_metrics_router, make_probe_router
from shared.http.problem import install_problem_handlers
from shared.observability.metrics import Metrics
from shared.runtime import Fault, Lag, Runtime
from shared.storage.documents import Documents

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LAG_SECONDS = 2.0
"""How old the lag that the probes tell may be: it costs the cluster some twenty requests."""
PATHS = frozenset({"/live", "/ready", "/metrics"})


@dataclass
class Probes:
    """Looks at the process's parts once `begin` named them; before that it lives and is not ready."""

    metrics: Metrics
    _runtime: Runtime | None = None
    _documents: Documents | None = None
    _known_lag: list[Lag] = field(default_factory=list)
    _lag_until: float = 0.0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self, runtime: Runtime, documents: Documents) -> None:
        """The process has started."""
        self._runtime, self._documents = runtime, documents

    def app(self) -> FastAPI:
        """The probes as an app; it has no API."""
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        checks = {"store": self._store, "bus": self._bus, "consumers": self._consumers}
        app.include_router(make_probe_router(checks, metrics=self.metrics))
        app.include_router(make_metrics_router(self.metrics, self._lag, self._faults))
        install_problem_handlers(app)
        return app

    async def _store(self) -> None:
        if self._documents is None:
            raise _starting()
        await self._documents.get(INSTANCES, "ready")

    async def _bus(self) -> None:
        if self._runtime is None:
            raise _starting()
        await self._lag()

    async def _consumers(self) -> None:
        if self._runtime is None:
            raise _starting()
        if faults := self._runtime.faults():
            raise HubError(faults[0].message, next_step=faults[0].next_step, code="consumer_stopped")
        # Where consumers come and go, each gets its share of the partitions some time after the start.
        has_joined = getattr(self._runtime, "has_joined", None)
        if has_joined is not None and not has_joined():
            raise RetryableError("The consumers have no partitions yet.", next_step="Wait for the rebalance to end.")

    async def _lag(self) -> list[Lag]:
        """Asked for anew after LAG_SECONDS only, and by one caller at a time: anybody may call the probes."""
        if self._runtime is None:
            return []
        async with self._asking:
            if time.monotonic() >= self._lag_until:
                self._known_lag = await self._runtime.lag()
                self._lag_until = time.monotonic() + LAG_SECONDS
            return self._known_lag

    def _faults(self) -> list[Fault]:
        return self._runtime.faults() if self._runtime is not None else []


class Front:
    """ASGI app of a process: the probes at their paths, everything else by the API as soon as it is there.

    `serves_api`: the process will have one; until then a call to it is asked to come again.
    """

    def __init__(self, probes: Probes, *, serves_api: bool = True) -> None:
        self.api: ASGIApp | None = None
        self._probes = probes.app()
        if serves_api:
            self._probes.add_api_route(f"{API_PREFIX}/{{rest:path}}", _not_yet, methods=METHODS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_probe = scope["type"] == "http" and scope["path"] in PATHS
        app = self._probes if is_probe or self.api is None else self.api
        await app(scope, receive, send)


async def _not_yet() -> None:
    raise _starting()


def _starting() -> RetryableError:
    return RetryableError("The process is starting.", next_step="Wait; if it stays so, look into its log.")
