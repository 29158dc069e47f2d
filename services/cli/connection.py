"""How a command reaches a hub: over HTTP to a server, to the process that holds the data directory, or to itself.

The process that takes the data directory's lock runs all services and listens on a loopback port; its own command is a
client of that port like any other command on the same directory. Where HUB_BUS names a cluster, a command without
--server is a client of an API of its own on the cluster's bus and stores.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from services.cli.client import ANSWER_SECONDS_MAX, Client
from services.cli.http_server import LOOPBACK, listening
from services.data_directory import DataDirectory
from shared.errors import ConfigurationError, ConflictError

ANNOUNCED_SECONDS_MAX = 15.0
"""A hub that starts announces itself within some two seconds."""
CONNECT_SECONDS_MAX = 10.0
CLUSTER_SCHEME = "kafka://"
"""Of a bus whose consumers are processes of their own."""


@dataclass(frozen=True)
class Target:
    """Which hub a command is for: the one of a data directory, or with `server` one that runs elsewhere."""

    data_directory: Path
    server: str | None = None
    token: str | None = None

    @property
    def reports(self) -> Path:
        """Folder of reports and error files: beside the data, or in the working directory."""
        return Path("hub-reports") if self.server else self.data_directory / "reports"


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Client]:
    """A client of the target's hub, which runs as long as the context where this process has to run it."""
    if target.server is not None:
        async with _remote(target) as client:
            yield client
        return
    if os.environ.get("HUB_BUS", "").startswith(CLUSTER_SCHEME):
        async with (
            _own_face_of_cluster(target.data_directory) as address,
            _client(*address, target, takes_paths=False, is_local=True) as client,
        ):
            yield client
        return
    directory = DataDirectory(target.data_directory)
    deadline = time.monotonic() + ANNOUNCED_SECONDS_MAX
    while not directory.acquire():
        if (known := directory.server()) is not None:
            async with _client(*known, target, takes_paths=True) as client:
                yield client
            return
        if time.monotonic() > deadline:
            raise ConflictError(
                f"Another process uses the data directory {target.data_directory} and does not answer.",
                next_step="Wait until it ends, or choose another directory with --data-dir. Nothing was changed.",
            )
        await asyncio.sleep(0.05)
    try:
        async with _own(directory) as (url, token), _client(url, token, target, takes_paths=True) as client:
            yield client
    finally:
        directory.release()


@asynccontextmanager
async def serving(directory: DataDirectory, app: Any, token: str, *, host: str, port: int) -> AsyncIterator[str]:
    """Listens with a hub's API while the context lasts, and announces it; gives the address for this machine."""
    async with listening(app, host=host, port=port) as listener:
        directory.announce(listener.url, token)
        yield listener.url


@asynccontextmanager
async def _own(directory: DataDirectory) -> AsyncIterator[tuple[str, str]]:
    from services.app import embedded_hub
    from services.settings import load_settings

    settings = load_settings(data_dir=directory.path)
    _log_little()
    async with (
        embedded_hub(directory.path, show_first_token=False, settings=settings) as hub,
        serving(directory, hub.app, hub.local_token, host=LOOPBACK, port=0) as url,
    ):
        yield url, hub.local_token


@asynccontextmanager
async def _own_face_of_cluster(data_directory: Path) -> AsyncIterator[tuple[str, str]]:
    """The API of the cluster that the settings name, for this command alone; the work is done by its processes."""
    from services.app import api_hub
    from services.settings import load_settings

    settings = load_settings(data_dir=data_directory)
    _log_little()
    async with (
        api_hub(settings, show_first_token=False) as hub,
        listening(hub.app, host=LOOPBACK, port=0) as listener,
    ):
        yield listener.url, hub.local_token


def _log_little() -> None:
    from shared.observability.logs import configure_logging

    configure_logging(json_lines=False, level=os.environ.get("HUB_LOG_LEVEL", "error"))


@asynccontextmanager
async def _remote(target: Target) -> AsyncIterator[Client]:
    if not target.token:
        raise ConfigurationError(
            "A hub elsewhere needs an API token.",
            next_step="Give it with --token or HUB_TOKEN. `hub up` shows the first one when it starts.",
        )
    async with _client(target.server or "", target.token, target, takes_paths=False) as client:
        yield client


@asynccontextmanager
async def _client(
    url: str, token: str, target: Target, *, takes_paths: bool, is_local: bool = False
) -> AsyncIterator[Client]:
    timeout = httpx2.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
    try:
        http = httpx2.AsyncClient(
            base_url=url.rstrip("/").removesuffix("/api/v1"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            trust_env=not (takes_paths or is_local),  # a proxy must not be asked for the loopback address
        )
    except (httpx2.InvalidURL, ValueError) as error:
        raise ConfigurationError(
            f"{url!r} is no address of a hub: {error}.", next_step="Write http://host:port."
        ) from None
    async with http:
        yield Client(http, takes_paths=takes_paths, reports=target.reports)
