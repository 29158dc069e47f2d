"""The contract of `OutcomeStore` on MongoDB."""

from __future__ import annotations

import pytest

from shared.storage.mongo import MongoOutcomeStore
from tests.contract.stores.mongo_stores import opener
from tests.contract.stores.outcome_contract import OpenStore, OutcomeContract

pytestmark = pytest.mark.mongo


class TestMongoOutcomeStore(OutcomeContract):
    @pytest.fixture
    def open_store(self, mongo_url: str) -> OpenStore:
        return opener(mongo_url, MongoOutcomeStore)
