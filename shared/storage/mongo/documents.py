"""`Documents` in MongoDB: one document holds body, revision, order and outbox, so every change is atomic by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import RetryableError
from shared.storage.documents import (
    DOCUMENT_BYTES_MAX,
    Document,
    DocumentPage,
    PendingOutbox,
    SavedMessages,
    check_revision,
    check_size,
    cursor_of,
    decode_outbox,
    encode_outbox,
    position_of,
    still_to_be_published,
)
from shared.storage.mongo.collection import Document as Stored
from shared.storage.mongo.database import MongoDatabase

# MongoDB takes 16 MiB in all. The body may have half of it; what is left is for messages that wait to be published.
_OUTBOX_BYTES_MAX = DOCUMENT_BYTES_MAX - 256 * 1024
# Each lost round means that another writer changed the same document. With their pauses all take some eight seconds.
_ROUNDS_MAX = 200

_HEAD = {"account": 1, "revision": 1, "order": 1, "version": 1, "outbox": 1}


@dataclass(frozen=True, slots=True)
class _Head:
    """A stored document without its body. `version` counts every write, also those that keep the revision."""

    account: str
    revision: int
    order: str
    version: int
    outbox: tuple[SavedMessages, ...]


class MongoDocuments:
    """`Documents` in a MongoDB database. Call `start` once before anything else."""

    def __init__(self, database: MongoDatabase, *, clock: Callable[[], float] = time.time) -> None:
        self._documents = database.collection("documents")
        self._clock = clock

    async def start(self) -> None:
        """Makes the indexes."""
        await self._documents.index("collection", "order", "id")
        await self._documents.index("collection", "account", "order", "id")
        await self._documents.index("outbox_since", sparse=True)

    async def get(self, collection: str, id: str, *, account: str | None = None) -> Document | None:
        found = await self._documents.one(_key(collection, id), {"outbox": 0})
        document = _document(found) if found else None
        return document if document is None or account in (None, document.account) else None

    async def put(
        self,
        collection: str,
        id: str,
        body: bytes,
        *,
        account: str,
        expected_revision: int | None,
        order: str | None = None,
        outbox: Sequence[bytes] = (),
    ) -> int:
        check_size(collection, id, len(body) + sum(map(len, outbox)))
        messages, now = tuple(outbox), self._clock()
        async for _ in _rounds():
            head = await self._head(collection, id)
            check_revision(head, collection, id, expected_revision, account)
            revision = head.revision + 1 if head else 1
            saved = head.outbox if head else ()
            if messages:
                saved = (*saved, SavedMessages(revision, now, messages))
            kept_order = head.order if head else ""
            values = {
                "account": account,
                "revision": revision,
                "order": kept_order if order is None else order,
                "body": body,
            }
            if await self._write(collection, id, head, values, saved):
                return revision
        raise _contended(collection, id)

    async def find(
        self,
        collection: str,
        *,
        account: str | None = None,
        newest_first: bool = False,
        after: str | None = None,
        limit: int = 100,
    ) -> DocumentPage:
        wanted: dict[str, Any] = {"collection": collection}
        if account is not None:
            wanted["account"] = account
        if after is not None:
            order, id = position_of(after)
            behind = "$lt" if newest_first else "$gt"
            wanted["$or"] = [{"order": {behind: order}}, {"order": order, "id": {behind: id}}]
        direction = -1 if newest_first else 1
        found = await self._documents.all(
            wanted, {"outbox": 0}, sort=[("order", direction), ("id", direction)], limit=limit + 1
        )
        documents = tuple(map(_document, found[:limit]))
        return DocumentPage(documents, cursor_of(documents[-1]) if len(found) > limit and documents else None)

    async def delete(self, collection: str, id: str, *, expected_revision: int | None = None) -> bool:
        async for _ in _rounds():
            head = await self._head(collection, id)
            if head is None:
                return False
            check_revision(head, collection, id, expected_revision, head.account)
            if head.outbox:
                raise still_to_be_published(collection, id)
            if await self._documents.delete(_key(collection, id) | {"version": head.version}):
                return True
        raise _contended(collection, id)

    async def pending_outbox(self, older_than_seconds: float, *, limit: int = 100) -> list[PendingOutbox]:
        latest = self._clock() - older_than_seconds
        found = await self._documents.all(
            {"outbox_since": {"$lte": latest}}, {"body": 0}, sort=[("outbox_since", 1)], limit=limit
        )
        return [
            PendingOutbox(one["collection"], one["id"], one["account"], saved.revision, saved.messages)
            for one in found
            for saved in decode_outbox(one.get("outbox"))
            if saved.saved_at <= latest
        ]

    async def clear_outbox(self, collection: str, id: str, revision: int) -> None:
        async for _ in _rounds():
            head = await self._head(collection, id)
            kept = tuple(saved for saved in head.outbox if saved.revision != revision) if head else ()
            if head is None or len(kept) == len(head.outbox) or await self._write(collection, id, head, {}, kept):
                return
        raise _contended(collection, id)

    async def _head(self, collection: str, id: str) -> _Head | None:
        found = await self._documents.one(_key(collection, id), _HEAD)
        if found is None:
            return None
        outbox = decode_outbox(found.get("outbox"))
        return _Head(found["account"], found["revision"], found["order"], found["version"], outbox)

    async def _write(
        self, collection: str, id: str, head: _Head | None, values: Mapping[str, Any], saved: tuple[SavedMessages, ...]
    ) -> bool:
        """Stores values and outbox if the document is still as it was read."""
        encoded = encode_outbox(saved)
        if encoded is not None and len(encoded) > _OUTBOX_BYTES_MAX:
            raise RetryableError(
                f"{collection} {id} has {len(encoded):,} bytes of messages that are still to be published. It was not"
                " changed.",
                next_step="The hub tries again once they are; check that the broker runs.",
            )
        outbox = {} if encoded is None else {"outbox": encoded, "outbox_since": saved[0].saved_at}
        if head is None:
            new = _key(collection, id) | {"collection": collection, "id": id, "version": 1, **values, **outbox}
            return await self._documents.insert(new)
        update: dict[str, Any] = {"$set": {**values, **outbox, "version": head.version + 1}}
        if encoded is None and head.outbox:
            update["$unset"] = {"outbox": "", "outbox_since": ""}
        return await self._documents.change(_key(collection, id) | {"version": head.version}, update)


async def _rounds() -> AsyncIterator[int]:
    """Rounds of read, compare and swap, with pauses that grow: who won may not be confirmed by a majority yet."""
    for number in range(_ROUNDS_MAX):
        yield number
        await asyncio.sleep(min(0.05, 0.001 * number))


def _key(collection: str, id: str) -> Stored:
    return {"_id": f"{collection}/{id}"}


def _document(found: Stored) -> Document:
    return Document(
        found["collection"], found["id"], found["account"], found["revision"], found["order"], bytes(found["body"])
    )


def _contended(collection: str, id: str) -> RetryableError:
    return RetryableError(
        f"{collection} {id} is being changed by many at once. This change was not made.",
        next_step="Try again in some seconds.",
    )
