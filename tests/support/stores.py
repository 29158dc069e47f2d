"""Stores for unit tests: the real SQLite adapter in a temporary folder, fast enough to need no double."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from shared.storage.documents import SqliteDocuments
from shared.storage.sqlite import SqliteDatabase


@asynccontextmanager
async def open_documents(folder: Path, clock: Callable[[], float]) -> AsyncIterator[SqliteDocuments]:
    """The documents of a fresh store in the folder."""
    database = SqliteDatabase(folder / "store.db", synchronous="NORMAL")
    documents = SqliteDocuments(database, clock=clock)
    await documents.start()
    try:
        yield documents
    finally:
        await database.close()
