"""The operations that the adapters use of a MongoDB collection, and no others.

Each is right on every server the contract suites run on (decision 0012): single-document writes, unordered bulk writes
by `_id`, simple filters. No transaction, no aggregation, no array filter, no update by pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from shared.errors import RetryableError
from shared.storage.mongo.faults import DUPLICATE_KEY, driver_faults

Document = dict[str, Any]
Filter = Mapping[str, Any]
Fields = Mapping[str, int]

# Writes sent together. The driver splits them further where they exceed a message of 48 MB.
SLICE_DOCUMENTS = 1_000
# Ids asked for together: 1,000 of 9 bytes each, far below the limit of a query.
SLICE_IDS = 1_000
# Until what another writer has just stored is confirmed by a majority: some milliseconds, else something is wrong.
OTHERS_CONFIRM_SECONDS = 5.0


class Collection:
    """One collection. RetryableError from every call while the server is away; each call may be repeated."""

    def __init__(self, driver: Callable[[], AsyncCollection[Document]], place: str) -> None:
        self._driver = driver
        self._place = place

    async def index(self, *fields: str, sparse: bool = False) -> None:
        """Makes an index unless it is there."""
        with driver_faults(self._place):
            await self._driver().create_index([(field, 1) for field in fields], sparse=sparse)

    async def one(self, filter: Filter, fields: Fields | None = None) -> Document | None:
        """One document, or None."""
        with driver_faults(self._place):
            return await self._driver().find_one(filter, fields)

    async def all(
        self, filter: Filter, fields: Fields | None = None, *, sort: Sequence[tuple[str, int]] = (), limit: int = 0
    ) -> list[Document]:
        """All documents (or the first `limit`), in order where `sort` is given. They are held in memory."""
        with driver_faults(self._place):
            cursor = self._driver().find(filter, fields, limit=limit)
            if sort:
                cursor = cursor.sort(list(sort))
            return await cursor.to_list()

    async def by_ids(self, ids: Sequence[Any], fields: Fields | None = None) -> list[Document]:
        """The documents of these ids, in no order."""
        found: list[Document] = []
        for start in range(0, len(ids), SLICE_IDS):
            found += await self.all({"_id": {"$in": list(ids[start : start + SLICE_IDS])}}, fields)
        return found

    async def count(self, filter: Filter) -> int:
        """How many documents there are."""
        with driver_faults(self._place):
            return await self._driver().count_documents(filter)

    async def insert(self, document: Document) -> bool:
        """Stores a new document; False, and nothing is changed, where its `_id` is taken, durably as well."""
        with driver_faults(self._place):
            try:
                await self._driver().insert_one(document)
            except DuplicateKeyError:
                pass
            else:
                return True
        await self._confirmed([document["_id"]])
        return False

    async def insert_absent(self, documents: Sequence[Document]) -> None:
        """Stores those whose `_id` is not taken; the others stay as they are. All are durable then."""
        for start in range(0, len(documents), SLICE_DOCUMENTS):
            part = documents[start : start + SLICE_DOCUMENTS]
            with driver_faults(self._place):
                try:
                    await self._driver().insert_many(part, ordered=False)
                except BulkWriteError as error:
                    if not _only_taken_ids(error):
                        raise
                else:
                    continue
            await self._confirmed([document["_id"] for document in part])

    async def _confirmed(self, ids: Sequence[Any]) -> None:
        """Waits until documents that others stored are as durable as one's own: reads see what a majority has."""
        try:
            async with asyncio.timeout(OTHERS_CONFIRM_SECONDS):
                # What is waited for happens on the servers, so there is no event to wait for.
                while len(await self.by_ids(ids, {"_id": 1})) < len(set(ids)):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            raise RetryableError(
                f"MongoDB at {self._place} has not confirmed what another process of the hub is storing.",
                next_step="Check that a majority of its servers is there; the hub tries again.",
            ) from error

    async def change(self, filter: Filter, update: Mapping[str, Any]) -> bool:
        """Changes one document atomically; False where none matches."""
        with driver_faults(self._place):
            return (await self._driver().update_one(filter, update)).matched_count == 1

    async def change_each(self, changes: Sequence[tuple[Filter, Mapping[str, Any]]]) -> None:
        """Makes changes to single documents, each atomically and in no order; those that match nothing do nothing."""
        for start in range(0, len(changes), SLICE_DOCUMENTS):
            part = [UpdateOne(filter, update) for filter, update in changes[start : start + SLICE_DOCUMENTS]]
            with driver_faults(self._place):
                await self._driver().bulk_write(part, ordered=False)

    async def delete(self, filter: Filter) -> int:
        """Removes all that match; how many those were."""
        with driver_faults(self._place):
            return (await self._driver().delete_many(filter)).deleted_count


def _only_taken_ids(error: BulkWriteError) -> bool:
    return not error.details.get("writeConcernErrors") and all(
        one.get("code") == DUPLICATE_KEY for one in error.details.get("writeErrors", ())
    )
