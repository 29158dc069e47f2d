"""What people read of a session's mapping, of its value mappings and of the mapping memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.cli.explanations import Explained, explained, percent
from services.cli.tables import shortened

View = dict[str, Any]

ID_CHARACTERS_MIN = 6
BY_WIDTH_MIN = 100
"""Below it the memory table has no room for who approved."""

_STATES = {"unmatched": "to decide", "left_empty": "left empty"}


def mapping_tables(mapping: View, width: int) -> Group:
    """Every file's columns and the fields they feed; first what there is to say about the file."""
    parts: list[Text | Group] = []
    for file in mapping["files"]:
        holds = ", ".join(dict.fromkeys(record["entity"] for record in file["records"])) or "left out"
        parts.append(Text(f"{file['file']}: {holds}", style="bold"))
        parts += [Text(reason) for reason in file["reasons"]]
        fields = [(record["entity"], field) for record in file["records"] for field in record["fields"]]
        parts.append(explained([_explained(entity, field) for entity, field in fields], width))
        parts.append(Text(""))
    return Group(*parts)


def values_tables(mappings: Iterable[View]) -> Group:
    """For each column that feeds a field with fixed values: its values and what becomes of them.

    `records` of a mapping, where it is there, is how many the whole file has.
    """
    return Group(*(part for mapping in mappings for part in _values(mapping)))


def memory_table(entries: Sequence[View], width: int) -> Table:
    """One line per remembered mapping, with as much of its id as tells it from the others."""
    ids = short_ids([entry["id"] for entry in entries])
    titles = ["Id", "Holds", "File", "Approved", "By", "Columns used", "Times", "Shared"]
    if width < BY_WIDTH_MIN:
        titles.remove("By")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, no_wrap=title in ("Id", "Approved"), overflow="fold")
    for entry in entries:
        cells = {
            "Id": ids[entry["id"]],
            "Holds": entry["entity"] or "left out",
            "File": escape(entry["file"]),
            "Approved": time.strftime("%Y-%m-%d", time.localtime(entry["approved_at"])),
            "By": escape(entry["approved_by"]),
            "Columns used": f"{len(entry['fields'])} of {len(entry['headers'])}",
            "Times": str(entry["times"]),
            "Shared": "yes" if entry["shared"] else "",
        }
        table.add_row(*(cells[title] for title in titles))
    return table


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Each id -> its beginning; all of one length, at which they differ."""
    length = ID_CHARACTERS_MIN
    while len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return {one: one[:length] for one in ids}


# ---- inside ---------------------------------------------------------------------------------------------------


def _explained(entity: str, field: View) -> Explained:
    column = field["header"] or (f"column {field['column'] + 1}" if field["column"] is not None else "–")
    return Explained(
        column=column,
        feeds=f"{entity}.{field['field']}",
        sure=percent(field["confidence"]),
        instead=field["runner_up"] or "",
        reasons=field["reasons"],
    )


def _values(mapping: View) -> tuple[Text, Table, Text]:
    title = f"{mapping['file']}: values of {mapping['entity']}.{mapping['field']} ({mapping['header'] or 'no header'})"
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("Value", "Seen", "Becomes", "Sure", "Why"):
        table.add_column(column, justify="right" if column in ("Seen", "Sure") else "left")
    for value in mapping["values"]:
        table.add_row(
            escape(shortened(value["value"], 40)),
            f"{value['count']:,}",
            _becomes(value),
            percent(value["confidence"]) if value["becomes"] or value["suggested"] else "",
            escape(value["reason"]),
        )
    return Text(title), table, Text(" ".join(_notes(mapping)))


def _becomes(value: View) -> str:
    state = _STATES.get(value["state"], "")
    return value["becomes"] or (f"{state}: {value['suggested']}?" if value["suggested"] else state)


def _notes(mapping: View) -> Iterable[str]:
    from services.ingest.landing_work import SAMPLE_ROWS_MAX

    if unmatched := sum(value["state"] == "unmatched" for value in mapping["values"]):
        yield f"{unmatched} to decide; one of: {', '.join(mapping['allowed'])}."
    if more := mapping["values_not_shown"]:
        yield f"{more:,} more values in {mapping['rows_not_shown']:,} rows are not listed."
    if mapping.get("records", 0) > SAMPLE_ROWS_MAX:
        yield f"Counted in the first {SAMPLE_ROWS_MAX:,} rows of {mapping['records']:,}."
