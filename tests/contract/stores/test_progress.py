"""The contract of `ProgressStore` on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.storage.progress import ProgressStore, SqliteProgressStore
from shared.storage.sqlite import SqliteDatabase
from tests.contract.stores.progress_contract import OpenStore, ProgressContract


class TestSqliteProgressStore(ProgressContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[ProgressStore]:
            database = SqliteDatabase(tmp_path / "store.db")
            store = SqliteProgressStore(database)
            await store.start()
            try:
                yield store
            finally:
                await database.close()

        return open_again
