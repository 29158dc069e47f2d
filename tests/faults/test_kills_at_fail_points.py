"""Kill -9 at every named fail point, three times each: the import that goes on leaves what an undisturbed one does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.fail_points import FAIL_POINTS
from tests.support.hub_process import ROOT, HubProcess, Import
from tests.support.oracle import check_laws, differences

JOBBER = ROOT / "examples" / "jobber"
CLIENTS, JOBS, INVOICES = (JOBBER / name for name in ("clients.csv", "jobs.csv", "invoices.csv"))

PLANS = {
    "large batches": Import({"trio": (CLIENTS, JOBS, INVOICES)}, batch_records=500, workers=1),
    "middle batches": Import({"trio": (CLIENTS, JOBS, INVOICES)}, batch_records=60, workers=1),
    "small batches": Import({"trio": (CLIENTS, JOBS, INVOICES)}, batch_records=25, window=4),
    # The children wait for their parents, six pages of them.
    "children first": Import(
        {"children": (JOBS, INVOICES), "parents": (CLIENTS,)}, batch_records=60, page_records=100, workers=1
    ),
}

# Fail point -> (plan, hit at which to die). What happens once in a run is met in three runs with different batches.
ONCE = (("large batches", 1), ("middle batches", 1), ("small batches", 1))
OFTEN = (("large batches", 2), ("middle batches", 1), ("small batches", 17))
KILLS: dict[str, tuple[tuple[str, int], ...]] = {
    "ingest.landing_half_done": (("large batches", 1), ("large batches", 2), ("large batches", 3)),
    "ingest.batch_released_not_committed": (*OFTEN, ("small batches", 50)),
    "ingest.run_ended_not_sent": ONCE,
    "ingest.run_closed_not_freed": ONCE,
    "mapper.mapped_not_committed": OFTEN,
    "loader.staged_not_sent": OFTEN,
    "loader.seal_written_not_answered": ONCE,
    "loader.decision_stored_records_not_written": OFTEN,
    "loader.records_written_not_sent": OFTEN,
    "loader.finalizing_half_done": (("children first", 1), ("children first", 2), ("children first", 5)),
}


class Prepared:
    """Data directories just before their import, and what an undisturbed import of each leaves; made when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready: dict[str, HubProcess] = {}
        self._undisturbed: dict[str, dict[str, Any]] = {}

    def copy(self, plan: str, target: Path) -> HubProcess:
        """A data directory of its own, ready to be imported."""
        if plan not in self._ready:
            self._ready[plan] = HubProcess(self._folder / plan.replace(" ", "-"), PLANS[plan])
            self._ready[plan].make_ready()
        return self._ready[plan].copy(target)

    def undisturbed(self, plan: str) -> dict[str, Any]:
        """What the import leaves if nothing happens to it."""
        if plan not in self._undisturbed:
            self._undisturbed[plan] = self.copy(plan, self._folder / f"{plan.replace(' ', '-')}-undisturbed").finish()
        return self._undisturbed[plan]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return Prepared(tmp_path_factory.mktemp("kills"))


def test_every_fail_point_is_killed_at_three_times() -> None:
    assert {name: len(kills) for name, kills in KILLS.items() if len(kills) < 3} == {}
    assert KILLS.keys() == FAIL_POINTS


@pytest.mark.parametrize(
    ("name", "plan", "nth"),
    [pytest.param(name, plan, nth, id=f"{name}@{nth} {plan}") for name in KILLS for plan, nth in KILLS[name]],
)
def test_an_import_killed_at_a_fail_point_ends_like_an_undisturbed_one(
    name: str, plan: str, nth: int, prepared: Prepared, tmp_path: Path, hits: Counter[str]
) -> None:
    expected = prepared.undisturbed(plan)
    is_before_the_run = name == "ingest.landing_half_done"
    hub = HubProcess(tmp_path / "data", PLANS[plan]) if is_before_the_run else prepared.copy(plan, tmp_path / "data")

    killed = hub.die_at(f"{name}@{nth}")
    hits[name] += killed
    found = hub.finish()

    assert killed == 1, f"{name} was not hit {nth} times"
    assert differences(expected, found) == []
    assert [check_laws(report) for report in found["reports"]] == [[] for _ in found["reports"]]


@pytest.mark.parametrize("name", ["loader.seal_written_not_answered", "ingest.run_closed_not_freed"])
def test_an_import_killed_three_times_in_the_same_place_ends_like_an_undisturbed_one(
    name: str, prepared: Prepared, tmp_path: Path, hits: Counter[str]
) -> None:
    expected = prepared.undisturbed("middle batches")
    hub = prepared.copy("middle batches", tmp_path / "data")

    killed = [hub.die_at(f"{name}@1") for _ in range(3)]
    hits[name] += sum(killed)
    found = hub.finish()

    assert killed == [1, 1, 1]
    assert differences(expected, found) == []


def test_the_size_of_batches_changes_nothing_in_the_store(prepared: Prepared) -> None:
    large, small = prepared.undisturbed("large batches"), prepared.undisturbed("small batches")

    assert differences(large, small) == []
