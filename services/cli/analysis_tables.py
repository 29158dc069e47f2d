"""What people read of `hub analyze`: what each file holds, column by column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from services.cli.explanations import Explained, explained, percent
from services.cli.mapping_tables import values_tables
from services.cli.tables import table_of
from shared.catalog.model import load_catalog

View = dict[str, Any]

ALTERNATIVE_MIN = 0.05
"""What is less likely is not worth a word."""


def analysis_table(entry: View, *, explain: bool = False, width: int) -> Group:
    """What one file holds, column by column; `explain`: in the catalogue's words, with reasons and runner-up."""
    if entry.get("error"):
        return Group(Text(f"{entry['file']}: {entry['error']}", style="bold"), Text(""))
    holds = entry["entity"] or "none of the entity types"
    if explain and entry["entity"]:
        holds = _entity_label(entry["entity"])
    title = f"{entry['file']}: {holds} ({percent(entry['entity_confidence'])} sure), {entry['records']:,} records"
    lines = [Text(reason) for reason in entry.get("reasons", [])]
    others = [other for other in entry["alternatives"] if other["confidence"] >= ALTERNATIVE_MIN]
    if explain and others:
        told = ", ".join(f"{_entity_label(other['entity'])} {percent(other['confidence'])}" for other in others)
        lines.append(Text(f"It could also be: {told}."))
    if not explain:
        return Group(Text(title, style="bold"), *lines, _columns(entry), Text(""))
    return Group(
        Text(title, style="bold"), *lines, explained(_explained(entry), width), values_tables(_values(entry)), Text("")
    )


# ---- inside ---------------------------------------------------------------------------------------------------


def _columns(entry: View) -> Table:
    return table_of(
        ("Column", "Feeds", "Sure", "Holds"),
        (
            (
                _header(column, place),
                ", ".join(_feeds(column, entry, _names)) or "–",
                _sure(column),
                column["type"],
            )
            for place, column in enumerate(entry["columns"], start=1)
        ),
    )


def _explained(entry: View) -> list[Explained]:
    return [
        Explained(
            column=_header(column, place),
            feeds=", ".join(_feeds(column, entry, _labels)) or "nothing",
            sure=_sure(column),
            instead=_labels(entry["entity"], column["runner_up"])[1] if column.get("runner_up") else "",
            reasons=column["reasons"],
        )
        for place, column in enumerate(entry["columns"], start=1)
    ]


def _values(entry: View) -> list[View]:
    """The value mappings of the file in the form in which a session's mapping has them."""
    return [
        {
            "file": entry["file"],
            "records": entry["records"],
            "entity": entry["entity"],
            "allowed": list(load_catalog()[entry["entity"]].fields[column["field"]].values),
            **{name: column[name] for name in ("header", "field", "values", "values_not_shown", "rows_not_shown")},
        }
        for column in entry["columns"]
        if "values" in column
    ]


def _header(column: View, place: int) -> str:
    return str(column["header"] or f"column {place}")


def _sure(column: View) -> str:
    return percent(column["confidence"]) if column["confidence"] is not None else ""


def _feeds(column: View, entry: View, say: Callable[[str, str], tuple[str, str]]) -> list[str]:
    """The field of the file's own entity type by itself, others with their entity type; `say`: in whose words."""
    own = [say(entry["entity"], column["field"])[1]] if column["field"] else []
    return own + [".".join(say(use["entity"], use["field"])) for use in column.get("also", [])]


def _names(entity: str, field: str) -> tuple[str, str]:
    return entity, field


def _labels(entity: str, field: str) -> tuple[str, str]:
    return _entity_label(entity), load_catalog()[entity].fields[field].label


def _entity_label(entity: str) -> str:
    return load_catalog()[entity].label
