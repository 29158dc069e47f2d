"""`hub analyze`, `hub doctor` and help: what needs no hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.hub_command import EXAMPLES, Hub, write_csv

KEYS = {"file", "entity", "entity_confidence", "alternatives", "records", "encoding", "delimiter", "header_row"}
COMMANDS = ["up", "import", "analyze", "status", "resume", "cancel", "pause", "report", "errors", "export"]


def test_files_of_a_folder_are_described_by_name_with_all_keys(hub: Hub) -> None:
    entries = hub("analyze", EXAMPLES / "jobber", "--json").json

    assert [(entry["file"], entry["entity"]) for entry in entries] == [
        ("clients.csv", "customers"),
        ("invoices.csv", "invoices"),
        ("jobs.csv", "jobs"),
    ]
    assert all(set(entry) >= KEYS | {"columns"} for entry in entries)
    assert not hub.data_directory.exists()


def test_a_column_that_feeds_two_entity_types_says_so(hub: Hub) -> None:
    entry = hub("analyze", EXAMPLES / "jobber" / "clients.csv", "--json").json[0]

    column = next(column for column in entry["columns"] if column["header"] == "J-ID")
    assert column["field"] == "source_id"
    assert [(use["entity"], use["field"]) for use in column["also"]] == [("properties", "source_id")]


def test_a_type_set_by_hand_counts(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "list.csv", "Name,Phone", "Ann Lee,512-555-0101", "Bob Ray,512-555-0102")

    assert hub("analyze", file, "--entity", "list.csv=leads", "--json").json[0]["entity"] == "leads"


def test_an_unreadable_file_is_an_entry_with_its_error(hub: Hub, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    file = write_csv(tmp_path / "list.csv", "Customer Name,Phone", "Ann Lee,512-555-0101", "Bob Ray,512-555-0102")

    answer = hub("analyze", empty, file, "--json")

    assert answer.code == 0
    assert "empty.csv" in answer.json[0]["error"]
    assert answer.json[1]["columns"][0]["field"] == "name"
    assert hub("analyze", empty, "--json").code == 1


def test_people_get_a_table(hub: Hub) -> None:
    text = hub("analyze", EXAMPLES / "jobber" / "jobs.csv").out

    assert "jobs.csv: jobs" in text
    assert "Job status" in text


def test_doctor_finds_nothing_wrong_here_and_names_what_is(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {check["check"]: check["ok"] for check in hub("doctor", "--port", "0", "--json").json}
    monkeypatch.setenv("HUB_UPLOAD_BYTES_MAX", "many")
    answer = hub("doctor", "--port", "0")

    assert {"Python", "SQLite", "Data directory", "Disk space", "Lock", "Port", "Settings"} == set(checks)
    assert checks["Settings"]
    assert answer.code == 1
    assert "HUB_UPLOAD_BYTES_MAX" in answer.out


@pytest.mark.parametrize("command", [*COMMANDS, "sessions", "doctor"])
def test_every_command_has_help_with_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from services.cli.main import main

    monkeypatch.setattr("sys.argv", ["hub", command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert f"Example: hub {command}" in capsys.readouterr().out
