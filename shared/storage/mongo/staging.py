"""`StagingStore` in MongoDB.

A batch is a small document that names a set of parts: per entity type one document with what is loaded and one with
what the seal reads. The parts are stored first, under a name that no other copy of the batch uses; the batch's document
is inserted last and the first one wins. Parts that no batch names (of a copy that came second, or was killed) are never
read and go with their run.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

from shared.errors import RetryableError
from shared.messages.batches import MappedStream
from shared.storage.mongo.collection import Document
from shared.storage.mongo.database import MongoDatabase
from shared.storage.staging import KeysReader, StagedKeys, decode_keys, encode_keys, encode_stream

T = TypeVar("T")

# Batches whose keys are in memory at once while an entity type is sealed: some 500 KiB.
_BATCHES_READ_AT_ONCE = 16


class MongoStagingStore:
    """Staged batches in MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._batches = database.collection("staged_batches")
        self._streams = database.collection("staged_streams")
        self._keys = database.collection("staged_keys")

    async def start(self) -> None:
        """Makes the indexes."""
        for collection in (self._batches, self._streams, self._keys):
            await collection.index("run")

    async def stage(self, run: int, batch: int, summary: bytes, problems: bytes, streams: list[MappedStream]) -> bytes:
        stored = await self.summary(run, batch)
        if stored is not None:
            return stored
        copy = secrets.token_hex(8)
        by_entity = _by_entity(streams)
        names = {entity: _part(run, batch, entity, copy) for entity in by_entity}
        bodies = [
            {"_id": names[entity], "run": run, "streams": [encode_stream(s) for s in slots]}
            for entity, slots in by_entity.items()
        ]
        keys = [
            {"_id": names[entity], "run": run, "keys": [encode_keys(batch, s) for s in slots]}
            for entity, slots in by_entity.items()
        ]
        await asyncio.gather(self._streams.insert_absent(bodies), self._keys.insert_absent(keys))
        is_first = await self._batches.insert(
            {
                "_id": f"{run}/{batch}",
                "run": run,
                "batch": batch,
                "copy": copy,
                "entities": sorted(by_entity),
                "summary": summary,
                "problems": problems,
            }
        )
        if is_first:
            return summary
        for collection in (self._streams, self._keys):
            await collection.delete({"_id": {"$in": list(names.values())}})
        stored = await self.summary(run, batch)
        return summary if stored is None else stored

    async def summary(self, run: int, batch: int) -> bytes | None:
        found = await self._batches.one({"_id": f"{run}/{batch}"}, {"summary": 1})
        return bytes(found["summary"]) if found else None

    async def contents(self, run: int) -> list[tuple[int, bytes]]:
        found = await self._batches.all({"run": run}, {"batch": 1, "summary": 1})
        return sorted((one["batch"], bytes(one["summary"])) for one in found)

    async def problems(self, run: int, batch: int) -> bytes:
        found = await self._batches.one({"_id": f"{run}/{batch}"}, {"problems": 1})
        return bytes(found["problems"]) if found else b""

    async def with_keys(self, run: int, entity: str, work: Callable[[KeysReader], T]) -> T:
        found = await self._batches.all({"run": run}, {"batch": 1, "copy": 1, "entities": 1})
        found.sort(key=lambda one: int(one["batch"]))
        names = [_part(run, one["batch"], entity, one["copy"]) for one in found if entity in one["entities"]]
        loop = asyncio.get_running_loop()

        def ask(asking: Coroutine[Any, Any, list[Document]]) -> list[Document]:
            return asyncio.run_coroutine_threadsafe(asking, loop).result()

        def reader() -> Iterator[StagedKeys]:
            for start in range(0, len(names), _BATCHES_READ_AT_ONCE):
                part = names[start : start + _BATCHES_READ_AT_ONCE]
                by_name = {one["_id"]: one["keys"] for one in ask(self._keys.by_ids(part))}
                if len(by_name) < len(part):
                    raise _being_purged(run)
                for name in part:
                    yield from (decode_keys(bytes(keys)) for keys in by_name[name])

        return await asyncio.to_thread(work, reader)

    async def part(self, run: int, batch: int, entity: str) -> tuple[list[bytes], bytes]:
        staged = await self._batches.one({"_id": f"{run}/{batch}"}, {"copy": 1, "entities": 1, "problems": 1})
        if staged is None:
            return [], b""
        if entity not in staged["entities"]:
            return [], bytes(staged["problems"])
        found = await self._streams.one({"_id": _part(run, batch, entity, staged["copy"])})
        if found is None:
            raise _being_purged(run)
        return [bytes(stream) for stream in found["streams"]], bytes(staged["problems"])

    async def purge(self, run: int) -> None:
        # The names of the parts go first: nobody reads a batch of which a part is gone.
        batches = await self._batches.all({"run": run}, {"_id": 1})
        await self._batches.change_each([({"_id": one["_id"]}, {"$set": {"entities": []}}) for one in batches])
        for collection in (self._streams, self._keys):
            await collection.delete({"run": run})


def _being_purged(run: int) -> RetryableError:
    return RetryableError(f"The staged batches of run {run} are being removed.", next_step="The hub looks again.")


def _part(run: int, batch: int, entity: str, copy: str) -> str:
    return f"{run}/{batch}/{entity}/{copy}"


def _by_entity(streams: Sequence[MappedStream]) -> dict[str, list[MappedStream]]:
    """The streams that have records, by entity type and slot."""
    found: dict[str, list[MappedStream]] = {}
    for stream in sorted(streams, key=lambda s: s.slot):
        if stream.count:
            found.setdefault(stream.entity, []).append(stream)
    return found
