"""Local copies of files that are stored elsewhere: bounded, shared by the processes of a machine, safe under kills."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.errors import NotFoundError
from shared.storage.files import GIB, DirectoryFiles

CACHE_BYTES_MAX = 4 * GIB
KEPT_SECONDS = 30 * 60.0
"""A path that was given out stays at least this long. Who works longer with it asks again; what is mapped into memory
by then stays readable without its name."""
UNUSED_SECONDS_MAX = 24 * 3600.0
"""A copy nobody asked for goes after a day, also where there is room: it may hold what was deleted elsewhere."""
# Being used is noted at most this often, so that most look-ups cost one look at the file and no lock.
_NOTED_SECONDS = 60.0
# The folder is looked through after so much has come in: 32 times per turnover of the cache.
_LOOKS_PER_TURNOVER = 32


class FileCache:
    """A directory of files named by their hash; the time of the last use is the file's modification time.

    Files used in the last half hour are never removed, so the bound may be passed while more than it is in use.
    """

    def __init__(self, root: Path, *, bytes_max: int = CACHE_BYTES_MAX, clock: Callable[[], float] = time.time) -> None:
        self.files = DirectoryFiles(root)
        self._root = root
        self._bytes_max = bytes_max
        self._clock = clock
        self._bytes_added = bytes_max  # what an earlier process left counts: look at the first chance

    async def path(self, sha256: str) -> Path | None:
        """The local copy, None where there is none. It stays for the next half hour."""
        try:
            path = await self.files.local_path(sha256)
        except NotFoundError:
            return None
        return path if await asyncio.to_thread(self._is_used_now, path) else None

    async def added(self, size: int) -> None:
        """Takes note of a new copy and removes old ones if there are too many."""
        self._bytes_added += size
        if self._bytes_added * _LOOKS_PER_TURNOVER > self._bytes_max:
            self._bytes_added = 0
            await asyncio.to_thread(self._make_room)

    def _is_used_now(self, path: Path) -> bool:
        now = self._clock()
        try:
            if now - path.stat().st_mtime < _NOTED_SECONDS:
                return True
            with self._locked(fcntl.LOCK_SH):
                os.utime(path, (now, now))
        except FileNotFoundError:
            return False
        return True

    def _make_room(self) -> None:
        found = sorted(self._copies())
        size = sum(bytes_ for _, bytes_, _ in found)
        for used_at, bytes_, path in found:
            unused_seconds = self._clock() - used_at
            if unused_seconds <= KEPT_SECONDS or (size <= self._bytes_max and unused_seconds <= UNUSED_SECONDS_MAX):
                break
            if self._is_removed(path):
                size -= bytes_

    def _copies(self) -> Iterator[tuple[float, int, Path]]:
        """(last use, size, path) of every copy."""
        for path in self._root.glob("[0-9a-f][0-9a-f]/*"):
            with contextlib.suppress(FileNotFoundError):  # another process removed it
                state = path.stat()
                yield state.st_mtime, state.st_size, path

    def _is_removed(self, path: Path) -> bool:
        """Removes a copy unless it has come into use since it was looked at."""
        with self._locked(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
            if self._clock() - path.stat().st_mtime <= KEPT_SECONDS:
                return False
            path.unlink()
        return True

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        """Between noting a use and removing nothing else may come, from any process of this machine."""
        with (self._root / "removing.lock").open("ab") as lock:
            fcntl.flock(lock, kind)
            yield
