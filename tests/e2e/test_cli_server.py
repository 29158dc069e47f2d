"""Commands as clients: of the process that holds the data directory, and of a hub elsewhere."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.hub_command import JOBBER, Answer, comparable, exports, hub_up, run_hub


@dataclass(frozen=True)
class Running:
    """A hub that runs in another process, an import into it over HTTP, and where that was called."""

    data_directory: Path
    url: str
    token: str
    import_over_http: Answer
    folder: Path

    @property
    def remote(self) -> tuple[str, str, str, str]:
        return ("--server", self.url, "--token", self.token)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("server")
    with hub_up(folder / "data") as said:
        remote = ("--server", said["url"], "--token", said["token"])
        answer = run_hub("import", *JOBBER, *remote, "--yes", "--json", cwd=folder)
        yield Running(folder / "data", said["url"], said["token"], answer, folder)


def test_an_import_over_http_reports_like_one_on_the_directory(
    running: Running, jobber_import: tuple[Answer, Path]
) -> None:
    local, _ = jobber_import

    assert running.import_over_http.code == local.code
    assert comparable(running.import_over_http.json) == comparable(local.json)


def test_report_and_error_file_are_downloaded_to_the_callers_folder(running: Running) -> None:
    report = running.import_over_http.json

    assert Path(report["report_file"]).is_relative_to(running.folder / "hub-reports" / report["session"])
    assert Path(report["errors_file"]).read_text(encoding="utf-8").count("\n") > 1


def test_a_command_on_the_same_directory_goes_through_the_running_hub(running: Running) -> None:
    answer = run_hub("import", JOBBER[0], "--data-dir", running.data_directory, "--yes", "--json")

    assert answer.json["entities"]["customers"]["imported"] == 0
    assert answer.json["entities"]["customers"]["skipped"] > 100


def test_export_formats_hold_the_same_records(running: Running) -> None:
    lines = run_hub("export", "invoices", *running.remote).out.splitlines()
    rows = list(csv.DictReader(io.StringIO(run_hub("export", "invoices", *running.remote, "--format", "csv").out)))

    records = [json.loads(line) for line in lines]
    assert [str(record["id"]) for record in records] == [row["id"] for row in rows]
    assert [record["total"] or "" for record in records] == [row["total"] for row in rows]
    assert records == exports(running.data_directory, "invoices")["invoices"]


def test_a_wrong_token_is_refused_with_what_to_do(running: Running) -> None:
    answer = run_hub("sessions", "--server", running.url, "--token", "hub_wrong", "--json")

    assert (answer.code, answer.json["code"]) == (1, "not_authenticated")
    assert "token" in answer.err


def test_status_and_sessions_show_the_imports(running: Running) -> None:
    status = run_hub("status", *running.remote, "--json", "--session", running.import_over_http.json["session"]).json
    sessions = run_hub("sessions", *running.remote, "--json").json

    assert (status["state"], status["run"]["percent"]) == ("completed_with_errors", 100)
    assert running.import_over_http.json["session"] in {session["id"] for session in sessions}


def test_a_second_hub_on_the_directory_is_refused(running: Running) -> None:
    answer = run_hub("up", "--data-dir", running.data_directory, "--port", "0")

    assert answer.code == 1
    assert running.url in answer.err
