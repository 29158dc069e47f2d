"""What people read of a session's mapping and of the memory: everything that is said about a file, at any width."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from services.cli.mapping_tables import mapping_tables, memory_table, short_ids
from services.cli.tables import understanding

FILE = {
    "file": "clients.csv",
    "sha256": "ab",
    "headers": ["Mail"],
    "entity_confidence": 0.98,
    "reasons": ["Mapped as in your approved mapping of 3 Nov 2026.", "“Email” is now called “Mail”."],
    "records": [
        {
            "entity": "customers",
            "fields": [
                {
                    "field": "email", "column": 0, "header": "Mail", "confidence": 0.998, "runner_up": None,
                    "reasons": ["“Email” fed email in your approved mapping of 3 Nov 2026.", "Its values fit."],
                }
            ],
        }
    ],
}  # fmt: skip


def printed(content: RenderableType, width: int) -> str:
    screen = Console(file=io.StringIO(), width=width)
    screen.print(content)
    return screen.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_what_is_said_about_a_file_stands_above_its_columns_and_no_reason_is_cut() -> None:
    lines = printed(mapping_tables({"files": [FILE]}, 80), 80).splitlines()

    assert lines == [
        "clients.csv: customers",
        "Mapped as in your approved mapping of 3 Nov 2026.",
        "“Email” is now called “Mail”.",
        "Mail → customers.email (99%)",
        "    “Email” fed email in your approved mapping of 3 Nov 2026. Its values fit.",
        "",
    ]


def test_a_column_that_tells_which_parent_is_meant_counts_as_used() -> None:
    reference = {"field": "customer", "column": 0, "evidence": {"phone": 1}}
    jobs = FILE | {
        "headers": ["Client", "Phone", "Weather"],
        "records": [{"entity": "jobs", "fields": [reference]}],
    }
    session: dict[str, Any] = {"files": []}
    mapping = {
        "mapping": {"files": [jobs], "source_label": "files"},
        "missing_required": [],
        "missing_expected": [],
    }

    line = printed(understanding(session, mapping, reasons=False), 200).splitlines()[1]

    assert line.split() == ["clients.csv", "jobs", "98%", "0", "2", "of", "3", "Weather"]


def test_what_is_said_about_a_file_is_read_before_it_is_approved() -> None:
    session = {"files": [{"name": "clients.csv", "sha256": "ab", "state": "landed", "records": 3}]}
    mapping = {
        "mapping": {"files": [FILE], "source_label": "files"},
        "missing_required": [],
        "missing_expected": [],
    }

    text = printed(understanding(session, mapping), 200)

    assert "clients.csv: Mapped as in your approved mapping of 3 Nov 2026. “Email” is now called “Mail”." in text


@pytest.mark.parametrize("reasons", [True, False])
def test_amounts_that_are_read_as_cents_are_named_before_they_are_approved(reasons: bool) -> None:
    fields = [
        {"field": name, "column": at, "header": header, "options": {"money_unit": unit}}
        for at, (name, header, unit) in enumerate([("total", "amount", "minor"), ("tax", "tax", "major")])
    ]
    bills = FILE | {"headers": ["amount", "tax"], "records": [{"entity": "invoices", "fields": fields}]}
    mapping = {"mapping": {"files": [bills], "source_label": "files"}, "missing_required": [], "missing_expected": []}

    text = printed(understanding({"files": []}, mapping, reasons=reasons), 200)

    assert "clients.csv: amounts of “amount” are cents, 12050 is read as 120.50.\n" in text


def entry(id: str, **given: Any) -> dict[str, Any]:
    return {
        "id": id, "entity": "customers", "file": "clients of the whole year.csv", "approved_at": 1_770_000_000.0,
        "approved_by": "owner@example.com", "fields": {"Mail": "email"}, "headers": ["Mail"], "times": 1,
        "shared": False,
    } | given  # fmt: skip


def test_the_memory_fits_into_eighty_columns() -> None:
    text = printed(memory_table([entry("0a1b2c3d4e5f6789"), entry("0a1b2cff00000000", entity=None)], 80), 80)

    assert "…" not in text
    assert "owner@example.com" not in text
    assert all(word in text for word in ("0a1b2c3 ", "0a1b2cf ", "customers", "left out", "2026-02-0"))


def test_ids_are_as_long_as_it_takes_to_tell_them_apart() -> None:
    assert short_ids(["abcdef01", "abcdef12"]) == {"abcdef01": "abcdef0", "abcdef12": "abcdef1"}
    assert short_ids(["abcdef01", "ffffff12"]) == {"abcdef01": "abcdef", "ffffff12": "ffffff"}
    assert short_ids([]) == {}
