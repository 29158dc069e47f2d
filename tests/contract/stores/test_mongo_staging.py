"""The contract of `StagingStore` on MongoDB, and what a copy of a batch leaves that came second or was killed."""

from __future__ import annotations

from typing import Any

import pytest

from shared.storage.mongo import MongoDatabase, MongoStagingStore
from tests.contract.stores.mongo_stores import opener
from tests.contract.stores.staging_contract import OpenStore, StagingContract, some, stage, staged_keys

pytestmark = pytest.mark.mongo


class TestMongoStagingStore(StagingContract):
    @pytest.fixture
    def open_store(self, mongo_url: str) -> OpenStore:
        return opener(mongo_url, MongoStagingStore)


async def parts(url: str, name: str) -> list[dict[str, Any]]:
    """What lies in a collection."""
    database = MongoDatabase(url)
    await database.open()
    try:
        return await database.collection(name).all({})
    finally:
        await database.close()


async def leave_parts(url: str, run: int, batch: int) -> None:
    """What a process leaves that is killed after it stored the parts of a batch and before it stored the batch."""
    database = MongoDatabase(url)
    await database.open()
    try:
        for name, field in (("staged_streams", "streams"), ("staged_keys", "keys")):
            left = {"_id": f"{run}/{batch}/customers/killed", "run": run, field: [b"of the killed"]}
            await database.collection(name).insert(left)
    finally:
        await database.close()


async def test_parts_of_a_killed_copy_are_not_read_and_go_with_their_run(mongo_url: str) -> None:
    await leave_parts(mongo_url, 1, 0)
    async with opener(mongo_url, MongoStagingStore)() as store:
        assert await store.summary(1, 0) is None
        await stage(store, 1, 0, some("customers", 2))

        assert [keys.count for keys in await staged_keys(store, 1, "customers")] == [2]
        assert len((await store.part(1, 0, "customers"))[0]) == 1
        await store.purge(1)

    assert await parts(mongo_url, "staged_streams") == await parts(mongo_url, "staged_keys") == []


async def test_a_copy_that_came_second_removes_its_own_parts(mongo_url: str) -> None:
    class SeesNothing(MongoStagingStore):
        """Looked just before the first copy was stored."""

        async def summary(self, run: int, batch: int) -> bytes | None:
            seen, self.seen = getattr(self, "seen", False), True
            return await super().summary(run, batch) if seen else None

    async with opener(mongo_url, MongoStagingStore)() as first, opener(mongo_url, SeesNothing)() as second:
        await stage(first, 1, 0, some("customers", 2), summary=b"first")

        assert await stage(second, 1, 0, some("customers", 5), summary=b"second") == b"first"

    assert len(await parts(mongo_url, "staged_streams")) == len(await parts(mongo_url, "staged_keys")) == 1


async def test_a_part_is_read_without_the_keys(mongo_url: str) -> None:
    async with opener(mongo_url, MongoStagingStore)() as store:
        await stage(store, 1, 0, some("customers", 2))
        database = MongoDatabase(mongo_url)
        await database.open()
        await database.collection("staged_keys").delete({"run": 1})
        await database.close()

        assert len((await store.part(1, 0, "customers"))[0]) == 1
