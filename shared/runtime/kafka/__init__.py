"""The Kafka runtime: each service as its own processes on Kafka topics, with FastStream on aiokafka."""

from __future__ import annotations

from shared.runtime.kafka.runtime import KafkaRuntime
from shared.runtime.kafka.settings import KafkaSecurity, KafkaSettings
from shared.runtime.kafka.topics import TopicState

__all__ = ["KafkaRuntime", "KafkaSecurity", "KafkaSettings", "TopicState"]
