"""How a command reaches a hub: over HTTP to a server, to the process that holds the data directory, or to itself.

The process that takes the data directory's lock runs all services and listens on a loopback port; its own command is a
client of that port like any other command on the same directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from services.cli.client import ANSWER_SECONDS_MAX, Client
from services.data_directory import DataDirectory
from shared.errors import ConfigurationError, ConflictError

if TYPE_CHECKING:
    import uvicorn

    from services.app import Hub

LOOPBACK = "127.0.0.1"
ANNOUNCED_SECONDS_MAX = 15.0
"""A hub that starts announces itself within some two seconds."""
CONNECT_SECONDS_MAX = 10.0


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
async def serving(directory: DataDirectory, hub: Hub, *, host: str, port: int) -> AsyncIterator[str]:
    """Listens with the hub's API while the context lasts, and announces it; gives the address for this machine."""
    listening = _bound(host, port)
    server = _server(hub, host)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="http server")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise ConfigurationError("The HTTP server did not start.", next_step="Look at the lines above.")
            await asyncio.sleep(0.005)
        reachable = LOOPBACK if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104 - compared, not bound
        url = f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{listening.getsockname()[1]}"
        directory.announce(url, hub.local_token)
        yield url
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def _own(directory: DataDirectory) -> AsyncIterator[tuple[str, str]]:
    from services.app import embedded_hub
    from shared.observability.logs import configure_logging

    configure_logging(json_lines=False, level=os.environ.get("HUB_LOG_LEVEL", "error"))
    async with (
        embedded_hub(directory.path, show_first_token=False) as hub,
        serving(directory, hub, host=LOOPBACK, port=0) as url,
    ):
        yield url, hub.local_token


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
async def _client(url: str, token: str, target: Target, *, takes_paths: bool) -> AsyncIterator[Client]:
    timeout = httpx2.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
    try:
        http = httpx2.AsyncClient(
            base_url=url.rstrip("/").removesuffix("/api/v1"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            trust_env=not takes_paths,  # a proxy must not be asked for the loopback address
        )
    except (httpx2.InvalidURL, ValueError) as error:
        raise ConfigurationError(
            f"{url!r} is no address of a hub: {error}.", next_step="Write http://host:port."
        ) from None
    async with http:
        yield Client(http, takes_paths=takes_paths, reports=target.reports)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"The hub cannot listen on {host}:{port}: {error.strerror or error}.",
            next_step="Choose another port with --port, or end the process that uses it.",
        ) from error
    return listening


def _server(hub: Hub, host: str) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals to the command, which has more to end than the server."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return Server(
        uvicorn.Config(
            hub.app,
            host=host,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
