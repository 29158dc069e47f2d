"""Serves an app over HTTP inside a process that has more to end than its server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn

LOOPBACK = "127.0.0.1"
END_SECONDS = 2
"""Calls under way at the end get so long; those that follow a session's progress never end by themselves."""


@dataclass
class Listener:
    """A server that listens at `url`, an address for this machine."""

    url: str
    _server: uvicorn.Server
    _task: asyncio.Task[None]

    async def close(self) -> None:
        """Takes no more calls and waits for those under way, as long as they have. Repeating it is harmless."""
        self._server.should_exit = True
        await self._task


@asynccontextmanager
async def listening(app: Any, *, host: str, port: int, end_seconds: int = END_SECONDS) -> AsyncIterator[Listener]:
    """Listens with an ASGI app while the context lasts. ConfigurationError where the port cannot be had."""
    bound = _bound(host, port)
    server = _server(app, host, end_seconds)
    reachable = LOOPBACK if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104 - compared, not bound
    url = f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{bound.getsockname()[1]}"
    listener = Listener(url, server, asyncio.create_task(server.serve(sockets=[bound]), name="http server"))
    try:
        while not server.started:
            if listener._task.done():
                listener._task.result()
                raise ConfigurationError("The HTTP server did not start.", next_step="Look at the lines above.")
            await asyncio.sleep(0.005)
        yield listener
    finally:
        await listener.close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(
            f"The hub cannot listen on {host}:{port}: {error.strerror or error}.",
            next_step="Choose another port with --port, or end the process that uses it.",
        ) from error
    return bound


def _server(app: Any, host: str, end_seconds: int) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves signals to the command, which has more to end than the server."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return Server(
        uvicorn.Config(
            app,
            host=host,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=end_seconds,
        )
    )
