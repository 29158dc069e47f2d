"""The SQLite file with its writer thread: group commit, isolation between callers, several processes, kills."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, RetryableError
from shared.storage.sqlite import SqliteDatabase, open_connection

TABLE = ("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT",)

# Prints each number after its write was acknowledged, until it is killed.
WRITES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from shared.storage.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    async def write(first):
        for number in range(first, 10**9, 8):
            await database.write(lambda c: c.execute("INSERT INTO notes (text) VALUES (?)", (str(number),)))
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(write(first) for first in range(8)))

asyncio.run(main())
"""

COUNTS_UP = """
import asyncio, sys
from pathlib import Path
from shared.storage.sqlite import SqliteDatabase

def count_up(connection):
    (value,) = connection.execute("SELECT text FROM notes WHERE id = 1").fetchone()
    connection.execute("UPDATE notes SET text = ? WHERE id = 1", (str(int(value) + 1),))

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    await asyncio.gather(*(database.write(count_up) for _ in range(100)))
    await database.close()

asyncio.run(main())
"""


def insert(text: str):
    return lambda connection: connection.execute("INSERT INTO notes (text) VALUES (?)", (text,)).lastrowid


def all_texts(connection: sqlite3.Connection) -> list[str]:
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY id")]


@pytest.fixture
async def database(tmp_path: Path):
    database = SqliteDatabase(tmp_path / "store.db")
    await database.migrate("notes", TABLE)
    yield database
    await database.close()


async def test_a_write_returns_what_its_function_returned(database: SqliteDatabase) -> None:
    assert await database.write(insert("a")) == 1


async def test_a_finished_write_is_visible_to_the_next_read(database: SqliteDatabase) -> None:
    await database.write(insert("a"))

    assert await database.read(all_texts) == ["a"]


async def test_writes_are_applied_in_the_order_of_the_calls(database: SqliteDatabase) -> None:
    await asyncio.gather(*(database.write(insert(str(number))) for number in range(50)))

    assert await database.read(all_texts) == [str(number) for number in range(50)]


async def test_everything_waiting_shares_one_transaction(database: SqliteDatabase) -> None:
    is_held, go_on = threading.Event(), threading.Event()
    commits: list[str] = []

    def hold(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda statement: commits.append(statement) if statement == "COMMIT" else None)
        is_held.set()
        go_on.wait(10)

    holding = asyncio.ensure_future(database.write(hold))
    await asyncio.to_thread(is_held.wait, 10)
    waiting = [asyncio.ensure_future(database.write(insert(str(number)))) for number in range(20)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(holding, *waiting)

    assert len(commits) == 2  # the one that held, and the twenty behind it


async def test_a_failing_write_undoes_its_own_work_alone(database: SqliteDatabase) -> None:
    def insert_then_fail(connection: sqlite3.Connection) -> None:
        insert("half")(connection)
        raise LookupError("mine")

    results = await asyncio.gather(
        database.write(insert("before")),
        database.write(insert_then_fail),
        database.write(insert("after")),
        return_exceptions=True,
    )

    assert isinstance(results[1], LookupError)
    assert await database.read(all_texts) == ["before", "after"]


async def test_a_broken_constraint_comes_to_its_caller_as_it_is(database: SqliteDatabase) -> None:
    await database.write(insert("a"))

    with pytest.raises(sqlite3.IntegrityError):
        await database.write(insert("a"))


async def test_a_function_that_ends_the_shared_transaction_is_told_so(database: SqliteDatabase) -> None:
    with pytest.raises(RuntimeError, match="ended the transaction"):
        await database.write(lambda connection: connection.execute("COMMIT"))

    assert await database.write(insert("still works")) == 1


async def test_a_full_disk_is_retryable_and_stores_nothing_of_the_call(database: SqliteDatabase) -> None:
    def insert_too_much(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 2}")
        try:
            insert("x" * 1_000_000)(connection)
        finally:
            connection.execute("PRAGMA max_page_count=1000000")

    with pytest.raises(RetryableError, match="full"):
        await database.write(insert_too_much)

    await database.write(insert("after"))
    assert await database.read(all_texts) == ["after"]


async def test_a_cancelled_caller_leaves_the_others_alone(database: SqliteDatabase) -> None:
    is_held, go_on = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        is_held.set()
        go_on.wait(10)

    holding = asyncio.ensure_future(database.write(hold))
    await asyncio.to_thread(is_held.wait, 10)
    cancelled = asyncio.ensure_future(database.write(insert("cancelled")))
    other = asyncio.ensure_future(database.write(insert("other")))
    await asyncio.sleep(0)
    cancelled.cancel()
    go_on.set()
    await asyncio.gather(holding, other)

    assert await database.read(all_texts) == ["other"]


async def test_more_writes_than_may_wait_all_arrive(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "small.db", writes_waiting_max=4)
    await database.migrate("notes", TABLE)

    await asyncio.gather(*(database.write(insert(str(number))) for number in range(200)))

    assert len(await database.read(all_texts)) == 200
    await database.close()


async def test_a_read_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await database.read(insert("a"))


async def test_a_read_sees_one_snapshot_while_others_write(database: SqliteDatabase) -> None:
    await database.write(insert("a"))
    has_read, go_on = threading.Event(), threading.Event()

    def read_twice(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
        first = all_texts(connection)
        has_read.set()
        go_on.wait(10)
        return first, all_texts(connection)

    reading = asyncio.ensure_future(database.read(read_twice))
    await asyncio.to_thread(has_read.wait, 10)
    await database.write(insert("b"))
    go_on.set()

    assert await reading == (["a"], ["a"])


async def test_close_finishes_what_was_accepted(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db")
    await database.migrate("notes", TABLE)
    writes = [asyncio.ensure_future(database.write(insert(str(number)))) for number in range(20)]
    await asyncio.sleep(0)

    await database.close()
    await asyncio.gather(*writes)

    assert len(all_texts(open_connection(tmp_path / "store.db"))) == 20


async def test_after_close_calls_are_refused_as_retryable(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db")
    await database.close()
    await database.close()

    with pytest.raises(RetryableError):
        await database.write(lambda connection: None)
    with pytest.raises(RetryableError):
        await database.read(lambda connection: None)


async def test_migrate_runs_only_what_is_new(database: SqliteDatabase) -> None:
    await database.write(insert("a"))

    await database.migrate("notes", [*TABLE, "ALTER TABLE notes ADD COLUMN colour TEXT"])
    await database.migrate("notes", [*TABLE, "ALTER TABLE notes ADD COLUMN colour TEXT"])

    columns = await database.read(lambda connection: connection.execute("SELECT * FROM notes").fetchall())
    assert columns == [(1, "a", None)]


async def test_migrate_is_all_or_nothing(database: SqliteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError):
        await database.migrate("other", ["CREATE TABLE other (id INTEGER)", "CREATE NONSENSE"])

    await database.migrate("other", ["CREATE TABLE other (id INTEGER)"])


async def test_a_file_of_a_newer_version_is_refused(database: SqliteDatabase) -> None:
    with pytest.raises(ConfigurationError, match="newer version"):
        await database.migrate("notes", [])


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"Name,Phone\n" * 1_000)

    with pytest.raises(ConfigurationError, match=r"store\.db cannot be opened"):
        SqliteDatabase(path)


def test_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere/store\.db cannot be opened"):
        SqliteDatabase(tmp_path / "nowhere" / "store.db")


async def test_two_processes_count_on_the_same_row_without_losing_one(database: SqliteDatabase, tmp_path: Path) -> None:
    await database.write(insert("0"))

    processes = [subprocess.Popen([sys.executable, "-c", COUNTS_UP, str(tmp_path / "store.db")]) for _ in range(2)]
    codes = [await asyncio.to_thread(process.wait) for process in processes]

    assert codes == [0, 0]
    assert await database.read(all_texts) == ["200"]


@pytest.mark.parametrize("acknowledged_before_the_kill", [1, 400])
async def test_a_killed_process_loses_nothing_it_acknowledged(
    database: SqliteDatabase, tmp_path: Path, acknowledged_before_the_kill: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES_UNTIL_KILLED, str(tmp_path / "store.db")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(acknowledged_before_the_kill)]
    process.kill()
    lines += process.stdout.readlines()
    process.wait()

    acknowledged = {line.strip().decode() for line in lines if line.endswith(b"\n")}
    stored = set(await database.read(all_texts))

    assert len(acknowledged) >= acknowledged_before_the_kill
    assert acknowledged - stored == set()
    assert await database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
