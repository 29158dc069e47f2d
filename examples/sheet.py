"""Writes the files of one export and, from the same rows, the truth about what an import must make of them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

COUNTS = ("extracted", "imported", "skipped", "errored", "warnings", "references", "linked", "pending")


@dataclass(eq=False)
class Expected:
    """What one record of one source row must become.

    `outcome`: imported, skipped or errored; `code` the reason's family where it is not imported.
    `values`: canonical field (or `one|other` where either may hold it) -> value as exported, None where absent.
    `refs`: ref field -> the record it must link to, None where it must stay open; a list for a `many` reference.
    `warnings`: [field or None, code family]. `money`: readable amounts, whatever became of the record.
    """

    entity: str
    values: dict[str, Any] = field(default_factory=dict)
    refs: dict[str, Expected | list[Expected | None] | None] = field(default_factory=dict)
    slot: int = 0
    outcome: str = "imported"
    code: str | None = None
    of: Expected | None = None
    """The record of which a skipped one is a copy."""
    warnings: list[tuple[str | None, str]] = field(default_factory=list)
    money: dict[str, Decimal] = field(default_factory=dict)
    file: str = ""
    line: int = 0

    def skip(self, code: str, of: Expected) -> Expected:
        """Becomes a skipped copy of another record; its links and warnings do not count."""
        self.outcome, self.code, self.of = "skipped", code, of
        self.values, self.refs, self.warnings = {}, {}, []
        return self

    def fail(self, code: str) -> Expected:
        self.outcome, self.code = "errored", code
        self.values, self.refs, self.warnings = {}, {}, []
        return self

    def warn(self, field_name: str | None, code: str) -> Expected:
        self.warnings.append((field_name, code))
        return self


@dataclass
class Row:
    cells: list[str]
    records: list[Expected]
    left_out: str | None = None
    """Why the row is no record: title, repeated_header, total."""


class Sheet:
    """One file of an export: header row and rows in order."""

    def __init__(
        self,
        name: str,
        headers: list[str],
        *,
        encoding: str = "utf-8",
        line_end: str = "\n",
        titles: tuple[str, ...] = (),
    ) -> None:
        self.name, self.headers, self.encoding, self.line_end, self.titles = name, headers, encoding, line_end, titles
        self.rows: list[Row] = []

    def add(self, cells: dict[str, str], *records: Expected) -> Row:
        """A record row; headers that are not given have an empty cell."""
        unknown = cells.keys() - set(self.headers)
        if unknown:
            raise ValueError(f"{self.name} has no column {sorted(unknown)}")
        return self.insert(len(self.rows), [cells.get(header, "") for header in self.headers], *records)

    def insert(self, at: int, cells: list[str], *records: Expected) -> Row:
        row = Row(cells, list(records))
        self.rows.insert(at, row)
        return row

    def insert_copy(self, at: int, of: int, code: str) -> list[str]:
        """Puts a copy of row `of` at `at`, to be skipped as a duplicate or conflict; returns its cells to change."""
        row = self.rows[of]
        (original,) = row.records
        record = Expected(original.entity, money=dict(original.money)).skip(code, original)
        return self.insert(at, list(row.cells), record).cells

    def leave_out(self, at: int, cells: list[str], reason: str) -> None:
        """A row that is no record."""
        self.rows.insert(at, Row(cells, [], left_out=reason))

    def blank_line(self, at: int) -> None:
        self.rows.insert(at, Row([], []))

    def write(self, folder: Path) -> None:
        """Writes the file and tells every expected record its file and physical line (1-based)."""
        lines = 1
        parts: list[str] = []
        head = [Row([title], []) for title in self.titles] + [Row(self.headers, [])]
        for row in head + self.rows:
            for record in row.records:
                record.file, record.line = self.name, lines
            text = _csv_text(row.cells) if row.cells else ""
            parts.append(text + self.line_end)
            lines += 1 + text.count("\n")
        (folder / self.name).write_bytes("".join(parts).encode(self.encoding))

    @property
    def left_out(self) -> list[str]:
        return ["title"] * len(self.titles) + [row.left_out for row in self.rows if row.left_out]


def _csv_text(cells: list[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)  # cells with either of the two are put in quotes
    return out.getvalue()[:-2]


def write_export(folder: Path, platform: str, sheets: list[Sheet]) -> None:
    """Writes all files of an export and its `truth.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in sheets:
        sheet.write(folder)
    text = json.dumps(truth(platform, sheets), ensure_ascii=False, indent=1)
    (folder / "truth.json").write_text(text + "\n", encoding="utf-8")


def truth(platform: str, sheets: list[Sheet]) -> dict[str, Any]:
    """The truth document; the sheets must have been written, so that every record knows its line."""
    records = [record for sheet in sheets for row in sheet.rows for record in row.records]
    entities = sorted({record.entity for record in records})
    return {
        "platform": platform,
        "state": "completed_with_errors",
        "files": {
            sheet.name: {
                "records": sum(1 for row in sheet.rows if row.records),
                "left_out": sheet.left_out,
                "entities": sorted({r.entity for row in sheet.rows for r in row.records}),
            }
            for sheet in sheets
        },
        "entities": {entity: _counts([r for r in records if r.entity == entity]) for entity in entities},
        "money": _money(records),
        "records": [_record(record) for record in records],
    }


def _flat(refs: dict[str, Expected | list[Expected | None] | None]) -> list[Expected | None]:
    return [one for value in refs.values() for one in (value if isinstance(value, list) else [value])]


def _counts(records: list[Expected]) -> dict[str, int]:
    outcomes = [record.outcome for record in records]
    parents = [parent for record in records if record.outcome == "imported" for parent in _flat(record.refs)]
    counted = {
        "extracted": len(records),
        "imported": outcomes.count("imported"),
        "skipped": outcomes.count("skipped"),
        "errored": outcomes.count("errored"),
        "warnings": sum(1 for record in records if record.warnings),
        "references": len(parents),
        "linked": sum(1 for parent in parents if parent is not None),
        "pending": sum(1 for parent in parents if parent is None),
    }
    return {name: counted[name] for name in COUNTS}


def _money(records: list[Expected]) -> dict[str, dict[str, str]]:
    sums: dict[str, dict[str, Decimal]] = {}
    for record in records:
        for name, value in record.money.items():
            into = sums.setdefault(f"{record.entity}.{name}", {"destination": Decimal(0), "left_out": Decimal(0)})
            into["destination" if record.outcome == "imported" else "left_out"] += value
    return {
        name: {
            "source": f"{into['destination'] + into['left_out']:.2f}",
            "destination": f"{into['destination']:.2f}",
            "left_out": f"{into['left_out']:.2f}",
        }
        for name, into in sorted(sums.items())
    }


def _place(record: Expected | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {"file": record.file, "line": record.line, "entity": record.entity, "slot": record.slot}


def _record(record: Expected) -> dict[str, Any]:
    document: dict[str, Any] = {
        "file": record.file,
        "line": record.line,
        "entity": record.entity,
        "slot": record.slot,
        "outcome": record.outcome,
    }
    if record.code:
        document["code"] = record.code
    if record.of:
        document["of"] = _place(record.of)
    if record.warnings:
        document["warnings"] = [{"field": name, "code": code} for name, code in record.warnings]
    if record.outcome == "imported":
        document["values"] = record.values
        document["refs"] = {
            name: [_place(one) for one in value] if isinstance(value, list) else _place(value)
            for name, value in record.refs.items()
        }
    return document
