"""Every hostile file through a real import: a right result, or a clear error that names file, line and way out.

One hub for all of them, each file in an account of its own, so that no file is a copy of another one's records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from shared.catalog import FieldType, load_catalog
from tests.data.hostile import Landed, Refused, hostile_files
from tests.support.imports import Import, ImportingHub, in_importing_hub

FILES = {file.name: file for file in hostile_files()}
READABLE = sorted(name for name, file in FILES.items() if isinstance(file.expected, Landed))
REFUSED = sorted(name for name, file in FILES.items() if isinstance(file.expected, Refused))
NOT_IMPORTED = {"one_column.csv": "No file is left to import"}
"""Readable, but one column alone does not tell what the file holds."""
IMPORTED = [name for name in READABLE if name not in NOT_IMPORTED]
AT_ONCE = 4

GOOD = {
    "good_clients.csv": b"Client ID,Name,Email\nG-1,Ann Smith,ann@good.example\nG-2,Bob Hill,bob@good.example\n",
    "good_jobs.csv": b"Job #,Client ID,Title,Total\nJ-1,G-1,Drain cleaning,$12.50\nJ-2,G-2,AC repair,$7.00\n",
}


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Import]:
    """File name -> what came of it; `together`: all readable ones with good files; `beside`: one refused with good."""
    sessions: dict[str, Mapping[str, bytes]] = {name: {name: file.content} for name, file in FILES.items()}
    sessions["together"] = GOOD | {name: FILES[name].content for name in IMPORTED}
    sessions["beside"] = GOOD | {"binary.csv": FILES["binary.csv"].content}

    async def work(hub: ImportingHub) -> dict[str, Import]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, uploads: Mapping[str, bytes]) -> Import:
            async with turn:
                return await (await hub.of_account(f"account{number}")).run(uploads=uploads)

        done = await asyncio.gather(*(one(number, uploads) for number, uploads in enumerate(sessions.values())))
        return dict(zip(sessions, done, strict=True))

    found: dict[str, Import] = in_importing_hub(tmp_path_factory.mktemp("hostile"), work)
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_way_out(name: str, imports: dict[str, Import]) -> None:
    expected = FILES[name].expected
    assert isinstance(expected, Refused)

    file = imports[name].file(name)

    told = f"{file['error']} {file['next_step']}"
    assert (file["state"], imports[name].report) == ("rejected", {})
    assert [word for word in (name, *expected.words) if word not in told] == []


@pytest.mark.parametrize("name", sorted(NOT_IMPORTED))
def test_a_file_of_which_nobody_can_tell_what_it_holds_is_named(name: str, imports: dict[str, Import]) -> None:
    refused = imports[name].refused or ""

    assert name in refused
    assert NOT_IMPORTED[name] in refused


@pytest.mark.parametrize("name", IMPORTED)
def test_every_record_is_counted_once(name: str, imports: dict[str, Import]) -> None:
    expected = FILES[name].expected
    assert isinstance(expected, Landed)
    done = imports[name]

    [counts] = done.report["entities"].values()

    assert done.report["files"][0]["records"] == counts["extracted"] == expected.records
    assert counts["extracted"] == counts["imported"] + counts["skipped"] + counts["errored"]
    assert done.report["files"][0]["left_out"] == len(expected.left_out)
    _assert_told(done, counts)


@pytest.mark.parametrize("name", IMPORTED)
def test_rows_that_tell_are_imported_cell_by_cell(name: str, imports: dict[str, Import]) -> None:
    expected = FILES[name].expected
    assert isinstance(expected, Landed)
    rejected = {int(row["hub_row"]) for row in imports[name].problems if row["hub_severity"] != "warning"}

    for line, cells in expected.rows.items():
        if line not in rejected:
            assert _differences(imports[name], line, cells) == []


def test_rows_longer_than_the_header_and_records_above_the_limit_are_errors(imports: dict[str, Import]) -> None:
    codes = {
        (name, int(row["hub_row"])): row["hub_code"]
        for name in IMPORTED
        for row in imports[name].problems
        if row["hub_severity"] == "error"
    }

    assert codes == {("ragged.csv", 4): "extra_cells", ("record_above_1_mib.csv", 3): "oversized_record"}


def test_bytes_that_are_no_text_are_told(imports: dict[str, Import]) -> None:
    [row] = [row for row in imports["damaged_utf8.csv"].problems if "replaced by \ufffd" in row["hub_reason"]]

    assert (row["hub_row"], row["hub_severity"], row["Notes"]) == ("5", "warning", "Net \ufffd30")


def test_all_together_with_good_files_add_up(imports: dict[str, Import]) -> None:
    done = imports["together"]
    entities = done.report["entities"]
    expected = [FILES[name].expected for name in IMPORTED]
    records = 4 + sum(landed.records for landed in expected if isinstance(landed, Landed))

    assert sum(counts["extracted"] for counts in entities.values()) == records
    for counts in entities.values():
        assert counts["extracted"] == counts["imported"] + counts["skipped"] + counts["errored"]
        assert counts["references"] == counts["linked"] + counts["pending"]
    assert [job["customer.source_id"] for job in done.records["jobs"]] == ["G-1", "G-2"]
    assert done.report["money"]["jobs.total"]["source"] == "19.50"


def test_a_refused_file_beside_good_ones_is_named(imports: dict[str, Import]) -> None:
    done = imports["beside"]

    assert {file["name"]: file["state"] for file in done.files} == {
        "good_clients.csv": "landed",
        "good_jobs.csv": "landed",
        "binary.csv": "rejected",
    }


def _assert_told(done: Import, counts: Mapping[str, int]) -> None:
    told = [row["hub_severity"] for row in done.problems]
    assert {
        "errored": told.count("error"),
        "skipped": told.count("skipped"),
        "warnings": told.count("warning"),
    } == {name: counts[name] for name in ("errored", "skipped", "warnings")}


def _differences(done: Import, line: int, cells: list[str]) -> list[str]:
    """Text fields of the record that begins on the line whose value is not the cell of their column."""
    assert done.mapping is not None
    mapping = done.mapping["mapping"]["files"][0]["records"][0]
    texts = {field.name for field in load_catalog()[mapping["entity"]].fields.values() if field.type is FieldType.TEXT}
    [record] = [record for record in done.records[mapping["entity"]] if record["source_row"] == line]
    return [
        f"{field['field']} is {record[field['field']]!r}, not {cells[field['column']]!r}"
        for field in mapping["fields"]
        if field["field"] in texts and record[field["field"]] != (cells[field["column"]].strip() or None)
    ]
