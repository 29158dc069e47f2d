"""What status keeps: one row per outcome, problems by batch, the state of runs. Port and SQLite adapter.

Counts are sums over outcomes: a redelivery replaces a row by itself, so no counter can drift.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from shared.storage.sqlite import SqliteDatabase


class OutcomeKey(NamedTuple):
    """What tells an outcome from the others of its run."""

    step: int
    batch: int
    entity: str


class Outcome(NamedTuple):
    """One stored outcome; `counts` is EntityCounts as JSON."""

    run: int
    step: int
    batch: int
    entity: str
    counts: bytes
    decision: str

    @property
    def key(self) -> OutcomeKey:
        return OutcomeKey(self.step, self.batch, self.entity)


class ProblemBatch(NamedTuple):
    """The problems of one (run, batch, entity type, stage); zstd of msgpack list[Problem]."""

    batch: int
    entity: str
    stage: str
    problems: bytes


class OutcomeStore(Protocol):
    """Durable on return; the first of equal keys stays, except for run states, where the newest sequence stays."""

    async def keep_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """Keeps outcomes by (run, step, batch, entity type)."""

    async def keep_problems(self, account: str, run: int, problems: ProblemBatch) -> None:
        """Keeps problems by (run, batch, entity type, stage)."""

    async def keep_run(self, run: int, account: str, session: str, sequence: int, state: bytes) -> None:
        """Keeps the state of a run unless a newer one is known."""

    async def run(self, run: int) -> bytes | None:
        """The newest state of a run."""

    async def runs_of(self, account: str, session: str) -> list[bytes]:
        """The newest states of a session's runs, oldest run first."""

    async def outcomes(self, run: int) -> list[Outcome]:
        """All outcomes of a run."""

    async def outcomes_beyond(self, run: int, known: AbstractSet[OutcomeKey]) -> list[Outcome]:
        """The outcomes of a run that are not among the known ones, which came from this store.

        The caller says what it has, and not how far it read: with several writers an outcome may become visible after
        one that was stored later, so no place in an order is behind all that was kept before it.
        """

    async def problems(self, run: int) -> list[tuple[int, str, str]]:
        """(batch, entity type, stage) of all problem batches of a run, by batch."""

    async def problem_batch(self, run: int, batch: int) -> list[ProblemBatch]:
        """The problems of one batch."""


_SCHEMA = (
    """CREATE TABLE status_outcomes (
        place INTEGER PRIMARY KEY, run INTEGER NOT NULL, step INTEGER NOT NULL, batch INTEGER NOT NULL,
        entity TEXT NOT NULL, counts BLOB NOT NULL, decision TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX status_outcomes_key ON status_outcomes (run, step, batch, entity)",
    "CREATE INDEX status_outcomes_place ON status_outcomes (run, place)",
    """CREATE TABLE status_problems (
        run INTEGER NOT NULL, batch INTEGER NOT NULL, entity TEXT NOT NULL, stage TEXT NOT NULL, account TEXT NOT NULL,
        problems BLOB NOT NULL,
        PRIMARY KEY (run, batch, entity, stage))""",
    """CREATE TABLE status_runs (
        run INTEGER PRIMARY KEY, account TEXT NOT NULL, session TEXT NOT NULL, sequence INTEGER NOT NULL,
        state BLOB NOT NULL)""",
    "CREATE INDEX status_runs_session ON status_runs (account, session)",
)


class SqliteOutcomeStore:
    """Outcomes in SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def start(self) -> None:
        """Makes the tables."""
        await self._database.migrate("status", _SCHEMA)

    async def keep_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(
                """INSERT INTO status_outcomes (run, step, batch, entity, counts, decision) VALUES (?,?,?,?,?,?)
                   ON CONFLICT (run, step, batch, entity) DO NOTHING""",
                outcomes,
            )

        await self._database.write(write)

    async def keep_problems(self, account: str, run: int, problems: ProblemBatch) -> None:
        row = (run, problems.batch, problems.entity, problems.stage, account, problems.problems)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO status_problems VALUES (?,?,?,?,?,?)", row)

        await self._database.write(write)

    async def keep_run(self, run: int, account: str, session: str, sequence: int, state: bytes) -> None:
        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                """INSERT INTO status_runs VALUES (?,?,?,?,?) ON CONFLICT (run) DO UPDATE
                   SET sequence=excluded.sequence, state=excluded.state WHERE excluded.sequence > sequence""",
                (run, account, session, sequence, state),
            )

        await self._database.write(write)

    async def run(self, run: int) -> bytes | None:
        row = await self._database.read(
            lambda c: c.execute("SELECT state FROM status_runs WHERE run=?", (run,)).fetchone()
        )
        return bytes(row[0]) if row else None

    async def runs_of(self, account: str, session: str) -> list[bytes]:
        query = "SELECT state FROM status_runs WHERE account=? AND session=? ORDER BY run"
        return await self._database.read(lambda c: [row[0] for row in c.execute(query, (account, session))])

    async def outcomes(self, run: int) -> list[Outcome]:
        query = "SELECT run, step, batch, entity, counts, decision FROM status_outcomes WHERE run=?"
        return await self._database.read(lambda c: [Outcome(*row) for row in c.execute(query, (run,))])

    async def outcomes_beyond(self, run: int, known: AbstractSet[OutcomeKey]) -> list[Outcome]:
        def read(connection: sqlite3.Connection) -> list[Outcome]:
            counting = "SELECT count(*) FROM status_outcomes WHERE run=?"
            if connection.execute(counting, (run,)).fetchone()[0] == len(known):
                return []
            query = """SELECT run, step, batch, entity, counts, decision FROM status_outcomes
                       WHERE run=? ORDER BY place"""
            return [Outcome(*row) for row in connection.execute(query, (run,)) if row[1:4] not in known]

        return await self._database.read(read)

    async def problems(self, run: int) -> list[tuple[int, str, str]]:
        query = "SELECT batch, entity, stage FROM status_problems WHERE run=? ORDER BY batch, entity, stage"
        return await self._database.read(lambda c: c.execute(query, (run,)).fetchall())

    async def problem_batch(self, run: int, batch: int) -> list[ProblemBatch]:
        query = "SELECT batch, entity, stage, problems FROM status_problems WHERE run=? AND batch=?"
        return await self._database.read(lambda c: [ProblemBatch(*row) for row in c.execute(query, (run, batch))])


def by_batch(keys: Sequence[tuple[int, str, str]]) -> Iterator[int]:
    """The distinct batches of problem keys, ascending."""
    last: int | None = None
    for batch, _, _ in keys:
        if batch != last:
            yield batch
            last = batch
