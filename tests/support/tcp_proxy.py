"""A TCP proxy on loopback that cuts, slows and hangs the connections through it; used from plain and async tests alike.

with TcpProxy(broker.proxy_port, broker.proxied_port) as proxy:
    proxy.cut()
    ...
    proxy.restore()
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
CALL_SECONDS_MAX = 10.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class Pace:
    """How quickly bytes pass."""

    bytes_per_second: float | None = None
    delay_seconds: float = 0.0

    @property
    def chunk_bytes(self) -> int:
        """What is taken at once: a twentieth of a second's worth, so that a slow line is slow evenly."""
        if self.bytes_per_second is None:
            return CHUNK_BYTES
        return max(1, min(CHUNK_BYTES, int(self.bytes_per_second / 20)))

    def seconds_for(self, count: int) -> float:
        """How long so many bytes are held."""
        return self.delay_seconds + (count / self.bytes_per_second if self.bytes_per_second else 0.0)


class TcpProxy:
    """Listens at `port`, leads to `target_port`. Its methods return when what they say is so.

    It works in a thread with a loop of its own, so that a test that blocks its loop, or has none, does not stop it.
    """

    def __init__(self, port: int, target_port: int) -> None:
        self.port = port
        self.target_port = target_port
        self.accepted_count = 0
        """Connections accepted since it was made."""
        self.forwarded_bytes = 0
        """Bytes that went through, both ways."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._pace = Pace()
        self._requests_flow = asyncio.Event()
        self._answers_flow = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.restore()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cut()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS_MAX)
        self._loop.close()

    def cut(self) -> None:
        """Closes every connection and refuses new ones, until `restore`."""
        self._call(self._cut())

    def hang(self, *, answers_only: bool = False) -> None:
        """Keeps connections open and accepts new ones, but lets nothing pass, until `restore`.

        answers_only: requests still arrive and take effect; followed by `cut`, their answers are lost.
        """
        self._call(self._hang(answers_only))

    def slow(self, bytes_per_second: float | None = None, delay_seconds: float = 0.0) -> None:
        """Holds each piece for `delay_seconds`, and lets at most so many bytes a second pass each way."""
        self._call(self._set_pace(Pace(bytes_per_second, delay_seconds)))

    def restore(self) -> None:
        """Everything passes at full speed; what a hanging connection held goes on its way."""
        self._call(self._restore())

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS_MAX)

    # ---- in the proxy's own loop ------------------------------------------------------------------------------------

    async def _restore(self) -> None:
        self._pace = Pace()
        self._requests_flow.set()
        self._answers_flow.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=CHUNK_BYTES)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def _hang(self, answers_only: bool) -> None:
        self._answers_flow.clear()
        if not answers_only:
            self._requests_flow.clear()

    async def _set_pace(self, pace: Pace) -> None:
        self._pace = pace

    async def _end(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted_count += 1
        if self._server is None:  # accepted just before the cut
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._known(writer):
            try:
                target_reader, target_writer = await asyncio.open_connection(HOST, self.target_port, limit=CHUNK_BYTES)
            except OSError:
                return  # nobody is there: the client's connection is closed, as by a broker that dies
            with self._known(target_writer):
                await _until_one_ends(
                    self._pump(reader, target_writer, self._requests_flow),
                    self._pump(target_reader, writer, self._answers_flow),
                )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionError):  # a cut is what this is for
            while piece := await reader.read(self._pace.chunk_bytes):
                if seconds := self._pace.seconds_for(len(piece)):
                    await asyncio.sleep(seconds)
                await flow.wait()
                self.forwarded_bytes += len(piece)
                writer.write(piece)
                await writer.drain()

    @contextlib.contextmanager
    def _known(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()  # sends what is left; after a cut there is nothing


async def _until_one_ends(*pumps: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
