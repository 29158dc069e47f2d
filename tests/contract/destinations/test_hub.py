"""The contract of destinations on the built-in one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.loader.destination_hub import HubDestination
from shared.connectors.destination import Destination
from shared.storage.records import SqliteRecordStore
from shared.storage.sqlite import SqliteDatabase
from tests.contract.destinations.destination_contract import DestinationContract, OpenDestination


class TestHubDestination(DestinationContract):
    @pytest.fixture
    def open_destination(self, tmp_path: Path) -> OpenDestination:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[Destination]:
            database = SqliteDatabase(tmp_path / "store.db")
            records = SqliteRecordStore(database)
            await records.start()
            try:
                yield HubDestination(records)
            finally:
                await database.close()

        return open_again
