"""`hub up`: all services in one process tree with the HTTP API, until it is stopped."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from services.app import Hub, embedded_hub
from services.cli.connection import serving
from services.cli.options import answer, answer_json
from services.cli.stopping import stop_on_signals
from services.data_directory import DataDirectory
from services.probes import Front, Probes
from services.settings import load_settings
from shared.errors import ConfigurationError, ConflictError
from shared.observability.logs import configure_logging
from shared.observability.metrics import Metrics
from shared.security.principal import DEFAULT_ACCOUNT, Role


async def serve(data_directory: Path, *, host: str, port: int, new_token: bool, as_json: bool) -> None:
    """Runs until SIGTERM or SIGINT; ConflictError where another process runs the hub on this directory."""
    settings = load_settings(data_dir=data_directory)
    if settings.has_shared_bus:
        raise ConfigurationError(
            "`hub up` runs everything in one process on a log of its own, and HUB_BUS names a Kafka cluster.",
            next_step="Run `hub api` and each `hub service NAME` instead, or unset HUB_BUS. Nothing was started.",
        )
    directory = DataDirectory(data_directory)
    if not directory.acquire():
        known = directory.server()
        where = f" at {known[0]}" if known else ""
        raise ConflictError(
            f"A hub already runs on {data_directory}{where}.",
            next_step="Use that one, stop it first, or choose another directory with --data-dir.",
        )
    configure_logging(json_lines=not sys.stderr.isatty(), level=settings.log_level)
    metrics = Metrics(version("migration-hub"))
    probes = Probes(metrics)
    front = Front(probes)
    stop = stop_on_signals()
    try:
        with metrics.listening():
            async with embedded_hub(data_directory, settings=settings, observer=metrics) as hub:
                front.api = hub.app
                probes.begin(hub.runtime, hub.stores.documents)
                token = await _token_to_show(hub, new_token)
                async with serving(directory, front, hub.local_token, host=host, port=port) as url:
                    _say(url, token, data_directory, as_json=as_json)
                    await stop.wait()
    finally:
        directory.release()


async def _token_to_show(hub: Hub, new_token: bool) -> str | None:
    if hub.first_token is not None:
        return hub.first_token.text
    if new_token:
        return (await hub.tokens.create(DEFAULT_ACCOUNT, Role.OWNER, "made with hub up")).text
    return None


def _say(url: str, token: str | None, data_directory: Path, *, as_json: bool) -> None:
    if as_json:
        answer_json({"url": url, "api": f"{url}/api/v1", "token": token, "data_dir": str(data_directory.absolute())})
        return
    answer(f"The hub runs at {url}, its API at {url}/api/v1 (described in {url}/api/v1/openapi.json).")
    answer(f"Data lie in {data_directory.absolute()}. Stop with Ctrl-C.")
    if token:
        answer(f"Owner token, shown only now: {token}")
