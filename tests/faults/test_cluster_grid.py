"""Every fail point x everything that happens to clusters: an import on Kafka and MongoDB stays exact.

Each cell: a process was killed with SIGKILL at that point (it wrote so before), that condition came on top, the process
was started again; and in the end the hub holds every record once with its values and links, nothing else, and what it
reports adds up. One import is walked through all points under one condition; HUB_TEST_SEED chooses the moments.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from shared.runtime.fail_points import FAIL_POINTS
from tests.faults.cluster_conditions import CONDITIONS
from tests.faults.cluster_walk import FRESH_FILE, FRESH_NAME, JOBBER, Walked, sessions, walk
from tests.faults.conftest import NewSurroundings
from tests.support.oracle import check_laws, differences
from tests.support.truth import compare_problems, compare_records

pytestmark = [pytest.mark.kafka, pytest.mark.mongo]

SEED = int(os.environ.get("HUB_TEST_SEED", "20264"))
SIGKILLED = -9


@pytest.fixture(scope="module", params=CONDITIONS)
def walked(request: pytest.FixtureRequest, new_surroundings: NewSurroundings) -> Iterator[Walked]:
    """The import under one condition, at its end."""
    condition = CONDITIONS[request.param]
    with new_surroundings(condition.name, uses_proxies=condition.uses_proxies) as around:
        yield asyncio.run(walk(around, condition, sessions(around.cluster.folder), SEED))


def test_there_are_sixty_cells() -> None:
    assert len(CONDITIONS) * len(FAIL_POINTS) == 60


@pytest.mark.parametrize("point", sorted(FAIL_POINTS))
def test_a_cluster_killed_at_a_fail_point_imports_exactly(
    walked: Walked, point: str, embedded: dict[str, Any], hits: Counter[str], request: pytest.FixtureRequest
) -> None:
    condition = CONDITIONS[request.node.callspec.params["walked"]]
    died = walked.killed_at(point)
    hits[f"cluster, {condition.name}: {point}"] += len(died)

    assert died, f"seed {SEED}: no process died at {point}; they died at {walked.kills}\n{walked.said}"
    assert set(died) == {SIGKILLED}
    assert [what for what in condition.must_have_done if not walked.done.get(what)] == []
    assert differences(embedded, walked.left) == [], f"seed {SEED}\n{walked.said}"


def test_the_import_is_the_one_the_source_files_ask_for(walked: Walked) -> None:
    truth = json.loads((JOBBER / "truth.json").read_text(encoding="utf-8"))
    records = {entity: _without_fresh(found, "source_file") for entity, found in walked.left["records"].items()}
    problems = [row for rows in walked.left["errors"] for row in _without_fresh(rows, "hub_file")]

    assert compare_records(truth, records) == []
    assert compare_problems(truth, problems) == []


def test_the_counts_of_each_run_add_up(walked: Walked) -> None:
    assert [check_laws(report) for report in walked.left["reports"]] == [[], [], []]


def test_a_fresh_record_passes_afterwards(walked: Walked) -> None:
    *_, report = walked.left["reports"]
    found = [record["name"] for record in walked.left["records"]["customers"] if record["source_file"] == FRESH_FILE]

    assert report["entities"]["customers"]["imported"] == 1
    assert found == [FRESH_NAME]


def _without_fresh(rows: Sequence[Mapping[str, Any]], where: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row[where] != FRESH_FILE]
