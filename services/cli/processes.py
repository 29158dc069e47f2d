"""`hub api` and `hub service NAME`: the processes of a cluster."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from services.app import Hub, ServiceProcess, api_hub, service_process
from services.cli.http_server import Listener, listening
from services.cli.options import answer, answer_json
from services.cli.stopping import PROCESS_STARTED, run_until, stop_on_signals
from services.probes import Front, Probes
from services.settings import HubSettings
from shared.observability.events import emit
from shared.observability.logs import configure_logging
from shared.observability.metrics import Metrics
from shared.runtime.garbage import settle_garbage_collector


async def run_api(settings: HubSettings, *, as_json: bool) -> None:
    """Serves the API until SIGTERM or SIGINT. Probes answer from the beginning, the API once bus and store do."""

    def started(hub: Hub) -> None:
        outside.front.api = hub.app
        outside.probes.begin(hub.runtime, hub.stores.documents)
        settle_garbage_collector()
        emit(PROCESS_STARTED, service="api")
        _say_api(outside.listener.url, hub.first_token.text if hub.first_token else None, as_json=as_json)

    async def stopping(hub: Hub) -> None:
        """Calls under way are answered while everything is still there; streams would never end by themselves."""
        await hub.end_streams()
        await outside.listener.close()

    stop = stop_on_signals()
    async with _outside(settings) as outside:
        await run_until(stop, lambda: api_hub(settings, observer=outside.metrics), started, stopping)


async def run_service(settings: HubSettings, name: str, *, as_json: bool) -> None:
    """Runs one service until SIGTERM or SIGINT; what it has begun is finished and committed then."""

    def started(process: ServiceProcess) -> None:
        outside.probes.begin(process.runtime, process.stores.documents)
        settle_garbage_collector()
        emit(PROCESS_STARTED, service=name)
        _say_service(name, outside.listener.url, as_json=as_json)

    stop = stop_on_signals()
    async with _outside(settings, serves_api=False) as outside:
        await run_until(stop, lambda: service_process(settings, name, observer=outside.metrics), started)


@dataclass
class _Outside:
    """What a process shows of itself."""

    metrics: Metrics
    probes: Probes
    front: Front
    listener: Listener


@asynccontextmanager
async def _outside(settings: HubSettings, *, serves_api: bool = True) -> AsyncIterator[_Outside]:
    configure_logging(json_lines=not sys.stderr.isatty(), level=settings.log_level)
    metrics = Metrics(version("migration-hub"))
    probes = Probes(metrics)
    front = Front(probes, serves_api=serves_api)
    end_seconds = max(1, int(0.6 * settings.stop_seconds))
    with metrics.listening():
        async with listening(
            front, host=settings.http_host, port=settings.http_port, end_seconds=end_seconds
        ) as listener:
            yield _Outside(metrics, probes, front, listener)


def _say_api(url: str, token: str | None, *, as_json: bool) -> None:
    if as_json:
        answer_json({"url": url, "api": f"{url}/api/v1", "token": token})
        return
    answer(f"The API of the hub runs at {url}/api/v1 (described in {url}/api/v1/openapi.json). Stop with Ctrl-C.")
    if token:
        answer(f"Owner token, shown only now: {token}")


def _say_service(name: str, url: str, *, as_json: bool) -> None:
    if as_json:
        answer_json({"service": name, "url": url})
    else:
        answer(f"The service {name} runs; {url}/ready tells whether it takes work. Stop with Ctrl-C.")
