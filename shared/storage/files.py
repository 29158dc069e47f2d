"""Immutable files named by the hash of their content: uploads, landed copies, sealed artifacts.

The port `Files`, and its adapter for a directory. Names are hashes only; no text of a user ever becomes a path.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.errors import BadInputError, NotFoundError, RetryableError

GIB = 1024**3
LOCAL_FILE_BYTES_MAX = 2 * GIB
READ_BYTES = 1024 * 1024

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A stored file: SHA-256 of its content (lower-case hex) and its size in bytes."""

    sha256: str
    size: int


class Files(Protocol):
    """Immutable files. What a put returned is durable; putting the same content again returns the same reference."""

    async def put_stream(self, chunks: AsyncIterator[bytes], *, bytes_max: int) -> FileRef:
        """Store the chunks as one file. BadInputError at the first byte above `bytes_max`; nothing is kept then."""
        ...

    async def put_path(self, path: Path, *, bytes_max: int = LOCAL_FILE_BYTES_MAX) -> FileRef:
        """Store a copy of a local file, of up to 2 GiB. BadInputError where it is larger or cannot be read."""
        ...

    async def put_bytes(self, content: bytes) -> FileRef:
        """Store this content."""
        ...

    async def local_path(self, sha256: str) -> Path:
        """A local, read-only path with this content, for worker processes. NotFoundError where it is unknown."""
        ...

    async def read(self, sha256: str) -> bytes:
        """The whole content. NotFoundError where it is unknown."""
        ...

    def open(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in blocks of up to 1 MiB. NotFoundError where it is unknown."""
        ...

    async def exists(self, sha256: str) -> bool:
        """Whether this content is stored."""
        ...

    async def delete(self, sha256: str) -> bool:
        """Remove the content; False where it was not there."""
        ...


def check_name(sha256: str) -> None:
    """NotFoundError for a name that is no hash."""
    if not _SHA256.fullmatch(sha256):
        raise NotFoundError(
            "There is no such file: its name is not a SHA-256 hash.", next_step="Use the hash the hub gave."
        )


def not_stored(sha256: str) -> NotFoundError:
    """Why there is no content of this name."""
    return NotFoundError(f"The file {sha256[:12]} is not stored (any more).", next_step="Upload it again.")


class DirectoryFiles:
    """`Files` in a directory, which several processes may share: `<root>/<first two of the hash>/<hash>`.

    A put writes a temporary file, flushes it to disk and renames it: killed at any moment, a name either has its whole
    content or does not exist. What killed writers left behind is removed when the next instance is made.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._partial, self._lock = _claim_partial_folder(root)

    async def put_stream(self, chunks: AsyncIterator[bytes], *, bytes_max: int) -> FileRef:
        with self._writing() as writing:
            async for chunk in chunks:
                if writing.size + len(chunk) > bytes_max:
                    raise BadInputError(
                        f"The file is larger than {_size_text(bytes_max)}. It was not stored.",
                        next_step="Split it into several files, or use the command line, which takes larger ones.",
                        code="file_too_large",
                    )
                await asyncio.to_thread(writing.write, chunk)
            return await asyncio.to_thread(self._keep, writing)

    async def put_path(self, path: Path, *, bytes_max: int = LOCAL_FILE_BYTES_MAX) -> FileRef:
        return await asyncio.to_thread(self._copy, path, bytes_max)

    async def put_bytes(self, content: bytes) -> FileRef:
        return await asyncio.to_thread(self._store, content)

    async def local_path(self, sha256: str) -> Path:
        return await asyncio.to_thread(self._existing, sha256)

    async def read(self, sha256: str) -> bytes:
        path = await self.local_path(sha256)
        return await asyncio.to_thread(path.read_bytes)

    async def open(self, sha256: str) -> AsyncIterator[bytes]:
        path = await self.local_path(sha256)
        with path.open("rb") as file:
            while block := await asyncio.to_thread(file.read, READ_BYTES):
                yield block

    async def exists(self, sha256: str) -> bool:
        return await asyncio.to_thread(self._path(sha256).is_file)

    async def delete(self, sha256: str) -> bool:
        path = self._path(sha256)
        try:
            await asyncio.to_thread(path.unlink)
        except FileNotFoundError:
            return False
        return True

    def _path(self, sha256: str) -> Path:
        check_name(sha256)
        return self._root / sha256[:2] / sha256

    def _existing(self, sha256: str) -> Path:
        path = self._path(sha256)
        if not path.is_file():
            raise not_stored(sha256)
        return path

    def _store(self, content: bytes) -> FileRef:
        with self._writing() as writing:
            writing.write(content)
            return self._keep(writing)

    def _copy(self, path: Path, bytes_max: int) -> FileRef:
        try:
            source = path.open("rb")
        except OSError as error:
            raise BadInputError(
                f"{path} cannot be read: {error.strerror}.", next_step="Check the path and that you may read it."
            ) from error
        with source, self._writing() as writing:
            while block := source.read(READ_BYTES):
                if writing.size + len(block) > bytes_max:
                    raise BadInputError(
                        f"{path} is larger than {_size_text(bytes_max)}. It was not stored.",
                        next_step="Split it into several files.",
                        code="file_too_large",
                    )
                writing.write(block)
            return self._keep(writing)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[_Writing]:
        """A new temporary file, removed at the end unless it was kept."""
        path = self._partial / secrets.token_hex(16)
        with _disk_faults_as_retryable():
            file = path.open("xb")
        try:
            with file:
                yield _Writing(path, file)
        finally:
            path.unlink(missing_ok=True)

    def _keep(self, writing: _Writing) -> FileRef:
        reference = FileRef(writing.hash.hexdigest(), writing.size)
        target = self._path(reference.sha256)
        if target.is_file():
            _sync_folder(target.parent)  # its other writer may not have come to this yet
            return reference
        with _disk_faults_as_retryable():
            writing.file.flush()
            os.fchmod(writing.file.fileno(), 0o400)
            os.fsync(writing.file.fileno())
            _make_durable_folder(target.parent)
            writing.path.rename(target)
            _sync_folder(target.parent)
        return reference


class _Writing:
    """A temporary file with the hash and size of what is in it so far."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, block: bytes) -> None:
        with _disk_faults_as_retryable():
            self.file.write(block)
        self.hash.update(block)
        self.size += len(block)


@contextlib.contextmanager
def _disk_faults_as_retryable() -> Iterator[None]:
    """A full or failing disk of ours. Faults of whoever sends the content pass unchanged."""
    try:
        yield
    except OSError as error:
        raise RetryableError(
            f"A file could not be stored: {error.strerror}. Nothing of it was kept.",
            next_step="Check free disk space and the rights of the data directory.",
        ) from error


def _make_durable_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim_partial_folder(root: Path) -> tuple[Path, BinaryIO]:
    """A folder for this instance's temporary files and the lock that says the instance lives; others' remains go.

    The lock ends with the process, however it ends. The root's own lock keeps two starts apart, so that nobody removes
    a folder that is just being claimed.
    """
    partial = root / "partial"
    partial.mkdir(parents=True, exist_ok=True)
    with (root / "starting.lock").open("wb") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        for folder in partial.iterdir():
            if not _is_in_use(folder):
                shutil.rmtree(folder)
        own = partial / secrets.token_hex(16)
        own.mkdir()
        lock = (own / "lock").open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return own, lock


def _is_in_use(folder: Path) -> bool:
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False  # its start was killed between making the folder and the lock
    except BlockingIOError:
        return True
    return False


def _size_text(size: int) -> str:
    for unit, divisor in (("GB", GIB), ("MB", 1024**2), ("KB", 1024)):
        if size >= divisor:
            return f"{size / divisor:.4g} {unit}"
    return f"{size} bytes"
