"""Columns with the reasons why they feed what they feed: a table where there is room, two lines a column where not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

TABLE_WIDTH_MIN = 110
"""Below it a table has no room for sentences."""
SURE_MAX = 0.99
_INDENT = 4

# Said of every column of a known export: the preset is named once, each column says "Jobber preset".
_PRESET = re.compile(r"The (?P<label>.+?) preset \((?P<which>.+?)\) takes “.*” for .*: (?P<how>[^:]+)\.")


@dataclass(frozen=True)
class Explained:
    """One column. `instead`: the runner-up, "" where there is none."""

    column: str
    feeds: str
    sure: str
    instead: str
    reasons: Sequence[str]


def percent(confidence: float) -> str:
    """A confidence as people read it: 100 % only where somebody has said so."""
    return f"{confidence if confidence == 1.0 else min(confidence, SURE_MAX):.0%}"


def explained(columns: Sequence[Explained], width: int) -> Group:
    """The columns in a terminal of this width, after what is true of several of them."""
    presets = [Text(line) for line in _presets_named(columns)]
    return Group(*presets, _table(columns) if width >= TABLE_WIDTH_MIN else _lines(columns))


# ---- inside ---------------------------------------------------------------------------------------------------


def _presets_named(columns: Iterable[Explained]) -> list[str]:
    """Each preset with what its word is worth, once."""
    found = [match for column in columns for reason in column.reasons if (match := _PRESET.fullmatch(reason))]
    names = [f"Known columns come from the {match['label']} preset ({match['which']})." for match in found]
    return list(dict.fromkeys(names))


def _why(column: Explained) -> str:
    return " ".join(
        f"{match['label']} preset: {match['how']}." if (match := _PRESET.fullmatch(reason)) else reason
        for reason in column.reasons
    )


def _table(columns: Iterable[Explained]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Column", "Feeds", "Sure", "Else", "Why"):
        table.add_column(title)
    for column in columns:
        table.add_row(*map(escape, (column.column, column.feeds, column.sure, column.instead, _why(column))))
    return table


def _lines(columns: Iterable[Explained]) -> Group:
    parts: list[Text | Padding] = []
    for column in columns:
        sure = f" ({column.sure})" if column.sure else ""
        instead = f", else {column.instead}" if column.instead else ""
        parts.append(Text.assemble((column.column, "bold"), f" → {column.feeds}{sure}{instead}"))
        if why := _why(column):
            parts.append(Padding(Text(why), (0, 0, 0, _INDENT), expand=False))
    return Group(*parts)
