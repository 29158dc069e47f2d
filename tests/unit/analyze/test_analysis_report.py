from __future__ import annotations

import json

from services.analyze.entity_detection import detect
from services.cli.analysis_report import describe
from services.mapper.proposals import propose
from shared.messages.landing import LandedFile, Reading
from tests.support.sampled import JOBBER_CLIENTS, sampled


def _landed(headers: tuple[str, ...], records: int) -> LandedFile:
    reading = Reading(encoding="utf-8", delimiter=",", header_line=1, headers=headers)
    return LandedFile(
        sha256="0" * 64, size_bytes=1, reading=reading, records=records,
        spans=(), left_out=(), left_out_total=0, blank_lines=0
    )  # fmt: skip


def test_the_form_that_outside_programs_read() -> None:
    detections = detect([JOBBER_CLIENTS])
    entry = describe(detections[0], propose(detections).files[0], _landed(JOBBER_CLIENTS.headers, 3))
    assert json.loads(json.dumps(entry)) == entry
    assert (entry["file"], entry["entity"], entry["records"], entry["header_row"]) == ("clients.csv", "customers", 3, 1)
    assert [column["header"] for column in entry["columns"]] == list(JOBBER_CLIENTS.headers)
    assert set(entry["columns"][3]) >= {"header", "field", "confidence", "reasons", "type"}


def test_a_column_that_feeds_two_entity_types_lists_both() -> None:
    detections = detect([JOBBER_CLIENTS])
    columns = describe(detections[0], propose(detections).files[0], _landed(JOBBER_CLIENTS.headers, 3))["columns"]
    assert columns[0]["field"] == "source_id"
    assert [(a["entity"], a["field"]) for a in columns[0]["also"]] == [("properties", "source_id")]
    assert [(a["entity"], a["field"]) for a in columns[15]["also"]] == [("properties", "street")]


def test_a_file_that_is_none_of_the_types() -> None:
    file = sampled("recipes.csv", ["Recipe", "Calories"], ["Soup", "200"])
    detections = detect([file])
    entry = describe(detections[0], propose(detections).files[0], _landed(file.headers, 1))
    assert entry["entity"] is None
    assert [column["field"] for column in entry["columns"]] == [None, None]


def test_a_column_whose_field_another_one_feeds_is_told_which() -> None:
    rows = [[f"Ann Smith {at}", f"602555010{at}", f"602555020{at}", f"a{at}@b.co", f"c{at}@d.co"] for at in range(9)]
    file = sampled("customers.csv", ["Name", "Phone", "Phone", "Email", "Electronic box"], *rows)
    detections = detect([file])
    mapping = propose(detections, entities={file.file: "customers"}).files[0]
    columns = describe(detections[0], mapping, _landed(file.headers, 9))["columns"]

    told = {at: column["reasons"] for at, column in enumerate(columns) if column["field"] is None}

    assert told == {
        2: ["“Phone” (column 2) already feeds phone."],
        4: ["“Email” (column 4) already feeds email."],
    }
