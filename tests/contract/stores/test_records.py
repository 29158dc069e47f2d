"""The contract of `RecordStore` on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.storage.records import RecordStore, SqliteRecordStore
from shared.storage.sqlite import SqliteDatabase
from tests.contract.stores.record_contract import OpenStore, RecordContract


class TestSqliteRecordStore(RecordContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[RecordStore]:
            database = SqliteDatabase(tmp_path / "store.db")
            store = SqliteRecordStore(database)
            await store.start()
            try:
                yield store
            finally:
                await database.close()

        return open_again
