"""Messages that are gone from their topic before anybody handled them: the sweeper sends their batches again."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from shared.messages.topics import BATCH_EXTRACTED, BATCH_MAPPED, LOAD_REQUESTED
from tests.faults.cluster_conditions import Condition, Kill, Restart, Surroundings
from tests.faults.cluster_walk import sessions, walk
from tests.faults.conftest import NewSurroundings
from tests.support.oracle import check_laws, differences

pytestmark = [pytest.mark.kafka, pytest.mark.mongo]

SEED = int(os.environ.get("HUB_TEST_SEED", "20264"))
TOPICS = {
    "mapper.mapped_not_committed": BATCH_EXTRACTED.name,
    "loader.staged_not_sent": BATCH_MAPPED.name,
    "loader.decision_stored_records_not_written": LOAD_REQUESTED.name,
}
"""Where the only consumer of the topic dies before it commits -> the topic."""
WALKS = {"mapper": tuple(TOPICS)[:1], "loader": tuple(TOPICS)[1:]}


async def _messages_vanish(around: Surroundings, kill: Kill, restart: Restart) -> None:
    """While nobody consumes the topic, everything in it is deleted."""
    topic = TOPICS[kill.point]
    around.done[topic] += await _delete_all(around, topic)
    restart()


async def _delete_all(around: Surroundings, topic: str) -> int:
    """Deletes every message of a topic; returns how many nobody had handled."""
    name = around.cluster.settings.topic_prefix + topic
    admin = AIOKafkaAdminClient(bootstrap_servers=around.broker.bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=around.broker.bootstrap)
    await admin.start()
    await consumer.start()
    try:
        [described] = await admin.describe_topics([name])
        partitions = [TopicPartition(name, one["partition"]) for one in described["partitions"]]
        first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        await admin.delete_records({partition: RecordsToDelete(last[partition]) for partition in partitions})
        return sum(last[partition] - first[partition] for partition in partitions)
    finally:
        await consumer.stop()
        await admin.close()


def test_batches_that_vanished_from_their_topics_are_sent_again(
    new_surroundings: NewSurroundings, embedded: dict[str, Any]
) -> None:
    vanish = Condition("vanished", _messages_vanish)

    with new_surroundings("vanished", HUB_REPAIR_SECONDS="2") as around:
        walked = asyncio.run(walk(around, vanish, sessions(around.cluster.folder), SEED, WALKS))

    assert {topic: walked.done.get(topic, 0) > 0 for topic in TOPICS.values()} == dict.fromkeys(TOPICS.values(), True)
    assert differences(embedded, walked.left) == [], f"seed {SEED}\n{walked.said}"
    assert [check_laws(report) for report in walked.left["reports"]] == [[], [], []]
