"""The contract of `StagingStore` on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.storage.sqlite import SqliteDatabase
from shared.storage.staging import SqliteStagingStore, StagingStore
from tests.contract.stores.staging_contract import OpenStore, StagingContract


class TestSqliteStagingStore(StagingContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[StagingStore]:
            database = SqliteDatabase(tmp_path / "staging.db")
            store = SqliteStagingStore(database)
            await store.start()
            try:
                yield store
            finally:
                await database.close()

        return open_again
