"""`hub import` on real files: the report, its laws, and everything that keeps an import from starting."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.status.report_schema import PUBLISHED
from tests.e2e.hub_command import JOBBER, Answer, Hub, comparable, exports, write_csv

SCHEMA = PUBLISHED
REQUIRED_KEYS = {"session", "state", "files", "entities", "money", "errors_file", "report_file", "seconds"}
ENTITY_TYPES = ("customers", "properties", "jobs", "invoices")


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    return write_csv(
        tmp_path / "clients.csv",
        "Client ID,Name,Email,City",
        "11,Ann Lee,ann@example.org,Austin",
        "12,Bob Ray,bob@example.org,Denver",
    )


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    return write_csv(
        tmp_path / "jobs.csv",
        "Job #,Client ID,Title,Job status,Start date,Total ($)",
        "501,11,Drain cleaning,Completed,2024-05-01,$120.00",
        "502,12,Boiler service,Completed,2024-05-02,$80.50",
        "503,99,Leak repair,Completed,2024-05-03,$10.00",
    )


# ---- the report -----------------------------------------------------------------------------------------------


def test_an_import_with_bad_rows_ends_with_two_and_the_published_report(jobber_import: tuple[Answer, Path]) -> None:
    answer, _ = jobber_import

    report = answer.json

    assert answer.code == 2, answer.err
    assert report["state"] == "completed_with_errors"
    assert set(report) >= REQUIRED_KEYS
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))


def test_files_are_reported_in_the_order_given_with_what_they_held(jobber_import: tuple[Answer, Path]) -> None:
    files = jobber_import[0].json["files"]

    assert [(file["file"], file["entities"]) for file in files] == [
        ("clients.csv", ["customers", "properties"]),
        ("jobs.csv", ["jobs"]),
        ("invoices.csv", ["invoices"]),
    ]


def test_every_record_and_reference_is_accounted_for(jobber_import: tuple[Answer, Path]) -> None:
    for entity, counts in jobber_import[0].json["entities"].items():
        assert counts["extracted"] == counts["imported"] + counts["skipped"] + counts["errored"], entity
        assert counts["references"] == counts["linked"] + counts["pending"], entity


def test_money_of_the_source_is_in_the_destination_or_left_out(jobber_import: tuple[Answer, Path]) -> None:
    cents = {
        name: {key: round(float(amount) * 100) for key, amount in sums.items()}
        for name, sums in jobber_import[0].json["money"].items()
    }

    assert {"jobs.total", "invoices.total"} <= set(cents)
    assert all(sums["source"] == sums["destination"] + sums["left_out"] for sums in cents.values())


def test_the_report_lies_as_a_file_with_the_same_content(jobber_import: tuple[Answer, Path]) -> None:
    report = jobber_import[0].json

    assert comparable(json.loads(Path(report["report_file"]).read_text())) == comparable(report)


def test_the_error_file_shows_source_columns_and_a_reason_for_every_row(jobber_import: tuple[Answer, Path]) -> None:
    report = jobber_import[0].json

    rows = _rows(Path(report["errors_file"]))

    assert {"J-ID", "Job #", "Invoice #", "hub_file", "hub_row", "hub_severity", "hub_reason"} <= set(rows[0])
    assert all(row["hub_reason"] for row in rows)
    assert {row["hub_severity"] for row in rows} >= {"error", "skipped"}


def test_beside_it_each_source_file_has_its_errors_in_its_own_columns(jobber_import: tuple[Answer, Path]) -> None:
    report = jobber_import[0].json

    rows = _rows(Path(report["errors_file"]).with_name("errors-invoices.csv"))

    assert "J-ID" not in rows[0]
    assert {row["hub_severity"] for row in rows} == {"error"}
    assert len(rows) == report["entities"]["invoices"]["errored"]


def test_files_in_another_order_make_the_same_store(jobber_import: tuple[Answer, Path], hub: Hub) -> None:
    answer = hub.imports(*reversed(JOBBER))

    assert answer.json["entities"] == jobber_import[0].json["entities"]
    assert exports(hub.data_directory, *ENTITY_TYPES) == exports(jobber_import[1], *ENTITY_TYPES)


# ---- several sessions -----------------------------------------------------------------------------------------


def test_importing_the_same_file_again_skips_every_record(hub: Hub, clients: Path) -> None:
    first = hub.imports(clients).json["entities"]["customers"]
    second = hub.imports(clients).json["entities"]["customers"]

    assert (first["imported"], second["imported"], second["skipped"]) == (2, 0, 2)


def test_jobs_imported_before_their_customers_are_linked_by_the_later_session(
    hub: Hub, clients: Path, jobs: Path
) -> None:
    first = hub.imports(jobs).json["entities"]["jobs"]
    second = hub.imports(clients).json["entities"]
    links = {job["source_id"] or job["number"]: job["customer.source_id"] for job in _exported(hub, "jobs")}

    assert (first["linked"], first["pending"]) == (0, 3)
    assert second["jobs"]["linked"] == 2
    assert links == {"501": "11", "502": "12", "503": None}


# ---- what keeps an import from starting -----------------------------------------------------------------------


def test_one_unreadable_file_keeps_all_from_being_imported(hub: Hub, tmp_path: Path, clients: Path) -> None:
    broken = tmp_path / "photo.csv"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)

    answer = hub.imports(clients, broken)

    assert answer.code == 1
    assert answer.json["state"] == "refused"
    assert "photo.csv" in answer.json["error"]
    assert [file["file"] for file in answer.json["files"] if "error" in file] == ["photo.csv"]
    assert _exported(hub, "customers") == []


def test_a_path_that_does_not_exist_is_named_and_makes_no_session(hub: Hub, tmp_path: Path) -> None:
    answer = hub.imports(tmp_path / "clinets.csv")

    assert (answer.code, answer.json["state"], answer.json["session"]) == (1, "refused", None)
    assert "clinets.csv" in answer.json["error"]


def test_a_required_field_without_a_column_is_named(hub: Hub, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "people.csv", "Colour,Shape", "red,round", "blue,square")

    answer = hub.imports(file, options=("--entity", "people.csv=customers"))

    assert (answer.code, answer.json["state"]) == (1, "needs_mapping")
    assert "name" in answer.json["missing"][0]["fields"]
    jsonschema.validate(answer.json, json.loads(SCHEMA.read_text()))


def test_a_file_that_is_none_of_the_types_is_left_out_and_said(hub: Hub, tmp_path: Path, clients: Path) -> None:
    answer = hub.imports(clients, _weather(tmp_path))
    left_out = answer.json["files"][1]

    assert answer.code == 0
    assert (left_out["entities"], left_out["records"], left_out["left_out"]) == ([], 0, 3)
    assert left_out["reason"]


def test_nothing_but_files_of_no_known_type_is_refused(hub: Hub, tmp_path: Path) -> None:
    answer = hub.imports(_weather(tmp_path))

    assert (answer.code, answer.json["state"]) == (1, "refused")


def test_without_approval_nothing_is_imported_until_it_is_given(hub: Hub, clients: Path) -> None:
    proposed = hub("import", clients, "--json")
    resumed = hub("resume", "--yes", "--json")

    assert (proposed.code, proposed.json["state"]) == (1, "proposed")
    assert (resumed.code, resumed.json["state"]) == (0, "completed")
    assert resumed.json["session"] == proposed.json["session"]


def test_a_wrong_option_ends_with_one_since_two_means_errors_in_the_data(hub: Hub, clients: Path) -> None:
    assert hub("import", clients, "--no-such-option").code == 1


# ---- options --------------------------------------------------------------------------------------------------


def test_a_dry_run_counts_and_writes_nothing(hub: Hub, clients: Path) -> None:
    answer = hub.imports(clients, options=("--dry-run",))

    assert (answer.code, answer.json["state"]) == (0, "validated")
    assert answer.json["entities"]["customers"]["imported"] == 2
    assert _exported(hub, "customers") == []


def test_strict_makes_an_unreadable_value_an_error(hub: Hub, tmp_path: Path) -> None:
    people = [f"{at},Person {at},person{at}@example.org" for at in range(1, 9)]
    file = write_csv(tmp_path / "clients.csv", "Client ID,Name,Email", *people, "9,Bob Ray,not an email")

    lenient = hub.imports(file, options=("--source-label", "first"))
    strict = hub.imports(file, options=("--source-label", "second", "--strict"))

    assert (lenient.code, lenient.json["entities"]["customers"]["warnings"]) == (0, 1)
    assert (strict.code, strict.json["entities"]["customers"]["errored"]) == (2, 1)


def test_an_exported_mapping_imports_the_same_again(hub: Hub, tmp_path: Path, clients: Path) -> None:
    hub("import", clients, "--json")
    document = tmp_path / "mapping.yaml"
    hub("mapping", "export", "--output", document)
    document.write_text(document.read_text() + "source_label: old office\n")

    answer = hub.imports(clients, options=("--mapping", str(document)))
    shown = hub("mapping", "show", "--json").json

    assert answer.json["entities"]["customers"]["imported"] == 2
    assert (shown["mapping"]["source_label"], shown["approved"]) == ("old office", True)


def test_an_identical_copy_is_left_out_whichever_was_read_first(hub: Hub, tmp_path: Path, clients: Path) -> None:
    copy = tmp_path / "copy of clients.csv"
    copy.write_bytes(clients.read_bytes())
    longer = tmp_path / "zz.csv"
    longer.write_bytes(clients.read_bytes())

    files = hub.imports(longer, clients, copy).json["files"]

    assert [(file["file"], file["records"], file["left_out"]) for file in files] == [
        ("zz.csv", 0, 2),
        ("clients.csv", 2, 0),
        ("copy of clients.csv", 0, 2),
    ]


def _weather(folder: Path) -> Path:
    lines = ("station,rain_mm,wind_kmh,pressure_hpa", "A,1.5,12,1013", "B,0.0,20,1009", "C,7.2,33,998")
    return write_csv(folder / "weather.csv", *lines)


def _exported(hub: Hub, entity: str) -> list[dict[str, Any]]:
    return exports(hub.data_directory, entity)[entity]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
