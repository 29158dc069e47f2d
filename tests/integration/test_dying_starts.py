"""A start that dies between any two of its steps goes on as the same run: its number is part of every record's id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.app import embedded_hub
from services.ingest.runs import Runs
from services.ingest.starting import RunStarter
from tests.support.drive import Driver, client_of
from tests.support.oracle import stored_rows
from tests.support.tricky_trio import make_tricky_trio


class DiedError(Exception):
    """Stands for the end of the process."""


async def _die(*_: Any, **__: Any) -> Any:
    raise DiedError


@pytest.mark.parametrize(
    ("dies_in", "step"),
    [
        pytest.param(RunStarter, "_plan", id="number taken"),
        pytest.param(Runs, "create", id="plan made"),
        pytest.param(RunStarter, "_record", id="run made"),
        pytest.param(Runs, "start", id="run known to its session"),
    ],
)
async def test_a_start_that_died_goes_on_as_the_same_run(
    dies_in: type, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, files = tmp_path / "data", make_tricky_trio(tmp_path / "files", seed=5)[:1]
    data.mkdir()
    async with embedded_hub(data, workers=1) as hub, client_of(hub) as client:
        driver = Driver(client)
        session = await driver.ready("died", files)
        monkeypatch.setattr(dies_in, step, _die)
        died = await client.post(f"/sessions/{session}/runs", json={"kind": "import"})
    monkeypatch.undo()

    async with embedded_hub(data, workers=1) as hub, client_of(hub) as client:
        _, run, report = await Driver(client).drive("died", files)
        runs = (await Driver(client).get(f"/sessions/{session}"))["runs"]

    assert died.status_code == 500
    assert (run, runs) == (1, [1])
    assert report["entities"]["customers"]["imported"] == len(stored_rows(data / "store.db")) > 0


async def test_a_second_session_is_refused_while_one_is_imported_and_gets_the_next_number_then(
    tmp_path: Path,
) -> None:
    data, files = tmp_path / "data", make_tricky_trio(tmp_path / "files", seed=5)
    data.mkdir()
    async with embedded_hub(data, workers=1) as hub, client_of(hub) as client:
        driver = Driver(client, options={"batch_records": 1})
        first = await driver.ready("first", files)
        second = await driver.ready("second", files[:1])
        run = await driver.start(first)

        refused = await client.post(f"/sessions/{second}/runs", json={"kind": "import"})
        active = [view["run"] for view in await driver.get("/runs?state=active")]
        await driver.done(first, run)
        _, later, _ = await driver.drive("second", files[:1])

    assert (refused.status_code, refused.json()["code"]) == (409, "run_active")
    assert active == [run]
    assert later == run + 1
