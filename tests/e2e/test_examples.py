"""The sample exports: what an import makes of them is their truth, value by value, in any order of files.

Files and truths belong together, and the comparison with a truth finds every difference.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from examples.make_examples import PLATFORMS, main
from tests.support.imports import Import, importing_hub
from tests.support.truth import compare

EXAMPLES = Path(__file__).parents[2] / "examples"
ENCODINGS = {"servicetitan/customers.csv": "cp1252"}

platforms = pytest.mark.parametrize("platform", sorted(PLATFORMS))


def _truth(platform: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EXAMPLES / platform / "truth.json").read_text(encoding="utf-8"))
    return document


def _rows_by_line(platform: str, name: str) -> dict[int, dict[str, str]]:
    """Physical line on which a row begins -> its cells by header; read with nothing but the csv module."""
    encoding = ENCODINGS.get(f"{platform}/{name}", "utf-8-sig")
    text = (EXAMPLES / platform / name).read_bytes().decode(encoding)
    reader = csv.reader(io.StringIO(text, newline=""))
    rows: dict[int, dict[str, str]] = {}
    headers: list[str] = []
    line = 1
    for cells in reader:
        if len(cells) > 5 and not headers:
            headers = cells
        elif cells and headers:
            rows[line] = dict(zip(headers, cells, strict=False))
        line = reader.line_num + 1
    return rows


def _places(records: Iterable[dict[str, Any]]) -> list[tuple[str, int, str, int]]:
    return [(r["file"], r["line"], r["entity"], r["slot"]) for r in records]


def test_committed_files_are_what_the_script_makes(tmp_path: Path) -> None:
    main(tmp_path)

    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*")}

    assert {path: (EXAMPLES / path).read_bytes() for path in made} == made
    assert len(made) == 12


@platforms
def test_every_row_is_in_the_truth_once_or_left_out(platform: str) -> None:
    truth = _truth(platform)
    places = _places(truth["records"])

    assert len(set(places)) == len(places)
    for name, file in truth["files"].items():
        told = {line for file_name, line, _, _ in places if file_name == name}
        rows = _rows_by_line(platform, name)
        after_header = [reason for reason in file["left_out"] if reason != "title"]
        assert told <= rows.keys()
        assert len(told) == file["records"] == len(rows) - len(after_header)


@platforms
def test_counts_follow_from_the_records(platform: str) -> None:
    truth = _truth(platform)

    for entity, counts in truth["entities"].items():
        outcomes = [record["outcome"] for record in truth["records"] if record["entity"] == entity]
        assert counts["extracted"] == len(outcomes) == counts["imported"] + counts["skipped"] + counts["errored"]
        assert counts["errored"] == outcomes.count("errored")
        assert counts["references"] == counts["linked"] + counts["pending"]


@platforms
def test_expected_parents_are_imported_records_that_the_child_names(platform: str) -> None:
    truth = _truth(platform)
    imported = {
        place: record
        for place, record in zip(_places(truth["records"]), truth["records"], strict=True)
        if record["outcome"] == "imported"
    }

    for record in imported.values():
        for parent in record["refs"].values():
            if isinstance(parent, dict):
                assert _places([parent])[0] in imported


@platforms
def test_expected_telephone_numbers_are_valid_and_invented(platform: str) -> None:
    for record in _truth(platform)["records"]:
        for field in ("phone", "mobile_phone"):
            number = record.get("values", {}).get(field)
            if number is not None:
                assert phonenumbers.is_valid_number(phonenumbers.parse(number))
                assert number[5:10] == "55501"


@platforms
def test_text_values_stand_in_their_row(platform: str) -> None:
    truth = _truth(platform)
    rows = {name: _rows_by_line(platform, name) for name in truth["files"]}

    for record in truth["records"]:
        cells = {cell.strip('="') for cell in rows[record["file"]][record["line"]].values()} | {
            part.split("_")[0] for part in rows[record["file"]][record["line"]].values()
        }
        for field in ("source_id", "number", "name", "street", "city", "postal_code", "title", "company", "notes"):
            value = record.get("values", {}).get(field)
            assert value is None or value in cells or value.strip('"') in cells


# ---- imports ----------------------------------------------------------------------------------------------------


@platforms
async def test_an_import_gives_the_truth_in_any_order_of_files(platform: str, tmp_path: Path) -> None:
    truth = _truth(platform)
    parents_first = [EXAMPLES / platform / name for name in truth["files"]]
    imports: list[Import] = []

    for order in (parents_first, parents_first[::-1]):
        async with importing_hub(tmp_path / str(len(imports))) as hub:
            imports.append(await hub.run(order))

    one, other = imports
    assert compare(truth, one.records, one.report, one.problems) == []
    assert other.records == one.records
    assert other.problems == one.problems


# ---- the comparison itself --------------------------------------------------------------------------------------


def _perfect_import(truth: dict[str, Any]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """What a hub that makes no mistake would export and report."""
    ids = {place: f"id-{i}" for i, place in enumerate(_places(truth["records"]))}
    values = {place: r.get("values", {}) for place, r in zip(ids, truth["records"], strict=True)}
    exported: dict[str, list[dict[str, Any]]] = {entity: [] for entity in truth["entities"]}
    for place, record in zip(ids, truth["records"], strict=True):
        if record["outcome"] != "imported":
            continue
        stored = {field.split("|")[0]: value for field, value in record["values"].items()}
        stored |= {"id": ids[place], "source_file": record["file"], "source_row": record["line"]}
        for field, parent in record["refs"].items():
            stored[field] = [] if isinstance(parent, list) else None
            if isinstance(parent, dict):
                at = _places([parent])[0]
                stored |= {field: ids[at], f"{field}.source_id": values[at].get("source_id")}
                stored |= {f"{field}.method": "name", f"{field}.confidence": 0.97}
        exported[record["entity"]].append(stored)
    files = [
        {"file": name, "entities": f["entities"], "records": f["records"], "left_out": len(f["left_out"])}
        for name, f in truth["files"].items()
    ]
    report = {"state": truth["state"], "entities": truth["entities"], "money": truth["money"], "files": files}
    return exported, deepcopy(report)


@platforms
def test_a_perfect_import_has_no_difference(platform: str) -> None:
    truth = _truth(platform)

    assert compare(truth, *_perfect_import(truth)) == []


def test_a_wrong_value_is_said() -> None:
    truth = _truth("jobber")
    exported, report = _perfect_import(truth)
    customer = exported["customers"][3]
    customer["phone"] = "+15125550000"

    (difference,) = compare(truth, exported, report)

    assert difference.startswith(f"customers of clients.csv row {customer['source_row']}: phone is '+15125550000'")


def test_a_wrong_parent_is_said() -> None:
    truth = _truth("jobber")
    exported, report = _perfect_import(truth)
    exported["jobs"][5]["customer"] = exported["customers"][0]["id"]

    assert any("customer links to" in difference for difference in compare(truth, exported, report))


def test_a_link_that_must_stay_open_is_said() -> None:
    truth = _truth("servicetitan")
    exported, report = _perfect_import(truth)
    stranger = next(job for job in exported["jobs"] if job["customer"] is None)
    stranger["customer"] = exported["customers"][0]["id"]

    (difference,) = compare(truth, exported, report)

    assert difference.endswith("expected to stay open")


def test_a_lost_and_a_surplus_record_are_said() -> None:
    truth = _truth("housecall_pro")
    exported, report = _perfect_import(truth)
    lost = exported["invoices"].pop()
    skipped = next(r for r in truth["records"] if r["outcome"] == "skipped" and r["entity"] == "invoices")
    surplus = {"id": "new", "source_file": skipped["file"], "source_row": skipped["line"]}
    exported["invoices"].append(surplus)

    differences = compare(truth, exported, report)

    assert differences == [
        f"invoices of invoices.csv row {lost['source_row']} was not imported",
        f"invoices of invoices.csv row {skipped['line']} was imported, expected skipped (duplicate)",
    ]


def test_a_reason_that_is_not_given_is_said() -> None:
    truth = _truth("jobber")
    exported, report = _perfect_import(truth)

    differences = compare(truth, exported, report, problems=[])

    assert "the error file does not say ('jobs.csv', 239, 'jobs', 'skipped', 'conflict')" in differences


def test_wrong_counts_and_sums_are_said() -> None:
    truth = _truth("servicetitan")
    exported, report = _perfect_import(truth)
    report["entities"]["jobs"]["linked"] += 1
    report["money"]["invoices.total"]["destination"] = "1.00"

    linked, money = compare(truth, exported, report)

    assert linked.startswith("jobs: ")
    assert money.startswith("money invoices.total: destination is '1.00'")
