"""What people read: the understanding of the files, the result of an import, lists of sessions and problems."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, TextIO

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.cli.explanations import percent

View = dict[str, Any]

STATES = {
    "validated": "Dry run finished, nothing was written",
    "completed": "Completed",
    "completed_with_errors": "Completed with errors",
    "needs_mapping": "Not imported: a required column is missing",
    "proposed": "Not imported yet: the mapping waits for your approval",
    "refused": "Not imported",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "unfinished": "Interrupted",
    "none": "There is no session yet",
}


WIDTH_WITHOUT_TERMINAL = 200


def console(file: TextIO | None = None) -> Console:
    """Where tables go: standard output unless another file is given; as wide as the terminal, or wide enough."""
    stream = file or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDTH_WITHOUT_TERMINAL)


def print_report(console: Console, report: View) -> None:
    """The result of an import."""
    if report["entities"]:
        console.print(_entities(report))
    if report["money"]:
        console.print(_money(report["money"]))
    for file in report["files"]:
        if file.get("reason"):
            console.print(f"{file['file']} was left out: {file['reason']}", markup=False, highlight=False)
    state = STATES.get(report["state"], report["state"])
    console.print(f"{state} in {report['seconds']:.1f} seconds.", markup=False, highlight=False, style="bold")
    for line in (report.get("error"), report.get("next")):
        if line:
            console.print(line, markup=False, highlight=False)
    places = (("Rows to look at", "errors_file"), ("Report", "report_file"), ("Session", "session"))
    for label, name in places:
        if report[name]:
            console.print(f"{label + ':':<17}{report[name]}", markup=False, highlight=False, soft_wrap=True)


def _entities(report: View) -> Table:
    columns = {
        "extracted": "Total",
        "imported": "Would import" if report.get("kind") == "preflight" else "Imported",
        "skipped": "Skipped",
        "errored": "Errors",
        "warnings": "Warnings",
        "linked": "Links",
        "pending": "Pending links",
    }
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in columns.values():
        table.add_column(title, justify="right")
    for entity, counts in report["entities"].items():
        table.add_row(entity.capitalize(), *(f"{counts[name]:,}" for name in columns))
    return table


def _money(money: View) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("Money")
    for title in ("Source", "Destination", "Left out"):
        table.add_column(title, justify="right")
    for name, sums in money.items():
        table.add_row(name, *(f"{Decimal(sums[key]):,.2f}" for key in ("source", "destination", "left_out")))
    return table


def understanding(session: View, mapping: View, *, reasons: bool = True) -> Group:
    """What the hub made of the files: to be looked at before it is approved. `reasons`: with what it says of each."""
    files = {file["sha256"]: file for file in session["files"] if file["state"] == "landed"}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("File", "Holds", "Sure", "Records", "Columns used", "Not used"):
        table.add_column(title, justify="right" if title in ("Sure", "Records", "Columns used") else "left")
    for file in mapping["mapping"]["files"]:
        known = files.get(file["sha256"], {})
        used = _columns_used(file)
        unused = [header or f"column {at + 1}" for at, header in enumerate(file["headers"]) if at not in used]
        holds = ", ".join(dict.fromkeys(record["entity"] for record in file["records"])) or "left out"
        table.add_row(
            escape(file["file"]),
            holds,
            percent(file["entity_confidence"]),
            f"{known.get('records', 0):,}",
            f"{len(used)} of {len(file['headers'])}",
            escape(shortened(", ".join(unused), 60)),
        )
    lines = [Text(line) for file in mapping["mapping"]["files"] if (line := _cents(file))]
    lines += [
        Text(f"{file['file']}: {' '.join(file['reasons'])}")
        for file in mapping["mapping"]["files"]
        if reasons and file["reasons"]
    ]
    lines += [
        Text(f"{file['name']} is left out: an identical copy of {file['duplicate_of']}.")
        for file in session["files"]
        if file["state"] == "duplicate"
    ]
    lines += [_lacks("needs a column for", group) for group in mapping["missing_required"]]
    lines += [_lacks("has no column for", group) for group in mapping["missing_expected"]]
    lines.append(Text(f"Source ids count within: {mapping['mapping']['source_label']}"))
    return Group(table, *lines)


def _columns_used(file: View) -> set[int]:
    """Columns that feed a field, or tell which parent a reference means."""
    fields = [field for record in file["records"] for field in record["fields"]]
    feeding = {field["column"] for field in fields} - {None}
    return feeding.union(*(field.get("evidence", {}).values() for field in fields))


def _cents(file: View) -> str:
    """Which amounts are read as cents: wrong by a factor of a hundred where they are not, so always said."""
    fields = [field for record in file["records"] for field in record["fields"]]
    headers = dict.fromkeys(
        f"“{field['header']}”" if field["header"] else f"column {field['column'] + 1}"
        for field in fields
        if field["column"] is not None and field.get("options", {}).get("money_unit") == "minor"
    )
    return f"{file['file']}: amounts of {', '.join(headers)} are cents, 12050 is read as 120.50." if headers else ""


def _lacks(what: str, group: View) -> Text:
    return Text(f"{group['file']} {what} {' or '.join(group['labels'])} ({group['entity']}).")


def sessions_table(sessions: Iterable[View]) -> Table:
    """One line per session."""
    return table_of(
        ("Session", "Started", "State", "Files", "Name"),
        (
            (s["id"], _time(s["created_at"]), s["state"].replace("_", " "), str(len(s["files"])), s["name"])
            for s in sessions
        ),
    )


def problems_table(problems: Iterable[View]) -> Table:
    """One line per problem of a record."""
    return table_of(
        ("File", "Row", "What", "Value", "Why"),
        (
            (p["file"], str(p["line"]), p["severity"], shortened(p.get("value") or "", 30), p["message"])
            for p in problems
        ),
    )


def table_of(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A plain table of texts."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, no_wrap=title == "Session")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def shortened(text: str, length: int) -> str:
    """The text in one line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
