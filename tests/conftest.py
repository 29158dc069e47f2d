"""Fixtures of all tests: the servers that a test session starts once."""

from __future__ import annotations

from tests.support.kafka_broker import kafka, kafka_broker, own_kafka
from tests.support.mongo_servers import any_mongo_url, mongo_server, mongo_servers, mongo_url

__all__ = ["any_mongo_url", "kafka", "kafka_broker", "mongo_server", "mongo_servers", "mongo_url", "own_kafka"]
