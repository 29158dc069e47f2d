"""A pool of worker processes for CPU-heavy work: calls by name, arguments and results over a socket.

Each worker is a fresh interpreter that imports only what the called function needs. It ends when its socket closes, so
none is left over when this process ends, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Self

from shared.errors import RetryableError
from shared.runtime.worker_process import ERROR, LENGTH, REPORT, RESULT, report

__all__ = ["WorkerPool", "report"]

# Bytes that may wait unread: larger results just take several rounds of the event loop.
_BUFFER_BYTES = 1024 * 1024
_END_SECONDS_MAX = 5.0

OnReport = Callable[[Any], None]


class WorkerPool:
    """`size` worker processes that answer one call at a time each, in the order the calls came.

    Functions are named "package.module:function" and must be importable; arguments and results must be picklable.
    Workers start with the first calls (or with `start`) and are replaced when they die. `initializer` names a function
    without arguments that each worker runs first; an error of it comes to the call that started the worker.
    """

    def __init__(self, size: int, initializer: str | None = None) -> None:
        if size < 1:
            raise ValueError(f"A pool needs at least one worker, not {size}")
        self.size = size
        self._initializer = initializer
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._free = size
        self.cpu_seconds: defaultdict[str, float] = defaultdict(float)
        """CPU seconds by function, of answered calls."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start all workers now, so that the first calls do not wait for them."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.size):
                group.create_task(self.call("builtins:len", ()))

    async def call(self, function: str, *arguments: Any, on_report: OnReport | None = None) -> Any:
        """What the function returned in a worker. `on_report` gets what the function gives to `report`, in order.

        HubErrors and OSErrors come back as they were raised; any other exception as a RuntimeError that holds the
        worker's traceback. RetryableError when the worker died in the call, or the pool is closed. Cancelling the call
        kills its worker.
        """
        await self._turn()
        worker: _Worker | None = None
        try:
            worker = self._living_idle() or await self._started()
            self._busy.add(worker)
            return await worker.call(function, arguments, on_report)
        finally:
            if worker is not None:
                self.cpu_seconds[function] += worker.take_cpu_seconds()
                self._busy.discard(worker)
                if worker.is_usable and not self._closed:
                    self._idle.append(worker)
                else:
                    worker.kill()
            self._free += 1
            self._next_turn()

    def pids(self) -> list[int]:
        """Process ids of the living workers."""
        return [worker.pid for worker in (*self._idle, *self._busy)]

    async def close(self) -> None:
        """End all workers; calls under way fail with RetryableError. Calling it again does nothing."""
        self._closed = True
        workers = [*self._idle, *self._busy]
        self._idle.clear()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(_closed())
        for worker in workers:
            worker.kill()
        for worker in workers:
            await asyncio.to_thread(worker.wait)

    async def _turn(self) -> None:
        """Wait until a worker is free for this call; earlier calls first."""
        if self._closed:
            raise _closed()
        if self._free and not self._waiting:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free += 1
                self._next_turn()
            raise

    def _next_turn(self) -> None:
        while self._waiting and self._free:
            turn = self._waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)

    def _living_idle(self) -> _Worker | None:
        """A worker that waits; those that died while they waited (killed for lack of memory) are dropped."""
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.kill()
        return None

    async def _started(self) -> _Worker:
        worker = await _Worker.started()
        if self._initializer is not None:
            try:
                await worker.call(self._initializer, (), None)
            except BaseException:
                worker.kill()
                raise
        return worker


def _closed() -> RetryableError:
    return RetryableError("The worker processes are being stopped.", next_step="Start the hub again.")


class _Worker:
    """One process and the socket to it."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.is_usable = True
        self._cpu_seconds = 0.0

    @classmethod
    async def started(cls) -> _Worker:
        """A new process. A fresh interpreter, not a fork: nothing of this process's memory or threads comes along."""
        ours, theirs = socket.socketpair()
        with theirs:
            boot = (
                f"import sys; sys.path[:] = {sys.path!r}; "
                f"from shared.runtime.worker_process import serve; serve({theirs.fileno()})"
            )
            # Starting takes about a millisecond; asyncio's own subprocesses would add a watcher thread for each.
            process = subprocess.Popen(  # noqa: ASYNC220, S603
                [sys.executable, "-c", boot],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output belongs to the command's answer
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_BUFFER_BYTES)
        return cls(process, reader, writer)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    async def call(self, function: str, arguments: tuple[Any, ...], on_report: OnReport | None) -> Any:
        """One call and its answer. The worker is usable afterwards only if the answer came whole."""
        request = pickle.dumps((function, arguments), protocol=5)
        self.is_usable = False
        try:
            self._writer.write(LENGTH.pack(len(request)))
            self._writer.write(request)
            await self._writer.drain()
            kind, content, cpu_seconds = await self._receive()
            while kind == REPORT:
                if on_report is not None:
                    on_report(content)
                kind, content, cpu_seconds = await self._receive()
        except (EOFError, ConnectionError) as error:
            raise RetryableError(
                f"The worker process {self.pid} died while it ran {function}.",
                next_step="It is replaced and the call tried again; if it keeps dying, look for a lack of memory.",
            ) from error
        self.is_usable = True
        self._cpu_seconds = cpu_seconds
        if kind == RESULT:
            return content
        if kind == ERROR:
            raise content
        raise RuntimeError(f"{function} failed in a worker process:\n{content}")

    def take_cpu_seconds(self) -> float:
        """CPU seconds of the last call; 0 where it was not answered."""
        taken, self._cpu_seconds = self._cpu_seconds, 0.0
        return taken

    async def _receive(self) -> tuple[int, Any, float]:
        # IncompleteReadError is an EOFError.
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        kind, content, cpu_seconds = pickle.loads(await self._reader.readexactly(length))  # noqa: S301 - our process
        return kind, content, cpu_seconds

    def kill(self) -> None:
        """End the process at once."""
        self.is_usable = False
        self._process.kill()
        self._writer.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0)

    def wait(self) -> None:
        """Wait for the end of a killed process, so that no zombie is left."""
        self._process.wait(_END_SECONDS_MAX)
