"""The hand-written copy that the import is compared with."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from benchmarks.yardstick import copy_trio


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for table in ("customers", "jobs", "invoices"):
        (tmp_path / f"{table}.csv").write_text('ID,Name\n1, Ann \n2,"Bo\nb"\n3\n', encoding="utf-8")
    return tmp_path


def test_copies_every_row_with_stripped_cells(directory: Path) -> None:
    database = directory / "copy.db"

    copied = copy_trio(directory, database)

    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT row, ID, Name FROM jobs ORDER BY row").fetchall()
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    assert copied == 9
    assert rows == [(1, "1", "Ann"), (2, "2", "Bo\nb"), (3, "3", "")]
    assert mode == ("wal",)


def test_does_not_write_into_a_database_that_is_there(directory: Path) -> None:
    (directory / "copy.db").touch()

    with pytest.raises(FileExistsError):
        copy_trio(directory, directory / "copy.db")
