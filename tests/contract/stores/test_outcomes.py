"""The contract of `OutcomeStore` on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.storage.outcomes import OutcomeStore, SqliteOutcomeStore
from shared.storage.sqlite import SqliteDatabase
from tests.contract.stores.outcome_contract import OpenStore, OutcomeContract


class TestSqliteOutcomeStore(OutcomeContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[OutcomeStore]:
            database = SqliteDatabase(tmp_path / "store.db")
            store = SqliteOutcomeStore(database)
            await store.start()
            try:
                yield store
            finally:
                await database.close()

        return open_again
