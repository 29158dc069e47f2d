"""What all tests share: the servers that a test session starts once, and the long tests that are asked for."""

from __future__ import annotations

import pytest

from tests.support.kafka_broker import kafka, kafka_broker, own_kafka
from tests.support.mongo_servers import any_mongo_url, mongo_server, mongo_servers, mongo_url

__all__ = ["any_mongo_url", "kafka", "kafka_broker", "mongo_server", "mongo_servers", "mongo_url", "own_kafka"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long tests run where they are asked for: `pytest -m slow`."""
    if "slow" in (config.option.markexpr or ""):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="long; run it with -m slow"))
