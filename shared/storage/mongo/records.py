"""`RecordStore` in MongoDB. A decision is stored with all that follows from it; whoever meets it carries it out.

1. The decision is inserted under its key, with answer, problems, audit and the packed writes. The first insert wins.
2. The stored writes are made, each a single document: a record is inserted unless its id is there, a settlement is
   applied unless the record has its mark. Made twice, or by two processes at once, they change nothing more.
3. The packed writes are dropped from the decision: it is carried out.

A process that dies between two steps leaves a decision that still holds its writes; the next reader of the key makes
them before it answers (decision 0012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import zstandard

from shared.connectors.destination import DecisionKey, RecordRow, Settled, Stored
from shared.errors import PermanentError
from shared.messages.plan import record_id
from shared.runtime.fail_points import fail_point
from shared.storage.mongo.collection import Document, Filter
from shared.storage.mongo.database import MongoDatabase
from shared.storage.records import Segment, Stream

# MongoDB takes 16 MiB in one document; what is left is for names and lengths.
DECISION_BYTES_MAX = 15 * 1024 * 1024
# Level 1 halves the bodies' size at some 300 MB/s; what is packed lives for milliseconds.
_PACKING_LEVEL = 1

_ROW = {"_id": 1, "line": 1, "open": 1, "links": 1, "body": 1}
_RUN_ORDER = (("step", 1), ("batch", 1), ("entity", 1))


class Writes(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What is to be written because of a decision."""

    records: list[RecordRow] = []
    settled: list[Settled] = []


class MongoRecordStore:
    """Records in MongoDB, one document each, their ids as `_id`."""

    def __init__(self, database: MongoDatabase) -> None:
        self._records = database.collection("records")
        self._decisions = database.collection("decisions")
        self._streams = database.collection("streams")
        self._segments = database.collection("segments")
        self._closed_runs = database.collection("closed_runs")

    async def start(self) -> None:
        """Makes the indexes."""
        # Records without open references have no field `open`, so this index holds only the others.
        await self._records.index("open", sparse=True)
        await self._decisions.index("run", "step", "batch", "entity")
        await self._streams.index("account", "entity")
        await self._segments.index("account")

    # ---- decisions ----------------------------------------------------------------------------------------------

    async def outcome(self, key: DecisionKey) -> Stored | None:
        found = await self._decisions.one({"_id": _name(key)}, {"answer": 1, "problems": 1, "writes": 1})
        return await self._carried_out(key, found) if found else None

    async def decide(self, key: DecisionKey, decision: Stored, audit: bytes, records: Sequence[RecordRow]) -> Stored:
        return await self._decided(key, decision, audit, Writes(records=list(records)))

    async def settle(self, key: DecisionKey, decision: Stored, audit: bytes, updates: Sequence[Settled]) -> Stored:
        return await self._decided(key, decision, audit, Writes(settled=list(updates)))

    async def _decided(self, key: DecisionKey, decision: Stored, audit: bytes, writes: Writes) -> Stored:
        new = await self.store_decision(key, decision, audit, writes)
        if new is not None:
            return await self._carried_out(key, new)
        stored = await self.outcome(key)
        if stored is None:
            raise RuntimeError(f"The decision {_name(key)} was stored and is gone.")
        return stored

    async def store_decision(self, key: DecisionKey, decision: Stored, audit: bytes, writes: Writes) -> Document | None:
        """Step 1: the decision as it is stored now, None where another one was first."""
        new: Document = {"_id": _name(key), **key._asdict(), **decision._asdict(), "audit": audit}
        if writes.records or writes.settled:
            new["writes"] = zstandard.compress(msgspec.msgpack.encode(writes), _PACKING_LEVEL)
        size = sum(len(value) for value in new.values() if isinstance(value, bytes))
        if size > DECISION_BYTES_MAX:
            raise PermanentError(
                f"Batch {key.batch} of run {key.run} needs {size:,} bytes to be written ({key.entity}); MongoDB takes"
                f" {DECISION_BYTES_MAX:,} at once. Nothing of it was written.",
                next_step="Import files with less text in a row, or smaller batches.",
            )
        return new if await self._decisions.insert(new) else None

    async def _carried_out(self, key: DecisionKey, found: Document) -> Stored:
        if packed := found.get("writes"):
            fail_point("loader.decision_stored_records_not_written")
            await self.make_writes(key, packed)
            await self.drop_writes(key)
        return Stored(bytes(found["answer"]), bytes(found["problems"]))

    async def make_writes(self, key: DecisionKey, packed: bytes) -> None:
        """Step 2. Repeating it, at once or much later, changes nothing."""
        writes = msgspec.msgpack.decode(zstandard.decompress(packed), type=Writes)
        await self._records.insert_absent([_record(row) for row in writes.records])
        await self._records.change_each([_settlement(_name(key), update) for update in writes.settled])

    async def drop_writes(self, key: DecisionKey) -> None:
        """Step 3."""
        await self._decisions.change({"_id": _name(key)}, {"$unset": {"writes": ""}})

    async def outcomes(self, run: int) -> list[Stored]:
        found = await self._decisions.all({"run": run}, {"audit": 0}, sort=_RUN_ORDER)
        return [await self._carried_out(_key(one), one) for one in found]

    async def audits(self, run: int, after: DecisionKey | None, limit: int) -> list[tuple[DecisionKey, bytes]]:
        wanted: dict[str, Any] = {"run": run}
        if after is not None:
            wanted["$or"] = [
                {"step": {"$gt": after.step}},
                {"step": after.step, "batch": {"$gt": after.batch}},
                {"step": after.step, "batch": after.batch, "entity": {"$gt": after.entity}},
            ]
        fields = {"run": 1, "step": 1, "batch": 1, "entity": 1, "audit": 1}
        found = await self._decisions.all(wanted, fields, sort=_RUN_ORDER, limit=limit)
        return [(_key(one), bytes(one["audit"])) for one in found]

    # ---- records ------------------------------------------------------------------------------------------------

    async def existing(self, ids: Sequence[int]) -> set[int]:
        return {int(one["_id"]) for one in await self._records.by_ids(ids, {"_id": 1})}

    async def rows(self, ids: Sequence[int]) -> list[RecordRow]:
        return sorted(_row(one) for one in await self._records.by_ids(ids, _ROW))

    async def page(self, account: str, entity: str, after: int, limit: int) -> list[tuple[Stream, RecordRow]]:
        page: list[tuple[Stream, RecordRow]] = []
        for stream in await self._streams_of({"account": account, "entity": entity}):
            if record_id(stream.run, stream.last_slot) <= after:
                continue
            found = await self._records.all(_ids_of(stream, after), _ROW, sort=[("_id", 1)], limit=limit - len(page))
            page += [(stream, _row(one)) for one in found]
            if len(page) >= limit:
                break
        return page

    async def register(self, streams: Sequence[Stream]) -> None:
        await self._streams.insert_absent([{"_id": f"{s.run}/{s.first_slot}", **s._asdict()} for s in streams])

    async def streams(self, account: str) -> list[Stream]:
        return await self._streams_of({"account": account})

    async def _streams_of(self, wanted: Filter) -> list[Stream]:
        found = await self._streams.all(wanted, {"_id": 0})
        return sorted(Stream(**one) for one in found)

    async def open_records(self, account: str, before_run: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for stream in await self.streams(account):
            if stream.run < before_run:
                waiting = await self._records.all(_ids_of(stream) | {"open": {"$gt": 0}}, {"open": 1})
                found += [(int(one["_id"]), one["open"]) for one in waiting]
        return sorted(found)

    # ---- the end of a run ---------------------------------------------------------------------------------------

    async def segments(self, account: str) -> list[Segment]:
        found = await self._segments.all({"account": account}, {"_id": 0, "account": 0})
        return sorted(Segment(**one) for one in found)

    async def close(self, run: int, account: str, segments: Sequence[Segment]) -> None:
        # The marker comes last: where it is, the segments are.
        await self._segments.insert_absent(
            [{"_id": f"{s.run}/{s.entity}", "account": account, **s._asdict()} for s in segments]
        )
        await self._closed_runs.insert({"_id": run, "account": account})

    async def is_closed(self, run: int) -> bool:
        return await self._closed_runs.one({"_id": run}, {"_id": 1}) is not None


def _name(key: DecisionKey) -> str:
    return f"{key.run}/{key.step}/{key.batch}/{key.entity}"


def _key(found: Document) -> DecisionKey:
    return DecisionKey(found["run"], found["step"], found["batch"], found["entity"])


def _ids_of(stream: Stream, after: int = -1) -> dict[str, Any]:
    first, last = record_id(stream.run, stream.first_slot), record_id(stream.run, stream.last_slot)
    return {"_id": {"$gte": max(first, after + 1), "$lte": last}}


def _record(row: RecordRow) -> Document:
    document: Document = {"_id": row.id, "line": row.line, "user_revision": 0, "system_revision": 1, "body": row.body}
    if row.open:
        document["open"] = row.open
    if row.links is not None:
        document["links"] = row.links
    return document


def _row(found: Document) -> RecordRow:
    links = found.get("links")
    return RecordRow(
        int(found["_id"]),  # the driver's own kind of int cannot be encoded as JSON or MessagePack
        found["line"],
        found.get("open", 0),
        None if links is None else bytes(links),
        bytes(found["body"]),
    )


def _settlement(mark: str, update: Settled) -> tuple[Filter, Mapping[str, Any]]:
    """The change of one record, which does nothing where the record has the mark of this settlement.

    Marks are fields and not entries of an array, because a filter on the absence of an array's entry is not right on
    every server. They are few: one for each later run that looked at the record's open references.
    """
    field = f"settled.{mark}"
    change: dict[str, Any] = {"$set": {"links": update.links, field: 1}, "$inc": {"system_revision": 1}}
    if update.open:
        change["$set"]["open"] = update.open
    else:
        change["$unset"] = {"open": ""}
    return {"_id": update.id, field: {"$exists": False}}, change
