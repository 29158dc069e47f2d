"""`hub topics`: the registry's topics and how they are on the bus."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.bus import make_kafka_runtime
from services.cli.options import say
from services.locations import KafkaCluster, SqliteFile
from services.settings import HubSettings, load_settings
from shared.messages.topics import TOPICS
from shared.observability.logs import configure_logging

TopicView = dict[str, Any]

LEVELS = ("debug", "info", "warning", "error")


async def create(data_directory: Path) -> list[TopicView]:
    """Creates what is missing; every topic as it is now."""
    settings = _settings(data_directory)
    place = settings.bus_place
    if not isinstance(place, KafkaCluster):
        say("The embedded log makes its topics by itself: there is nothing to do.")
        return _embedded(settings)
    states = await make_kafka_runtime(settings, place, time.time).create_topics()
    return [asdict(state) | {"exists": state.exists} for state in states]


async def listed(data_directory: Path) -> list[TopicView]:
    """Every topic as it is now."""
    settings = _settings(data_directory)
    place = settings.bus_place
    if not isinstance(place, KafkaCluster):
        return _embedded(settings)
    states = await make_kafka_runtime(settings, place, time.time).list_topics()
    return [asdict(state) | {"exists": state.exists} for state in states]


def _settings(data_directory: Path) -> HubSettings:
    """The settings; warnings are shown, since the brokers are waited for."""
    settings = load_settings(data_dir=data_directory)
    configure_logging(json_lines=False, level=max(settings.log_level, "warning", key=LEVELS.index))
    return settings


def _embedded(settings: HubSettings) -> list[TopicView]:
    """The log makes all of them when a hub first runs on it."""
    place = settings.bus_place
    exists = isinstance(place, SqliteFile) and place.path.exists()
    return [
        {
            "name": topic.name,
            "partitions": settings.topic_partitions,
            "retention_hours": topic.retention_hours,
            "replication": 1,
            "created": False,
            "exists": exists,
        }
        for topic in TOPICS
    ]
