"""Whole imports under a runtime as nasty as at-least-once delivery allows: the same store as in perfect order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.app import embedded_hub
from shared.errors import RetryableError
from shared.runtime import DeadLetterFilter, Runtime
from shared.storage.staging import SqliteStagingStore
from tests.support.drive import Driver, client_of
from tests.support.oracle import check_laws, differences, dump, stored_rows
from tests.support.scheduler import AdversarialRuntime
from tests.support.tricky_trio import make_tricky_trio

BATCH_RECORDS = 20
PAGE_RECORDS = 25


async def _import(
    data: Path, sessions: Sequence[Sequence[Path]], *, runtime: AdversarialRuntime | None = None, loaders: int = 1
) -> dict[str, Any]:
    """What these sessions leave, imported one after the other."""
    data.mkdir()
    given: Runtime | None = runtime
    async with (
        embedded_hub(data, workers=2, loaders=loaders, runtime=given, page_records=PAGE_RECORDS) as hub,
        client_of(hub) as client,
    ):
        driver = Driver(client, options={"batch_records": BATCH_RECORDS})
        if runtime is not None:
            driver.pump = runtime.run_until_idle
        runs = [await driver.drive(f"session {number}", paths) for number, paths in enumerate(sessions)]
        left = await dump(driver, stored_rows(data / "store.db"), runs)
        assert hub.runtime.faults() == []
        assert await hub.runtime.dead_letters(DeadLetterFilter()) == []
    return left


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_tricky_trio(tmp_path_factory.mktemp("trio"), seed=7)


@pytest.fixture(scope="module")
def in_order(trio: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the embedded log with one loader leaves."""
    return asyncio.run(_import(tmp_path_factory.mktemp("order") / "data", [trio]))


async def test_the_set_has_everything_that_order_could_change(in_order: dict[str, Any]) -> None:
    (report,) = in_order["reports"]
    codes = {row["hub_code"] for row in in_order["errors"][0]}

    assert check_laws(report) == []
    assert {"duplicate", "conflict", "missing_required"} <= codes
    assert report["entities"]["jobs"]["pending"] > 0
    assert report["entities"]["jobs"]["linked"] > 0
    assert report["entities"]["invoices"]["linked"] > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("loaders", [1, 4])
async def test_disorder_changes_nothing_in_store_and_report(
    seed: int, loaders: int, trio: list[Path], in_order: dict[str, Any], tmp_path: Path
) -> None:
    runtime = AdversarialRuntime(seed)

    found = await _import(tmp_path / "data", [trio], runtime=runtime, loaders=loaders)

    assert differences(in_order, found) == []
    assert runtime.repeats > 20


@pytest.mark.parametrize("seed", [4, 5])
async def test_the_earliest_record_wins_though_its_rivals_were_staged_before_it(
    seed: int, trio: list[Path], in_order: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged: list[int] = []
    real = SqliteStagingStore.stage

    async def held_back(self: SqliteStagingStore, run: int, batch: int, *more: Any) -> bytes:
        # Batch 0 holds the winners. Batch 1 ends with copies of its rows, and batch 2 begins the second file with more.
        if batch == 0 and not {1, 2} <= set(staged):
            raise RetryableError("Not yet.", after_seconds=0.2)
        summary = await real(self, run, batch, *more)
        staged.append(batch)
        return summary

    monkeypatch.setattr(SqliteStagingStore, "stage", held_back)

    found = await _import(tmp_path / "data", [trio], runtime=AdversarialRuntime(seed), loaders=4)

    assert staged.index(0) > max(staged.index(1), staged.index(2))
    assert differences(in_order, found) == []


async def test_children_that_came_before_their_parents_are_linked_in_any_order(
    trio: list[Path], tmp_path: Path
) -> None:
    customers_a, customers_b, invoices, jobs = trio
    sessions = [[invoices, jobs], [customers_a, customers_b]]

    expected = await _import(tmp_path / "order", sessions)
    found = await _import(tmp_path / "disorder", sessions, runtime=AdversarialRuntime(6), loaders=4)

    assert expected["reports"][1]["entities"]["invoices"]["linked"] > 0
    assert differences(expected, found) == []
