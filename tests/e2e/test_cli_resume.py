"""Killed at any moment, `hub resume` ends as an undisturbed import would have."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.hub_command import JOBBER, Answer, Hub, comparable, exports, run_hub, write_csv

ENTITY_TYPES = ("customers", "properties", "jobs", "invoices")


@pytest.mark.parametrize("fail_point", ["loader.records_written_not_sent@2", "ingest.run_closed_not_freed@1"])
def test_resume_after_a_kill_ends_like_an_undisturbed_import(
    jobber_import: tuple[Answer, Path], hub: Hub, fail_point: str
) -> None:
    killed = run_hub("import", *JOBBER, "--data-dir", hub.data_directory, "--yes", "--json", HUB_FAIL_POINT=fail_point)

    resumed = hub("resume", "--yes", "--json")

    assert killed.code == -signal.SIGKILL
    assert (resumed.code, comparable(resumed.json)) == (jobber_import[0].code, comparable(jobber_import[0].json))
    assert exports(hub.data_directory, *ENTITY_TYPES) == exports(jobber_import[1], *ENTITY_TYPES)


def test_with_nothing_unfinished_the_latest_report_comes_again(jobber_import: tuple[Answer, Path]) -> None:
    answer, data = jobber_import

    again = run_hub("resume", "--data-dir", data, "--yes", "--json")

    assert again.code == answer.code
    assert again.json | {"seconds": 0} == answer.json | {"seconds": 0}


def test_without_any_session_there_is_nothing_to_resume(hub: Hub) -> None:
    answer = hub("resume", "--yes", "--json")

    assert (answer.code, answer.json) == (1, {"state": "none"})


def test_a_session_that_waits_for_approval_is_not_imported_in_place_of_a_later_one(hub: Hub, tmp_path: Path) -> None:
    waiting = write_csv(tmp_path / "clients.csv", "Client ID,Name", "1,Ann Lee", "2,Bob Ray")
    wanted = write_csv(tmp_path / "leads.csv", "Lead ID,Name,Phone,Lead Source", "7,Cy Dee,512-555-0101,Web")
    hub("import", waiting, "--json")
    imported = hub.imports(wanted, options=("--entity", "leads.csv=leads"))

    answer = hub("resume", "--yes", "--json")

    assert answer.json["session"] == imported.json["session"]
    assert exports(hub.data_directory, "customers") == {"customers": []}


def test_repeating_failed_batches_says_so_where_there_are_none(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "clients.csv", "Client ID,Name", "1,Ann Lee", "2,Bob Ray")
    hub.imports(file)

    answer = hub("resume", "--failed", "--json")

    assert (answer.code, answer.json["state"]) == (1, "refused")
    assert "no failed batches" in answer.json["error"]
