"""Staged batches: what the loader keeps of a run between Validating and its end. Port and SQLite adapter.

A staged batch is written once and never replaced: whichever copy of a mapped batch comes first decides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import msgspec

from shared.messages.batches import MappedStream
from shared.storage.sqlite import SqliteDatabase

T = TypeVar("T")


class StagedKeys(msgspec.Struct, frozen=True, array_like=True):
    """The part of a staged stream that the seal reads; arrays as in `MappedStream`."""

    batch: int
    slot: int
    count: int
    numbers: bytes
    lines: bytes
    keys: bytes
    contents: bytes
    keyed_by: bytes
    naturals: bytes
    link_keys: bytes


KeysReader = Callable[[], Iterator[StagedKeys]]
"""Reads the staged keys of one entity type from the beginning, batch by batch; may be called many times."""


class StagingStore(Protocol):
    """What the loader needs of its staging area. Everything is durable on return."""

    async def stage(self, run: int, batch: int, summary: bytes, problems: bytes, streams: list[MappedStream]) -> bytes:
        """Stages a batch unless it is staged already; returns the summary that is stored, the first one."""

    async def summary(self, run: int, batch: int) -> bytes | None:
        """The stored summary of a batch."""

    async def contents(self, run: int) -> list[tuple[int, bytes]]:
        """(batch, summary) of every staged batch of a run, by batch."""

    async def problems(self, run: int, batch: int) -> bytes:
        """The problems staged with a batch (zstd of msgpack list[Problem])."""

    async def with_keys(self, run: int, entity: str, work: Callable[[KeysReader], T]) -> T:
        """Runs `work` off the event loop over the staged keys of one entity type."""

    async def part(self, run: int, batch: int, entity: str) -> tuple[list[bytes], bytes]:
        """The encoded streams of one entity type in one batch, by slot, without what only the seal reads (keys,
        contents, naturals, link_keys are empty), and the batch's problems."""

    async def purge(self, run: int) -> None:
        """Forgets the records of a run. Repeating it is harmless.

        What was answered about its batches (summary and problems) stays: it can be told again, and a copy of a batch
        that comes late is not staged any more.
        """


_SCHEMA = (
    """CREATE TABLE staged_batches (
        run INTEGER NOT NULL, batch INTEGER NOT NULL, summary BLOB NOT NULL, problems BLOB NOT NULL,
        PRIMARY KEY (run, batch))""",
    # What the seal reads stands before the bodies: SQLite then leaves the bodies' pages unread.
    """CREATE TABLE staged_streams (
        run INTEGER NOT NULL, entity TEXT NOT NULL, batch INTEGER NOT NULL, slot INTEGER NOT NULL,
        keys BLOB NOT NULL, stream BLOB NOT NULL,
        PRIMARY KEY (run, entity, batch, slot))""",
)

_BATCHES_READ_AT_ONCE = 16
_STREAMS_PURGED_AT_ONCE = 64  # some 8 MiB


class SqliteStagingStore:
    """Staging in a SQLite file of its own: it churns, and the store beside it stays the user's data alone."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def start(self) -> None:
        """Makes the tables."""
        await self._database.migrate("staging", _SCHEMA)

    async def stage(self, run: int, batch: int, summary: bytes, problems: bytes, streams: list[MappedStream]) -> bytes:
        rows = [(run, s.entity, batch, s.slot, encode_keys(batch, s), encode_stream(s)) for s in streams if s.count]

        def write(connection: sqlite3.Connection) -> bytes:
            stored = connection.execute(
                "SELECT summary FROM staged_batches WHERE run=? AND batch=?", (run, batch)
            ).fetchone()
            if stored:
                return bytes(stored[0])
            connection.execute("INSERT INTO staged_batches VALUES (?,?,?,?)", (run, batch, summary, problems))
            connection.executemany("INSERT INTO staged_streams VALUES (?,?,?,?,?,?)", rows)
            return summary

        return await self._database.write(write)

    async def summary(self, run: int, batch: int) -> bytes | None:
        row = await self._one("SELECT summary FROM staged_batches WHERE run=? AND batch=?", run, batch)
        return bytes(row[0]) if row else None

    async def contents(self, run: int) -> list[tuple[int, bytes]]:
        return await self._database.read(
            lambda c: c.execute(
                "SELECT batch, summary FROM staged_batches WHERE run=? ORDER BY batch", (run,)
            ).fetchall()
        )

    async def problems(self, run: int, batch: int) -> bytes:
        row = await self._one("SELECT problems FROM staged_batches WHERE run=? AND batch=?", run, batch)
        return bytes(row[0]) if row else b""

    async def with_keys(self, run: int, entity: str, work: Callable[[KeysReader], T]) -> T:
        def read(connection: sqlite3.Connection) -> T:
            def reader() -> Iterator[StagedKeys]:
                cursor = connection.execute(
                    "SELECT keys FROM staged_streams WHERE run=? AND entity=? ORDER BY batch, slot", (run, entity)
                )
                while rows := cursor.fetchmany(_BATCHES_READ_AT_ONCE):
                    for (keys,) in rows:
                        yield decode_keys(keys)

            return work(reader)

        return await self._database.read(read)

    async def part(self, run: int, batch: int, entity: str) -> tuple[list[bytes], bytes]:
        streams = "SELECT stream FROM staged_streams WHERE run=? AND entity=? AND batch=? ORDER BY slot"
        problems = "SELECT problems FROM staged_batches WHERE run=? AND batch=?"

        def read(connection: sqlite3.Connection) -> tuple[list[bytes], bytes]:
            found = connection.execute(problems, (run, batch)).fetchone()
            return [row[0] for row in connection.execute(streams, (run, entity, batch))], found[0] if found else b""

        return await self._database.read(read)

    async def purge(self, run: int) -> None:
        # In slices: one statement over a whole run keeps all pages it frees in memory until it commits.
        slice_of = "DELETE FROM staged_streams WHERE rowid IN (SELECT rowid FROM staged_streams WHERE run=? LIMIT ?)"
        deleted = _STREAMS_PURGED_AT_ONCE
        while deleted == _STREAMS_PURGED_AT_ONCE:
            deleted = await self._database.write(lambda c: c.execute(slice_of, (run, _STREAMS_PURGED_AT_ONCE)).rowcount)

    async def _one(self, query: str, *values: object) -> tuple[bytes] | None:
        row: tuple[bytes] | None = await self._database.read(lambda c: c.execute(query, values).fetchone())
        return row


def encode_stream(s: MappedStream) -> bytes:
    """A stream as it is staged. The seal alone reads what is left out: kept twice, that is a quarter of all writing."""
    return msgspec.msgpack.encode(msgspec.structs.replace(s, keys=b"", contents=b"", naturals=b"", link_keys=b""))


def encode_keys(batch: int, s: MappedStream) -> bytes:
    """What the seal reads of a stream, as it is staged."""
    return msgspec.msgpack.encode(
        StagedKeys(batch, s.slot, s.count, s.numbers, s.lines, s.keys, s.contents, s.keyed_by, s.naturals, s.link_keys)
    )


def decode_keys(stored: bytes) -> StagedKeys:
    """What `encode_keys` made."""
    return msgspec.msgpack.decode(stored, type=StagedKeys)
