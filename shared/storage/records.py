"""The hub's records with their links, outcomes, audit and open references. Port and SQLite adapter.

Layout is speed: one row per record with an integer key that is its id; the crosswalk is the stream's range of ids plus
the sealed artifacts of its run; the audit is one compressed document per batch, stored with the outcome.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from shared.connectors.destination import DecisionKey, RecordRow, Settled, Stored
from shared.messages.plan import record_id
from shared.runtime.fail_points import fail_point
from shared.storage.sqlite import SqliteDatabase


class Stream(NamedTuple):
    """A range of record ids: the records one file of one run made for one (entity type, slot)."""

    run: int
    first_slot: int
    last_slot: int
    account: str
    session: str
    entity: str
    file: str


class Segment(NamedTuple):
    """The sealed index of one entity type of an earlier run: how later runs find its records."""

    run: int
    entity: str
    label: str
    address: str


class RecordStore(Protocol):
    """What the loader needs of the store. Every write is durable on return and harmless when repeated."""

    async def register(self, streams: Sequence[Stream]) -> None:
        """Makes the id ranges of a run known. Ranges that are known already stay as they are."""

    async def outcome(self, key: DecisionKey) -> Stored | None:
        """What is decided about a key."""

    async def decide(self, key: DecisionKey, decision: Stored, audit: bytes, records: Sequence[RecordRow]) -> Stored:
        """Stores the first decision of a key with its records; returns the stored one."""

    async def outcomes(self, run: int) -> list[Stored]:
        """Everything decided in a run, in its order."""

    async def audits(self, run: int, after: DecisionKey | None, limit: int) -> list[tuple[DecisionKey, bytes]]:
        """Audit documents of a run's decisions behind a key, in their order."""

    async def existing(self, ids: Sequence[int]) -> set[int]:
        """Which of these record ids are stored."""

    async def rows(self, ids: Sequence[int]) -> list[RecordRow]:
        """The records of these ids, by id."""

    async def page(self, account: str, entity: str, after: int, limit: int) -> list[tuple[Stream, RecordRow]]:
        """Up to `limit` records of an entity type with ids above `after`, by id."""

    async def streams(self, account: str) -> list[Stream]:
        """All id ranges of an account, by id."""

    async def open_records(self, account: str, before_run: int) -> list[tuple[int, int]]:
        """(record id, open references) of records with open references made by earlier runs, by id."""

    async def settle(self, key: DecisionKey, decision: Stored, audit: bytes, updates: Sequence[Settled]) -> Stored:
        """Stores the first settlement of a page (the key's batch) with its updates; returns the stored one."""

    async def segments(self, account: str) -> list[Segment]:
        """The sealed indexes of the account's closed runs, oldest first."""

    async def close(self, run: int, account: str, segments: Sequence[Segment]) -> None:
        """Keeps the run's sealed indexes for later runs and leaves the marker that it is closed."""

    async def is_closed(self, run: int) -> bool:
        """Whether the run's marker is there."""


_SCHEMA = (
    """CREATE TABLE records (
        id INTEGER PRIMARY KEY, line INTEGER NOT NULL, open INTEGER NOT NULL,
        user_revision INTEGER NOT NULL DEFAULT 0, system_revision INTEGER NOT NULL DEFAULT 1,
        links BLOB, body BLOB NOT NULL)""",
    "CREATE INDEX records_open ON records (id) WHERE open > 0",
    """CREATE TABLE streams (
        run INTEGER NOT NULL, first_slot INTEGER NOT NULL, last_slot INTEGER NOT NULL, account TEXT NOT NULL,
        session TEXT NOT NULL, entity TEXT NOT NULL, file TEXT NOT NULL,
        PRIMARY KEY (run, first_slot)) WITHOUT ROWID""",
    "CREATE INDEX streams_account ON streams (account, entity)",
    """CREATE TABLE outcomes (
        run INTEGER NOT NULL, step INTEGER NOT NULL, batch INTEGER NOT NULL, entity TEXT NOT NULL,
        outcome BLOB NOT NULL, problems BLOB NOT NULL, audit BLOB NOT NULL,
        PRIMARY KEY (run, step, batch, entity))""",
    """CREATE TABLE segments (
        run INTEGER NOT NULL, entity TEXT NOT NULL, account TEXT NOT NULL, label TEXT NOT NULL, address TEXT NOT NULL,
        PRIMARY KEY (run, entity)) WITHOUT ROWID""",
    "CREATE TABLE closed_runs (run INTEGER PRIMARY KEY, account TEXT NOT NULL)",
)

_IDS_PER_QUERY = 500  # below SQLite's smallest default for bound values (999)


class SqliteRecordStore:
    """Records in SQLite; a decision, its records, outcome and audit are one transaction."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def start(self) -> None:
        """Makes the tables."""
        await self._database.migrate("records", _SCHEMA)

    async def register(self, streams: Sequence[Stream]) -> None:
        await self._database.write(
            lambda c: c.executemany("INSERT OR IGNORE INTO streams VALUES (?,?,?,?,?,?,?)", streams) and None
        )

    async def outcome(self, key: DecisionKey) -> Stored | None:
        return await self._database.read(lambda c: _stored(c, key))

    async def decide(self, key: DecisionKey, decision: Stored, audit: bytes, records: Sequence[RecordRow]) -> Stored:
        def write(connection: sqlite3.Connection) -> Stored:
            if stored := _stored(connection, key):
                return stored
            connection.execute("INSERT INTO outcomes VALUES (?,?,?,?,?,?,?)", (*key, *decision, audit))
            fail_point("loader.decision_stored_records_not_written")
            connection.executemany("INSERT INTO records (id, line, open, links, body) VALUES (?,?,?,?,?)", records)
            return decision

        return await self._database.write(write)

    async def outcomes(self, run: int) -> list[Stored]:
        query = "SELECT outcome, problems FROM outcomes WHERE run=? ORDER BY step, batch, entity"
        return await self._database.read(lambda c: [Stored(*row) for row in c.execute(query, (run,))])

    async def audits(self, run: int, after: DecisionKey | None, limit: int) -> list[tuple[DecisionKey, bytes]]:
        query = """SELECT run, step, batch, entity, audit FROM outcomes
                   WHERE run=? AND (step, batch, entity) > (?,?,?) ORDER BY step, batch, entity LIMIT ?"""
        behind = after[1:] if after else (-1, -1, "")
        return await self._database.read(
            lambda c: [(DecisionKey(*row[:4]), row[4]) for row in c.execute(query, (run, *behind, limit))]
        )

    async def existing(self, ids: Sequence[int]) -> set[int]:
        return await self._database.read(lambda c: {row[0] for row in _by_ids(c, "SELECT id FROM records", ids)})

    async def rows(self, ids: Sequence[int]) -> list[RecordRow]:
        query = "SELECT id, line, open, links, body FROM records"
        found = await self._database.read(lambda c: [RecordRow(*row) for row in _by_ids(c, query, ids)])
        return sorted(found)

    async def page(self, account: str, entity: str, after: int, limit: int) -> list[tuple[Stream, RecordRow]]:
        def read(connection: sqlite3.Connection) -> list[tuple[Stream, RecordRow]]:
            found: list[tuple[Stream, RecordRow]] = []
            for stream in _streams(connection, account, entity):
                first, last = record_id(stream.run, stream.first_slot), record_id(stream.run, stream.last_slot)
                if last <= after:
                    continue
                rows = connection.execute(
                    "SELECT id, line, open, links, body FROM records WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
                    (max(first, after + 1), last, limit - len(found)),
                )
                found.extend((stream, RecordRow(*row)) for row in rows)
                if len(found) >= limit:
                    break
            return found

        return await self._database.read(read)

    async def streams(self, account: str) -> list[Stream]:
        return await self._database.read(lambda c: _streams(c, account, None))

    async def open_records(self, account: str, before_run: int) -> list[tuple[int, int]]:
        def read(connection: sqlite3.Connection) -> list[tuple[int, int]]:
            found: list[tuple[int, int]] = []
            for stream in _streams(connection, account, None):
                if stream.run < before_run:
                    found += connection.execute(
                        "SELECT id, open FROM records WHERE open > 0 AND id BETWEEN ? AND ? ORDER BY id",
                        (record_id(stream.run, stream.first_slot), record_id(stream.run, stream.last_slot)),
                    ).fetchall()
            return found

        return await self._database.read(read)

    async def settle(self, key: DecisionKey, decision: Stored, audit: bytes, updates: Sequence[Settled]) -> Stored:
        def write(connection: sqlite3.Connection) -> Stored:
            if stored := _stored(connection, key):
                return stored
            connection.execute("INSERT INTO outcomes VALUES (?,?,?,?,?,?,?)", (*key, *decision, audit))
            connection.executemany(
                "UPDATE records SET open=?, links=?, system_revision=system_revision+1 WHERE id=?",
                [(update.open, update.links, update.id) for update in updates],
            )
            return decision

        return await self._database.write(write)

    async def segments(self, account: str) -> list[Segment]:
        return await self._database.read(
            lambda c: [
                Segment(*row)
                for row in c.execute(
                    "SELECT run, entity, label, address FROM segments WHERE account=? ORDER BY run, entity", (account,)
                )
            ]
        )

    async def close(self, run: int, account: str, segments: Sequence[Segment]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR IGNORE INTO segments (run, entity, account, label, address) VALUES (?,?,?,?,?)",
                [(s.run, s.entity, account, s.label, s.address) for s in segments],
            )
            connection.execute("INSERT OR IGNORE INTO closed_runs VALUES (?,?)", (run, account))

        await self._database.write(write)

    async def is_closed(self, run: int) -> bool:
        return await self._database.read(
            lambda c: c.execute("SELECT 1 FROM closed_runs WHERE run=?", (run,)).fetchone() is not None
        )


def _stored(connection: sqlite3.Connection, key: DecisionKey) -> Stored | None:
    row = connection.execute(
        "SELECT outcome, problems FROM outcomes WHERE run=? AND step=? AND batch=? AND entity=?", key
    ).fetchone()
    return Stored(*row) if row else None


def _streams(connection: sqlite3.Connection, account: str, entity: str | None) -> list[Stream]:
    query = "SELECT run, first_slot, last_slot, account, session, entity, file FROM streams WHERE account=?"
    values: tuple[str, ...] = (account,)
    if entity is not None:
        query, values = f"{query} AND entity=?", (account, entity)
    return [Stream(*row) for row in connection.execute(f"{query} ORDER BY run, first_slot", values)]


def _by_ids(connection: sqlite3.Connection, query: str, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(ids), _IDS_PER_QUERY):
        part = ids[start : start + _IDS_PER_QUERY]
        marks = ",".join("?" * len(part))
        found += connection.execute(f"{query} WHERE id IN ({marks})", tuple(part)).fetchall()
    return found
