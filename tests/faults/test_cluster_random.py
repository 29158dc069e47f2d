"""Random trouble for a whole cluster; `python -m benchmarks.cluster_kills` does the same for longer."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.cluster_kills import ClusterKills
from tests.support.kafka_broker import KafkaBrokerHandle, OwnBroker
from tests.support.mongo_servers import MongoServers, kinds

pytestmark = [pytest.mark.kafka, pytest.mark.mongo, pytest.mark.slow]

SEED = int(os.environ.get("HUB_TEST_SEED", "20265"))
RECORDS, ROUNDS = 3_500, 3


@pytest.mark.parametrize("store", ["mongo", "sqlite"])
def test_an_import_in_random_trouble_ends_like_an_undisturbed_one(
    store: str, kafka: KafkaBrokerHandle, mongo_servers: MongoServers, tmp_path: Path, hits: Counter[str]
) -> None:
    if not isinstance(kafka, OwnBroker):
        pytest.skip("HUB_TEST_KAFKA names a broker that is not ours to kill")
    kills = ClusterKills(tmp_path, RECORDS, SEED, store, kafka, mongo_servers.get(kinds()[-1]))

    done = list(kills.rounds(ROUNDS))

    for one in done:
        hits.update({f"cluster at random, {trouble}": count for trouble, count in one.done.items()})
    assert [one.differences for one in done if one.differences] == [], f"seed {SEED}"
    assert all(one.done for one in done)
