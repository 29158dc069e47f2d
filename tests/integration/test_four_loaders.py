"""Four loader processes, two of them killed and one that comes later, leave what one embedded loader leaves."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.trio_data import scaled
from tests.support.forked_cluster import ForkedCluster, forked_cluster
from tests.support.hub_process import HubProcess, Import
from tests.support.kafka_broker import KafkaBrokerHandle
from tests.support.mongo_servers import MongoServers, kinds
from tests.support.oracle import check_laws, differences, dump, mongo_rows, stored_rows

pytestmark = [pytest.mark.kafka, pytest.mark.mongo]

RECORDS, BATCH_RECORDS = 3_500, 60
KILLS = ("loader.staged_not_sent@3", "loader.records_written_not_sent@3")
"""In mid-import: one loader while batches are validated, another one while they are written."""

Rows = Callable[[], list[list[Any]]]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Import:
    """One session over three files, 59 batches."""
    trio = scaled(tmp_path_factory.mktemp("trio"), RECORDS)
    return Import({"trio": trio.paths}, batch_records=BATCH_RECORDS, workers=1)


@pytest.fixture(scope="module")
def embedded(work: Import, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the embedded hub with its one loader leaves."""
    return HubProcess(tmp_path_factory.mktemp("embedded") / "data", work).finish()


@pytest.fixture(params=["mongo", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, str], Rows]]:
    """(settings, reader of the stored rows): a database with GridFS, or an SQLite file that all processes share."""
    if request.param == "sqlite":
        settings = {"HUB_STORE": f"sqlite:///{tmp_path}/store/store.db", "HUB_FILES": f"file:///{tmp_path}/files"}
        yield settings, lambda: stored_rows(tmp_path / "store" / "store.db")
        return
    servers: MongoServers = request.getfixturevalue("mongo_servers")
    server = servers.get(kinds()[-1])
    url = server.new_database()
    yield {"HUB_STORE": url, "HUB_FILES": "gridfs"}, lambda: mongo_rows(url)
    server.drop(url)


async def test_an_import_by_four_loaders_of_which_two_are_killed_equals_the_embedded_one(
    kafka: KafkaBrokerHandle, store: tuple[dict[str, str], Rows], work: Import, embedded: dict[str, Any], tmp_path: Path
) -> None:
    settings, rows = store
    bus = {"HUB_BUS": f"kafka://{kafka.bootstrap}", "HUB_TOPIC_PREFIX": f"t{secrets.token_hex(4)}."}
    with forked_cluster(tmp_path, {**bus, **settings, "HUB_TOPIC_PARTITIONS": "8"}) as cluster:
        await cluster.create_topics()
        cluster.start_all(counts={"loader": 4})
        await cluster.ready()
        for loader, fail_point in zip(cluster.of("loader"), KILLS, strict=False):
            loader.arm(fail_point)

        async with asyncio.timeout(300), cluster.driver(BATCH_RECORDS) as driver, asyncio.TaskGroup() as tasks:
            tasks.create_task(_add_a_loader_after_the_first_kill(cluster))
            runs = [await driver.drive(name, paths) for name, paths in work.sessions.items()]
        async with cluster.driver(BATCH_RECORDS) as driver:
            found = await dump(driver, rows(), runs)
        died = [(one.died_at(), one.exit_code) for one in cluster.members if one.exit_code is not None]

    assert died == [(point.partition("@")[0], -9) for point in KILLS]
    assert differences(embedded, found) == []
    assert [check_laws(report) for report in found["reports"]] == [[]]


async def _add_a_loader_after_the_first_kill(cluster: ForkedCluster) -> None:
    await cluster.until("a loader is killed", lambda: len(cluster.of("loader")) < 4)
    cluster.start("loader")
