"""The contract of `RecordStore` on MongoDB."""

from __future__ import annotations

import pytest

from shared.storage.mongo import MongoRecordStore
from tests.contract.stores.mongo_stores import opener
from tests.contract.stores.record_contract import OpenStore, RecordContract

pytestmark = pytest.mark.mongo


class TestMongoRecordStore(RecordContract):
    @pytest.fixture
    def open_store(self, mongo_url: str) -> OpenStore:
        return opener(mongo_url, MongoRecordStore)
