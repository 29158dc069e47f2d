"""One SQLite file: one writer thread with group commit, a few reader threads, several processes at once if need be.

Every adapter of `shared/storage` that keeps its rows in SQLite sits on `SqliteDatabase`.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from shared.errors import ConfigurationError, RetryableError

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL", "EXTRA"]

# Another process may hold the write lock for one group commit plus a checkpoint: well under a second. 30 s is a fault.
BUSY_TIMEOUT_SECONDS = 30.0
# 4,000 pages of 4 KiB = 16 MiB between checkpoints: fewer rewrites of the same index pages than the default 1,000.
WAL_CHECKPOINT_PAGES = 4_000
# After a checkpoint the log file is cut back to this, so that one big import does not leave a huge file behind.
WAL_BYTES_KEPT = 64 * 1024 * 1024
# Jobs that may wait for the writer. Bulk jobs hold some 100 KB each, so this bounds memory; it is deep enough to group.
WRITES_WAITING_MAX = 512

# Page cache of a reading connection: what is read is spread or fresh, and the operating system keeps the pages anyway.
# A process has about ten of them, so that 16 MiB each were 150 MiB after a large import.
READER_CACHE_MIB = 2

_VERSIONS_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, statements INTEGER NOT NULL) STRICT"
)


@dataclass(slots=True)
class _Job:
    """One function waiting for the writer, and where its answer goes."""

    fn: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class SqliteDatabase:
    """A SQLite file in WAL mode, used from one event loop; other processes may use the same file at the same time.

    What has been answered is durable: `write` returns after COMMIT with `synchronous=FULL`, so neither a kill at any
    moment nor a power cut loses it. Opening raises ConfigurationError where the path cannot hold a database.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Synchronous = "FULL",
        cache_mib: int = 8,
        readers: int = 2,
        writes_waiting_max: int = WRITES_WAITING_MAX,
    ) -> None:
        self.path = path
        self._synchronous: Synchronous = synchronous
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(writes_waiting_max)
        self._read_room = asyncio.Semaphore(writes_waiting_max)
        self._closed = False
        self._writer_connection = open_connection(path, synchronous=synchronous, cache_mib=cache_mib)
        self._reader_connections: list[sqlite3.Connection] = []
        self._reader_state = threading.local()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix=f"read-{path.stem}")
        self._writer = threading.Thread(target=self._write_until_closed, name=f"write-{path.stem}", daemon=True)
        self._writer.start()

    async def write(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """What `fn(connection)` returned, after COMMIT.

        `fn` runs on the writer thread under its own savepoint, in one transaction with everything that waits beside
        it, in the order of the calls, and sees all earlier writes. An exception of `fn` undoes its own work alone and
        comes to its caller. `fn` must be short and must not begin, commit or use `executescript`. A full or
        unreachable disk is a RetryableError and nothing of the call is stored. A cancelled caller does not know whether
        `fn` was stored.
        """
        async with self._room:
            # Checked after the wait: close() may have begun meanwhile, and a job behind its end mark is never run.
            if self._closed:
                raise RetryableError(f"The database {self.path.name} is closing. Nothing was written.")
            job = _Job(fn, asyncio.get_running_loop().create_future())
            self._jobs.put(job)
            return cast("T", await job.future)

    async def read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """What `fn(connection)` returned, run on a reader thread in one snapshot that holds every finished write.

        The connection refuses to write. Fetch inside `fn`: a cursor is of no use outside.
        """
        async with self._read_room:
            if self._closed:
                raise RetryableError(f"The database {self.path.name} is closing.")
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, fn)

    async def migrate(self, component: str, statements: Sequence[str]) -> None:
        """Bring the tables of one component up to date: run those of its statements that this file has not seen.

        The list is append-only: its length is the component's version. All or nothing, safe when several processes
        start at once. ConfigurationError where a newer hub has written the file.
        """
        await self.write(lambda connection: _migrate(connection, component, statements, self.path))

    async def close(self) -> None:
        """Finish everything accepted, then close all connections. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._readers.shutdown(wait=True)
        self._writer.join()
        for connection in self._reader_connections:
            connection.close()
        self._writer_connection.close()  # last, so that it checkpoints and removes the log file

    def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._reader_state, "connection", None)
        if connection is None:
            connection = open_connection(self.path, synchronous=self._synchronous, cache_mib=READER_CACHE_MIB)
            connection.execute("PRAGMA query_only=ON")
            self._reader_state.connection = connection
            self._reader_connections.append(connection)
        try:
            connection.execute("BEGIN")
            return fn(connection)
        except sqlite3.Error as error:
            if _is_passing(error):
                raise _unusable(error, self.path) from error
            raise
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _write_until_closed(self) -> None:
        while (job := self._jobs.get()) is not None:
            group, is_last = self._with_all_waiting(job)
            _run_group(self._writer_connection, group, self.path)
            _answer(group)
            # Keeping the last group until the next one comes would hold its rows in memory.
            del job, group
            if is_last:
                return

    def _with_all_waiting(self, first: _Job) -> tuple[list[_Job], bool]:
        group = [first]
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
            if job is None:
                return group, True
            group.append(job)


def open_connection(
    path: Path, *, synchronous: Synchronous = "FULL", cache_mib: int = READER_CACHE_MIB
) -> sqlite3.Connection:
    """A connection in WAL mode with the hub's settings and no implicit transactions; the file is made if absent."""
    try:
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        _set_wal(connection)
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"The database file {path} cannot be opened: {error}.",
            next_step="Check that its folder exists, that you may write there, and that it is a database of the hub.",
        ) from error
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(f"PRAGMA cache_size=-{cache_mib * 1024}")
    connection.execute(f"PRAGMA wal_autocheckpoint={WAL_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _set_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite ignores the busy timeout for the switch itself, so two first starts at once retry here."""
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _migrate(connection: sqlite3.Connection, component: str, statements: Sequence[str], path: Path) -> None:
    connection.execute(_VERSIONS_TABLE)
    row = connection.execute("SELECT statements FROM schema_versions WHERE component = ?", (component,)).fetchone()
    done = int(row[0]) if row else 0
    if done > len(statements):
        raise ConfigurationError(
            f"{path} was written by a newer version of the hub ({component}: {done}, known here: {len(statements)}).",
            next_step="Start the newer version, or use another data directory. Nothing was changed.",
        )
    for statement in statements[done:]:
        connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)", (component, len(statements)))


def _run_group(connection: sqlite3.Connection, group: list[_Job], path: Path) -> None:
    """Run all jobs in one transaction, each under its savepoint; results and errors are left in the jobs."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in group:
            _run_under_savepoint(connection, job, path)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        # BEGIN, COMMIT or the whole transaction failed (lock not to be had, disk full, I/O): nothing of it is stored.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for job in group:
            if job.error is None:
                job.error = _unusable(error, path)


def _run_under_savepoint(connection: sqlite3.Connection, job: _Job, path: Path) -> None:
    if job.future.cancelled():
        return
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.fn(connection)
        if not connection.in_transaction:
            raise RuntimeError("A function given to write() ended the transaction that it shares with others.")
    except sqlite3.Error as error:
        job.error = _unusable(error, path) if _is_passing(error) else error
    except BaseException as error:
        job.error = error
    if job.error is not None and connection.in_transaction:
        connection.execute("ROLLBACK TO job")
    # On a full disk SQLite may have dropped the whole transaction by itself. Then RELEASE fails, and with it the group.
    connection.execute("RELEASE job")


def _answer(group: list[_Job]) -> None:
    """Hand results to the event loop in one go: waking it once per job would cost more than the writes."""
    # RuntimeError: the loop was closed and its callers are gone with it.
    with contextlib.suppress(RuntimeError):
        group[0].future.get_loop().call_soon_threadsafe(_resolve, group)


def _resolve(group: list[_Job]) -> None:
    for job in group:
        if job.future.done():
            continue  # cancelled meanwhile
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


# What another process or the disk causes. Everything else SQLite complains about is a fault of the statement.
_PASSING_ERRORS = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")


def _error_name(error: sqlite3.Error) -> str:
    """SQLite's name of the error; empty for those that Python's module raises by itself."""
    return str(getattr(error, "sqlite_errorname", ""))


def _is_busy(error: sqlite3.Error) -> bool:
    return _error_name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _is_passing(error: sqlite3.Error) -> bool:
    return _error_name(error).startswith(_PASSING_ERRORS)


def _unusable(error: sqlite3.Error, path: Path) -> RetryableError:
    return RetryableError(
        f"The database {path.name} could not be used: {error}. Nothing of this call was stored.",
        next_step="Check free disk space and that no other program holds the file; the hub tries again.",
    )
