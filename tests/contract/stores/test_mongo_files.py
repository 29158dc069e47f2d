"""The contract of `Files` on GridFS, and what it promises about kills, damage and its local cache."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gridfs import AsyncGridFSBucket

from shared.errors import NotFoundError, PermanentError
from shared.storage.mongo import GridFsFiles, MongoDatabase
from shared.storage.mongo.files import BUCKET, UPLOAD_SECONDS_MAX
from tests.contract.stores.document_contract import FakeClock
from tests.contract.stores.file_contract import FileContract
from tests.contract.stores.mongo_stores import opener

pytestmark = pytest.mark.mongo

ROOT = Path(__file__).parents[3]
CONTENT = b"Name,Phone\nAda,1\n"
WRONG = "1" * 64
BIG = bytes(range(256)) * 12_000
BIG_SHA256 = hashlib.sha256(BIG).hexdigest()

# Kills itself when the server has all chunks of the file and no entry yet.
KILLED_IN_A_PUT = """
import asyncio, os, signal, sys
from pathlib import Path
from pymongo.asynchronous.collection import AsyncCollection
from shared.storage.mongo import GridFsFiles
from tests.contract.stores.mongo_stores import opener

insert_one = AsyncCollection.insert_one

async def insert_or_die(self, document, *given, **options):
    if self.name == "files.files":
        os.kill(os.getpid(), signal.SIGKILL)
    return await insert_one(self, document, *given, **options)

AsyncCollection.insert_one = insert_or_die

async def main():
    async with opener(sys.argv[1], lambda database: GridFsFiles(database, Path(sys.argv[2]) / "killed"))() as files:
        await files.put_bytes(bytes(range(256)) * 12_000)

asyncio.run(main())
"""


@asynccontextmanager
async def machine(url: str, cache: Path, clock: Callable[[], float] = time.time) -> AsyncIterator[GridFsFiles]:
    """The files as one machine has them."""
    async with opener(url, lambda database: GridFsFiles(database, cache, clock=clock))() as files:
        yield files


@asynccontextmanager
async def two_machines(url: str, folder: Path) -> AsyncIterator[tuple[GridFsFiles, GridFsFiles]]:
    async with machine(url, folder / "one") as one, machine(url, folder / "other") as other:
        yield one, other


async def in_database(url: str, collection: str, call: str, *given: Any) -> Any:
    """A call on a collection, past the adapter."""
    database = MongoDatabase(url)
    await database.open()
    try:
        return await getattr(database.collection(collection), call)(*given)
    finally:
        await database.close()


async def chunks_of(url: str, id: Any) -> int:
    """How many chunks there are of an upload."""
    return len(await in_database(url, "files.chunks", "all", {"files_id": id}))


async def remove_chunks(url: str, sha256: str) -> None:
    """Damages a file."""
    [entry] = await in_database(url, "files.files", "all", {"filename": sha256})
    assert await in_database(url, "files.chunks", "delete", {"files_id": entry["_id"]}) == 1


class TestGridFsFiles(FileContract):
    @pytest.fixture
    async def files(self, mongo_url: str, tmp_path: Path) -> AsyncIterator[GridFsFiles]:
        async with opener(mongo_url, lambda database: GridFsFiles(database, tmp_path / "cache"))() as files:
            yield files


async def test_a_file_is_there_for_another_machine(mongo_url: str, tmp_path: Path) -> None:
    async with two_machines(mongo_url, tmp_path) as (one, other):
        reference = await one.put_bytes(CONTENT)

        path = await other.local_path(reference.sha256)

        assert path.read_bytes() == CONTENT
        assert path.is_relative_to(tmp_path / "other")


async def test_a_file_is_downloaded_once(mongo_url: str, tmp_path: Path) -> None:
    async with two_machines(mongo_url, tmp_path) as (one, other):
        reference = await one.put_bytes(CONTENT)
        await asyncio.gather(*(other.local_path(reference.sha256) for _ in range(8)))
        await remove_chunks(mongo_url, reference.sha256)

        assert await other.read(reference.sha256) == CONTENT


async def test_the_same_content_from_two_machines_at_once_is_harmless(mongo_url: str, tmp_path: Path) -> None:
    async with two_machines(mongo_url, tmp_path) as (one, other), machine(mongo_url, tmp_path / "third") as third:
        references = await asyncio.gather(one.put_bytes(CONTENT), other.put_bytes(CONTENT))

        assert references[0] == references[1]
        assert await third.read(references[0].sha256) == CONTENT
        assert await third.delete(references[0].sha256) is True
        assert await third.exists(references[0].sha256) is False


async def test_a_removed_file_is_not_found_on_a_machine_that_has_no_copy(mongo_url: str, tmp_path: Path) -> None:
    async with two_machines(mongo_url, tmp_path) as (one, other):
        reference = await one.put_bytes(CONTENT)
        await one.delete(reference.sha256)

        for files in (one, other):
            with pytest.raises(NotFoundError, match="not stored"):
                await files.read(reference.sha256)


async def test_content_without_its_hash_is_never_given_out(mongo_url: str, tmp_path: Path) -> None:
    database = MongoDatabase(mongo_url)
    await database.open()
    await AsyncGridFSBucket(database.driver(), bucket_name=BUCKET).upload_from_stream(WRONG, CONTENT)
    await database.close()

    async with machine(mongo_url, tmp_path) as files:
        with pytest.raises(PermanentError, match="damaged"):
            await files.read(WRONG)
        with pytest.raises(PermanentError, match="damaged"):
            await files.local_path(WRONG)


async def test_a_file_without_its_chunks_is_damaged(mongo_url: str, tmp_path: Path) -> None:
    async with two_machines(mongo_url, tmp_path) as (one, other):
        reference = await one.put_bytes(CONTENT)
        await remove_chunks(mongo_url, reference.sha256)

        with pytest.raises(PermanentError, match="damaged"):
            await other.read(reference.sha256)


async def test_what_a_killed_upload_left_is_removed_hours_later(mongo_url: str, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_A_PUT, mongo_url, str(tmp_path)], check=False, cwd=ROOT)
    [left] = await in_database(mongo_url, "unfinished_files", "all", {})
    clock = FakeClock(time.time())

    async with machine(mongo_url, tmp_path / "cache", clock) as files:
        known, before = await files.exists(BIG_SHA256), await chunks_of(mongo_url, left["_id"])
        clock.now += UPLOAD_SECONDS_MAX + 60
        await files.sweep()

    assert (killed.returncode, known, before) == (-9, False, 12)
    assert await in_database(mongo_url, "unfinished_files", "all", {}) == []
    assert await chunks_of(mongo_url, left["_id"]) == 0
    assert await in_database(mongo_url, "files.files", "all", {}) == []


async def test_a_sweep_leaves_whole_files_alone(mongo_url: str, tmp_path: Path) -> None:
    clock = FakeClock(time.time())
    async with machine(mongo_url, tmp_path / "cache", clock) as files:
        reference = await files.put_bytes(CONTENT)
        [entry] = await in_database(mongo_url, "files.files", "all", {"filename": reference.sha256})
        # Killed after the upload was complete and before that was noted.
        await in_database(
            mongo_url,
            "unfinished_files",
            "insert",
            {"_id": entry["_id"], "sha256": reference.sha256, "began_at": clock.now},
        )
        clock.now += UPLOAD_SECONDS_MAX + 60
        await files.sweep()

    async with machine(mongo_url, tmp_path / "other") as files:
        assert await files.read(reference.sha256) == CONTENT
    assert await in_database(mongo_url, "unfinished_files", "all", {}) == []


async def test_a_put_after_a_killed_one_stores_the_file(mongo_url: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_IN_A_PUT, mongo_url, str(tmp_path)], check=False, cwd=ROOT)

    async with two_machines(mongo_url, tmp_path) as (one, other):
        reference = await one.put_bytes(BIG)

        assert reference.sha256 == BIG_SHA256
        assert await other.read(BIG_SHA256) == BIG
