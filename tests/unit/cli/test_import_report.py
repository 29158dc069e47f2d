"""The report's exit codes, what it says of files that were left out, and its published schema."""

from __future__ import annotations

from typing import Any

import pytest

from services.cli.import_drive import Ending
from services.cli.import_report import empty_report, exit_code, report_of
from services.status.report_schema import PUBLISHED, schema_text
from tests.unit.cli.test_client import answers, client_of


def file_view(name: str, state: str = "landed", **changes: Any) -> dict[str, Any]:
    view = {"name": name, "state": state, "sha256": name, "records": 7, "left_out": 1, "duplicate_of": None}
    return view | {"error": None, "next_step": None} | changes


@pytest.mark.parametrize(
    ("state", "errored", "code"),
    [
        ("completed", 0, 0),
        ("completed_with_errors", 3, 2),
        ("validated", 0, 0),
        ("validated", 3, 2),
        ("failed", 0, 1),
        ("cancelled", 0, 1),
        ("needs_mapping", 0, 1),
        ("none", 0, 1),
    ],
)
def test_exit_codes(state: str, errored: int, code: int) -> None:
    report = empty_report(state) | {"entities": {"jobs": {"errored": errored}}}

    assert exit_code(report) == code


async def test_files_that_were_left_out_say_why() -> None:
    mapping = {
        "mapping": {
            "files": [
                {
                    "sha256": "clients.csv",
                    "records": [{"entity": "customers"}, {"entity": "properties"}],
                    "reasons": [],
                },
                {"sha256": "weather.csv", "records": [], "reasons": ["There is no column for name."]},
            ]
        }
    }
    files = [
        file_view("clients.csv"),
        file_view("copy.csv", "duplicate", duplicate_of="clients.csv"),
        file_view("weather.csv"),
        file_view("photo.csv", "rejected", error="It is no text.", next_step="Export it as CSV."),
    ]

    report = await report_of(
        client_of(answers()), Ending("proposed", {"id": "1", "files": files}, mapping), seconds=1.0
    )

    assert report["files"] == [
        {"file": "clients.csv", "entities": ["customers", "properties"], "records": 7, "left_out": 1},
        {"file": "copy.csv", "entities": [], "records": 0, "left_out": 7}
        | {"reason": "It is an identical copy of clients.csv."},
        {"file": "weather.csv", "entities": [], "records": 0, "left_out": 7, "reason": "There is no column for name."},
        {"file": "photo.csv", "entities": [], "records": 0, "left_out": 0}
        | {"reason": "The file cannot be read.", "error": "It is no text. Export it as CSV."},
    ]


def test_the_published_schema_is_what_the_models_say() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), "run: python -m services.status.report_schema"
