"""The contract of `Documents` on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.storage.documents import Documents, SqliteDocuments
from shared.storage.sqlite import SqliteDatabase
from tests.contract.stores.document_contract import DocumentContract, FakeClock, OpenStore


class TestSqliteDocuments(DocumentContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path, clock: FakeClock) -> OpenStore:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[Documents]:
            database = SqliteDatabase(tmp_path / "store.db")
            documents = SqliteDocuments(database, clock=clock)
            await documents.start()
            try:
                yield documents
            finally:
                await database.close()

        return open_again
