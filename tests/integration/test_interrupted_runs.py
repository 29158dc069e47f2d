"""Runs that do not go straight to their end: cancelled, paused, unable to seal, with a damaged file."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.app import Hub, embedded_hub
from tests.support.drive import Driver, client_of
from tests.support.oracle import check_laws, stored_rows
from tests.support.scheduler import AdversarialRuntime, Nastiness
from tests.support.tricky_trio import make_tricky_trio

CALM = Nastiness(repeat_share=0.0, lost_commit_share=0.0, delay_rounds_max=1)
Json = dict[str, Any]


@dataclass
class Stepped:
    """A hub whose messages flow only when they are told to."""

    hub: Hub
    driver: Driver
    runtime: AdversarialRuntime
    data: Path
    files: list[Path]

    async def until(self, session: str, run: int, reached: Callable[[Json], bool]) -> Json:
        """The first progress of a run that is as wanted; messages are delivered a round at a time until then."""
        for _ in range(5_000):
            with contextlib.suppress(RuntimeError):  # "still not idle": that is what it is stopped for
                await self.runtime.run_until_idle(rounds_max=1)
            if (progress := await self.driver.progress(session, run)) and reached(progress):
                return progress
        raise AssertionError("the run never got there")

    async def problems(self, session: str, run: int) -> list[dict[str, str]]:
        """The rows of the error file."""
        text = await self.driver.text(f"/sessions/{session}/runs/{run}/error-file")
        return list(csv.DictReader(io.StringIO(text)))

    async def control(self, session: str, run: int, action: str) -> Json:
        """Pauses, resumes or cancels."""
        answer: Json = await self.driver.post(f"/sessions/{session}/runs/{run}/{action}")
        return answer


@pytest.fixture
async def stepped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stepped]:
    monkeypatch.setenv("HUB_RATE_LIMIT_PER_SECOND", "100000")
    monkeypatch.setenv("HUB_RATE_LIMIT_BURST", "100000")
    runtime = AdversarialRuntime(1, nastiness=CALM)
    data = tmp_path / "data"
    data.mkdir()
    files = make_tricky_trio(tmp_path / "files", seed=3)
    async with (
        embedded_hub(data, workers=1, window=4, page_records=5, runtime=runtime) as hub,
        client_of(hub) as client,
    ):
        driver = Driver(client, pump=runtime.run_until_idle, options={"batch_records": 20})
        yield Stepped(hub, driver, runtime, data, files)


async def test_a_run_cancelled_while_validating_skips_every_record_and_frees_the_account(stepped: Stepped) -> None:
    driver = stepped.driver
    session = await driver.ready("cancelled", stepped.files)
    run = await driver.start(session)
    await stepped.until(session, run, lambda progress: progress["validating"] > 0)

    await stepped.control(session, run, "cancel")
    report = await driver.done(session, run)
    _, second, again = await driver.drive("second", stepped.files)

    assert report["state"] == "cancelled"
    assert check_laws(report) == []
    assert sum(counts["imported"] for counts in report["entities"].values()) == 0
    assert {row["hub_code"] for row in await stepped.problems(session, run)} >= {"cancelled"}
    assert again["state"] == "completed_with_errors"
    assert again["entities"]["customers"]["imported"] > 0
    assert check_laws(again) == []
    assert second == run + 1


async def test_a_run_cancelled_while_importing_keeps_what_is_imported_and_skips_the_rest(stepped: Stepped) -> None:
    driver = stepped.driver
    session = await driver.ready("cancelled", stepped.files)
    run = await driver.start(session)
    await stepped.until(session, run, lambda progress: progress["state"] == "importing" and progress["imported"] > 0)

    await stepped.control(session, run, "cancel")
    report = await driver.done(session, run)
    stored = len(stored_rows(stepped.data / "store.db"))
    _, _, again = await driver.drive("second", stepped.files)

    imported = sum(counts["imported"] for counts in report["entities"].values())
    assert report["state"] == "cancelled"
    assert check_laws(report) == []
    assert 0 < imported == stored
    assert report["entities"]["jobs"]["imported"] == 0
    assert {row["hub_code"] for row in await stepped.problems(session, run)} >= {"cancelled"}
    assert check_laws(again) == []
    total = sum(counts["imported"] for counts in again["entities"].values())
    assert len(stored_rows(stepped.data / "store.db")) == stored + total
    assert again["entities"]["jobs"]["linked"] > 0


async def test_a_paused_run_stands_still_until_it_is_resumed(stepped: Stepped) -> None:
    driver = stepped.driver
    session = await driver.ready("paused", stepped.files)
    run = await driver.start(session)
    await stepped.until(session, run, lambda progress: progress["state"] == "importing")

    await stepped.control(session, run, "pause")
    await stepped.runtime.run_until_idle()
    paused = await driver.progress(session, run)
    await stepped.runtime.run_until_idle()
    later = await driver.progress(session, run)
    await stepped.control(session, run, "resume")
    report = await driver.done(session, run)

    assert (paused["paused"], paused["done"]) == (True, False)
    assert later == paused | {"updated_at": later.get("updated_at")} or later == paused
    assert report["state"] == "completed_with_errors"
    assert check_laws(report) == []


@pytest.mark.parametrize("moment", ["validating", "importing", "finalizing"])
async def test_a_run_paused_and_resumed_at_any_step_ends_like_one_that_was_not(moment: str, stepped: Stepped) -> None:
    driver = stepped.driver
    customers_a, customers_b, invoices, jobs = stepped.files
    await driver.drive("children", [invoices, jobs])
    session = await driver.ready("parents", [customers_a, customers_b])
    run = await driver.start(session)
    await stepped.until(session, run, lambda progress: progress["state"] == moment)

    for _ in range(3):
        await stepped.control(session, run, "pause")
        await stepped.runtime.run_until_idle()
        # What was under way ends, be it the run's last message.
        if (await driver.progress(session, run))["done"]:
            break
        await stepped.control(session, run, "resume")
        with contextlib.suppress(RuntimeError):
            await stepped.runtime.run_until_idle(rounds_max=3)
        if (await driver.progress(session, run))["phase"] not in ("validating", "importing", "finalizing"):
            break
    report = await driver.done(session, run)

    assert report["state"] == "completed_with_errors"
    assert check_laws(report) == []
    assert report["entities"]["invoices"]["linked"] > 20


async def test_a_run_that_cannot_be_sealed_fails_and_writes_nothing(
    stepped: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Path:
        raise ValueError("the keys are damaged")

    monkeypatch.setattr("services.loader.handlers.seal_entity", broken)
    driver = stepped.driver

    session, run, report = await driver.drive("unsealed", stepped.files)
    monkeypatch.undo()
    _, _, again = await driver.drive("second", stepped.files)

    assert report["state"] == "failed"
    assert check_laws(report) == []
    assert sum(counts["imported"] for counts in report["entities"].values()) == 0
    assert (await driver.get(f"/sessions/{session}/runs/{run}"))["failure"]
    assert again["state"] == "completed_with_errors"


def _landed_jobs(data: Path) -> Path:
    (path,) = [
        path
        for path in (data / "files").rglob("*")
        if path.is_file() and b"Repair 0" in path.read_bytes()[:4000] and path.read_bytes()[:6] == b"Job ID"
    ]
    return path


@pytest.mark.parametrize("damage", ["cut off", "gone"])
async def test_batches_of_a_damaged_file_are_errors_and_can_be_repeated_once_it_is_repaired(
    damage: str, stepped: Stepped, tmp_path: Path
) -> None:
    driver = stepped.driver
    session = await driver.ready("damaged", stepped.files)
    jobs = _landed_jobs(stepped.data)
    shutil.copy2(jobs, tmp_path / "sound")
    jobs.chmod(0o600)
    content = jobs.read_bytes()
    jobs.unlink()
    if damage == "cut off":
        jobs.write_bytes(content[: len(content) // 2])

    run = await driver.start(session)
    report = await driver.done(session, run)
    problems = await stepped.problems(session, run)
    jobs.unlink(missing_ok=True)
    shutil.copy2(tmp_path / "sound", jobs)
    repeated = await driver.start(session, failed_of=run)
    whole = await driver.done(session, repeated)

    failed = report["entities"]["jobs"]["errored"]
    assert report["state"] == "completed_with_errors"
    assert check_laws(report) == []
    assert failed > 30
    assert report["entities"]["customers"]["imported"] > 0
    assert "batch_given_up" in {row["hub_code"] for row in problems}
    assert not any("Traceback" in row["hub_reason"] for row in problems)
    assert check_laws(whole) == []
    assert whole["entities"]["jobs"]["extracted"] == report["entities"]["jobs"]["extracted"]
    assert whole["entities"]["jobs"]["errored"] < 10
    assert whole["entities"]["customers"] == report["entities"]["customers"]
