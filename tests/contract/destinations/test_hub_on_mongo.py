"""The contract of destinations on the built-in one, with its records in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.loader.destination_hub import HubDestination
from shared.connectors.destination import Destination
from shared.storage.mongo import MongoRecordStore
from tests.contract.destinations.destination_contract import DestinationContract, OpenDestination
from tests.contract.stores.mongo_stores import opener

pytestmark = pytest.mark.mongo


class TestHubDestinationOnMongo(DestinationContract):
    @pytest.fixture
    def open_destination(self, mongo_url: str) -> OpenDestination:
        @asynccontextmanager
        async def open_again() -> AsyncIterator[Destination]:
            async with opener(mongo_url, MongoRecordStore)() as records:
                yield HubDestination(records)

        return open_again
