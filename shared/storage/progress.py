"""Acknowledgements of a run's steps: what ingest knows of what is done. Port and SQLite adapter."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from shared.storage.sqlite import SqliteDatabase


class ProgressStore(Protocol):
    """One acknowledgement per (run, step, position); the first one stays. Durable on return."""

    async def acknowledge(self, run: int, step: int, position: int, payload: bytes) -> None:
        """Keeps an acknowledgement unless it is known."""

    async def count(self, run: int, step: int) -> int:
        """How many positions of a step are acknowledged."""

    async def positions(self, run: int, step: int) -> set[int]:
        """Which positions of a step are acknowledged."""

    async def payloads(self, run: int, step: int) -> list[tuple[int, bytes]]:
        """(position, payload) of a step, by position."""

    async def purge(self, run: int) -> None:
        """Forgets a run. Repeating it is harmless."""


_SCHEMA = (
    """CREATE TABLE acknowledgements (
        run INTEGER NOT NULL, step INTEGER NOT NULL, position INTEGER NOT NULL, payload BLOB NOT NULL,
        PRIMARY KEY (run, step, position)) WITHOUT ROWID""",
)


class SqliteProgressStore:
    """Acknowledgements in SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def start(self) -> None:
        """Makes the table."""
        await self._database.migrate("progress", _SCHEMA)

    async def acknowledge(self, run: int, step: int, position: int, payload: bytes) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO acknowledgements VALUES (?,?,?,?)", (run, step, position, payload)
            )

        await self._database.write(write)

    async def count(self, run: int, step: int) -> int:
        query = "SELECT count(*) FROM acknowledgements WHERE run=? AND step=?"
        return await self._database.read(lambda c: int(c.execute(query, (run, step)).fetchone()[0]))

    async def positions(self, run: int, step: int) -> set[int]:
        query = "SELECT position FROM acknowledgements WHERE run=? AND step=?"
        return await self._database.read(lambda c: {row[0] for row in c.execute(query, (run, step))})

    async def payloads(self, run: int, step: int) -> list[tuple[int, bytes]]:
        query = "SELECT position, payload FROM acknowledgements WHERE run=? AND step=? ORDER BY position"
        return await self._database.read(lambda c: c.execute(query, (run, step)).fetchall())

    async def purge(self, run: int) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM acknowledgements WHERE run=?", (run,))

        await self._database.write(write)
