"""The yardstick: what a competent programmer writes by hand to copy three CSV files into SQLite, and nothing more.

`python -m benchmarks.yardstick DIRECTORY DATABASE` copies customers.csv, jobs.csv and invoices.csv and prints the
seconds it took. Cells are stripped; nothing is checked, converted, linked or counted. It is as durable as the hub's
store: WAL with synchronous=FULL, a transaction per 5,000 rows.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
import time
from itertools import islice
from pathlib import Path

TABLES = ("customers", "jobs", "invoices")
ROWS_PER_TRANSACTION = 5_000


def copy_trio(directory: Path, database: Path) -> int:
    """Copies the three files into a new database and returns the number of rows. Raises FileExistsError."""
    if database.exists():
        raise FileExistsError(f"{database} exists already: name a new file")
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return sum(_copy(connection, directory / f"{table}.csv", table) for table in TABLES)
    finally:
        connection.close()


def _copy(connection: sqlite3.Connection, path: Path, table: str) -> int:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        names = [f'"{name.strip()}"' for name in next(reader)]
        columns = ", ".join(f"{name} TEXT" for name in names)
        connection.execute(f"CREATE TABLE {table} (row INTEGER PRIMARY KEY, {columns})")
        insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        rows = 0
        while page := [list(map(str.strip, row)) for row in islice(reader, ROWS_PER_TRANSACTION)]:
            _make_as_wide_as_header(page, len(names))
            connection.execute("BEGIN")
            connection.executemany(insert, page)
            connection.execute("COMMIT")
            rows += len(page)
        # Made at the end: kept up to date during the copy, an index of random ids costs twice the whole copy.
        connection.execute(f"CREATE INDEX {table}_id ON {table} ({names[0]})")
        return rows


def _make_as_wide_as_header(page: list[list[str]], width: int) -> None:
    """A row that is too short or too long would be refused by the insert."""
    for row in page:
        if len(row) != width:
            row[:] = (row + [""] * width)[:width]


def main() -> None:
    directory, database = Path(sys.argv[1]), Path(sys.argv[2])
    started = time.perf_counter()
    rows = copy_trio(directory, database)
    print(f"{time.perf_counter() - started:.3f}")
    print(f"{rows} rows", file=sys.stderr)


if __name__ == "__main__":
    main()
