"""What people read of `hub analyze`, with and without reasons, in wide and in narrow terminals."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from services.analyze.entity_detection import detect
from services.cli.analysis_report import describe
from services.cli.analysis_tables import analysis_table
from services.mapper.known_shapes import informed_proposal
from shared.messages.landing import LandedFile, Reading
from tests.support.sampled import JOBBER_CLIENTS

ENTRY: dict[str, Any] = {
    "file": "quotes.csv",
    "entity": "estimates",
    "entity_confidence": 0.91,
    "alternatives": [{"entity": "invoices", "confidence": 0.06}, {"entity": "leads", "confidence": 0.004}],
    "reasons": ["2 of 2 columns fit estimates."],
    "records": 1200,
    "columns": [
        {
            "header": "Good until", "field": "expires_on", "confidence": 0.88, "type": "date",
            "runner_up": "approved_on",
            "reasons": ["“Good until” is a usual header for expires on."],
        },
        {"header": None, "field": None, "confidence": None, "type": "empty", "reasons": ["The column is empty."]},
    ],
}  # fmt: skip


def _printed(entry: dict[str, Any] = ENTRY, *, explain: bool, width: int = 200) -> str:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(analysis_table(entry, explain=explain, width=width))
    return screen.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_explanation_uses_the_catalogues_words_and_names_the_runner_up() -> None:
    line = next(line for line in _printed(explain=True).splitlines() if line.startswith("Good until"))

    assert all(text in line for text in ("Expires on", "88%", "Approved on", "is a usual header for expires on."))


def test_the_explanation_says_what_else_the_file_could_be() -> None:
    assert "It could also be: Invoices 6%.\n" in _printed(explain=True)


def test_a_column_that_feeds_nothing_says_why() -> None:
    line = next(line for line in _printed(explain=True).splitlines() if line.startswith("column 2"))

    assert "nothing" in line
    assert "The column is empty." in line


def test_without_explanation_there_are_field_names_and_no_reasons() -> None:
    text = _printed(explain=False)

    assert "expires_on" in text
    assert "usual name" not in text


def test_in_a_narrow_terminal_a_column_has_two_lines_of_its_own() -> None:
    lines = _printed(explain=True, width=80).splitlines()

    at = lines.index("Good until → Expires on (88%), else Approved on")
    assert lines[at + 1] == "    “Good until” is a usual header for expires on."
    assert lines[at + 2] == "column 2 → nothing"


def test_nothing_but_what_somebody_said_is_a_hundred_percent_sure() -> None:
    sure = {**ENTRY, "entity_confidence": 0.998}

    assert "Estimates (99% sure)" in _printed(sure, explain=True)


def test_a_preset_is_named_once_and_not_in_full_for_every_column() -> None:
    [detection] = detect([JOBBER_CLIENTS])
    [mapping] = informed_proposal([detection]).document.files
    reading = Reading(encoding="utf-8", delimiter=",", header_line=1, headers=JOBBER_CLIENTS.headers)
    landed = LandedFile(
        sha256="0" * 64, size_bytes=1, reading=reading, records=3,
        spans=(), left_out=(), left_out_total=0, blank_lines=0
    )  # fmt: skip

    text = _printed(describe(detection, mapping, landed), explain=True, width=80)

    assert text.count("Known columns come from the Jobber preset (Clients export, wide form, version") == 1
    assert text.count("version") == 1
    assert "    Jobber preset: seen in such files." in text


def test_the_explanation_ends_with_the_values_of_fields_with_fixed_values() -> None:
    values = [
        {"value": "Compleet", "count": 3, "becomes": None, "suggested": "approved", "state": "unmatched",
         "confidence": 0.7, "reason": "close to it"},
    ]  # fmt: skip
    status = {
        "header": "Status", "field": "status", "confidence": 0.99, "type": "text", "reasons": [], "values": values,
        "values_total": 29, "values_not_shown": 28, "rows_not_shown": 1064,
    }  # fmt: skip

    text = _printed({**ENTRY, "records": 30_000, "columns": [status]}, explain=True, width=200)

    assert "quotes.csv: values of estimates.status (Status)" in text
    assert "to decide: approved?" in text
    assert "1 to decide; one of: draft, sent" in text
    assert "28 more values in 1,064 rows are not listed. Counted in the first 20,000 rows of 30,000." in text
