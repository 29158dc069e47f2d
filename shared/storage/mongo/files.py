"""`Files` in GridFS, with a local cache: workers map files into memory, and most files are read many times.

A file is named by its hash in GridFS too. Its entry is written after its chunks, so what has an entry is whole; several
entries of the same content are harmless.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from weakref import WeakValueDictionary

from bson import ObjectId
from gridfs import AsyncGridFSBucket, NoFile
from gridfs.errors import CorruptGridFile

from shared.errors import PermanentError
from shared.storage.files import LOCAL_FILE_BYTES_MAX, READ_BYTES, FileRef, check_name, not_stored
from shared.storage.mongo.collection import Document
from shared.storage.mongo.database import MongoDatabase
from shared.storage.mongo.faults import driver_faults
from shared.storage.mongo.file_cache import CACHE_BYTES_MAX, FileCache

BUCKET = "files"
UPLOAD_SECONDS_MAX = 6 * 3600.0
"""What an upload that began longer ago left behind goes. The largest file, 2 GiB, takes that long at 100 KB/s."""
SWEEP_SECONDS = 3600.0


class GridFsFiles:
    """`Files` in a MongoDB database. `cache` is a local directory that several processes may share.

    A read of a cached file does not ask the server; `delete` forgets the copy of this cache, and those on other
    machines go a day after their last use.
    """

    def __init__(
        self,
        database: MongoDatabase,
        cache: Path,
        *,
        cache_bytes_max: int = CACHE_BYTES_MAX,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._cache = FileCache(cache, bytes_max=cache_bytes_max, clock=clock)
        self._clock = clock
        self._entries = database.collection(f"{BUCKET}.files")
        self._chunks = database.collection(f"{BUCKET}.chunks")
        self._unfinished = database.collection("unfinished_files")
        self._swept_at = 0.0
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Removes what killed uploads left behind."""
        await self.sweep()

    async def sweep(self) -> None:
        """Removes the chunks of uploads (and removals) that began hours ago and never ended."""
        self._swept_at = self._clock()
        latest = self._swept_at - UPLOAD_SECONDS_MAX
        for left in await self._unfinished.all({"began_at": {"$lte": latest}}):
            entry = await self._entries.one({"_id": left["_id"]}, {"filename": 1})
            # The second half is for servers that make an entry without a name at the first chunk.
            if entry is None or entry.get("filename") != left["sha256"]:
                await self._chunks.delete({"files_id": left["_id"]})
                await self._entries.delete({"_id": left["_id"]})
            await self._unfinished.delete({"_id": left["_id"]})

    async def put_stream(self, chunks: AsyncIterator[bytes], *, bytes_max: int) -> FileRef:
        return await self._stored(await self._cache.files.put_stream(chunks, bytes_max=bytes_max))

    async def put_path(self, path: Path, *, bytes_max: int = LOCAL_FILE_BYTES_MAX) -> FileRef:
        return await self._stored(await self._cache.files.put_path(path, bytes_max=bytes_max))

    async def put_bytes(self, content: bytes) -> FileRef:
        return await self._stored(await self._cache.files.put_bytes(content))

    async def local_path(self, sha256: str) -> Path:
        check_name(sha256)
        lock = self._fetching.setdefault(sha256, asyncio.Lock())
        async with lock:
            return await self._cache.path(sha256) or await self._fetch(sha256)

    async def read(self, sha256: str) -> bytes:
        path = await self.local_path(sha256)
        return await asyncio.to_thread(path.read_bytes)

    async def open(self, sha256: str) -> AsyncIterator[bytes]:
        path = await self.local_path(sha256)
        with path.open("rb") as file:
            while block := await asyncio.to_thread(file.read, READ_BYTES):
                yield block

    async def exists(self, sha256: str) -> bool:
        check_name(sha256)
        return bool(await self._entries_of(sha256))

    async def delete(self, sha256: str) -> bool:
        check_name(sha256)
        found = await self._entries_of(sha256)
        for entry in found:
            await self._begin(entry["_id"], sha256)
            try:
                with driver_faults(self._database.place):
                    await self._bucket().delete(entry["_id"])
            except NoFile:
                pass  # another process was faster
            await self._unfinished.delete({"_id": entry["_id"]})
        await self._cache.files.delete(sha256)
        return bool(found)

    def _bucket(self) -> AsyncGridFSBucket:
        return AsyncGridFSBucket(self._database.driver(), bucket_name=BUCKET)

    async def _entries_of(self, sha256: str) -> list[Document]:
        return await self._entries.all({"filename": sha256}, {"_id": 1})

    async def _begin(self, id: ObjectId, sha256: str) -> None:
        """Says, before chunks are written or removed, that they may be left behind."""
        await self._unfinished.insert({"_id": id, "sha256": sha256, "began_at": self._clock()})

    async def _stored(self, reference: FileRef) -> FileRef:
        """Uploads what the cache has just taken, unless the server has it."""
        if not await self._entries_of(reference.sha256):
            if self._clock() - self._swept_at > SWEEP_SECONDS:
                await self.sweep()
            path = await self.local_path(reference.sha256)
            id = ObjectId()
            await self._begin(id, reference.sha256)
            with driver_faults(self._database.place), path.open("rb") as file:
                upload = self._bucket().open_upload_stream_with_id(id, reference.sha256)
                while block := await asyncio.to_thread(file.read, READ_BYTES):
                    await upload.write(block)
                await upload.close()
            await self._unfinished.delete({"_id": id})
        await self._cache.added(reference.size)
        return reference

    async def _fetch(self, sha256: str) -> Path:
        """Downloads a file into the cache. What is not its content (any more) is never given out."""
        found = await self._entries_of(sha256)
        if not found:
            raise not_stored(sha256)
        for entry in found:
            try:
                reference = await self._cache.files.put_stream(
                    self._content(entry["_id"]), bytes_max=LOCAL_FILE_BYTES_MAX
                )
            except (NoFile, CorruptGridFile):
                continue  # removed meanwhile, or damaged; another entry may be whole
            await self._cache.added(reference.size)
            if reference.sha256 == sha256 and (path := await self._cache.path(sha256)):
                return path
        if not await self._entries_of(sha256):
            raise not_stored(sha256)
        raise PermanentError(
            f"The file {sha256[:12]} is damaged in the database {self._database.name}: its content does not have its"
            " hash. It was not used.",
            next_step="Restore the database from a backup, or upload the file again.",
        )

    async def _content(self, id: ObjectId) -> AsyncIterator[bytes]:
        with driver_faults(self._database.place):
            source = await self._bucket().open_download_stream(id)
            while block := await source.read(READ_BYTES):
                yield block
