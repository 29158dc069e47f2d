"""The contract of `ProgressStore` on MongoDB."""

from __future__ import annotations

import pytest

from shared.storage.mongo import MongoProgressStore
from tests.contract.stores.mongo_stores import opener
from tests.contract.stores.progress_contract import OpenStore, ProgressContract

pytestmark = pytest.mark.mongo


class TestMongoProgressStore(ProgressContract):
    @pytest.fixture
    def open_store(self, mongo_url: str) -> OpenStore:
        return opener(mongo_url, MongoProgressStore)
