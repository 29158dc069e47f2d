"""What people read about the bus: topics, and messages that were set aside."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from services.cli.tables import console

__all__ = ["console", "dead_letters_table", "topics_table"]


def topics_table(topics: Sequence[dict[str, Any]]) -> Table:
    """One line per topic."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Topic", "Partitions", "Replicas", "Kept"):
        table.add_column(title, justify="left" if title == "Topic" else "right")
    table.add_column("")
    for topic in topics:
        state = "" if topic["exists"] else "missing"
        days = f"{topic['retention_hours'] / 24:g} days"
        table.add_row(
            topic["name"],
            str(topic["partitions"]),
            str(topic["replication"]),
            days,
            "created" if topic["created"] else state,
        )
    return table


def dead_letters_table(letters: Sequence[dict[str, Any]]) -> Table:
    """One line per message."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Set aside", "Topic", "Place", "Session", "Tries", "Code", "Reason"):
        table.add_column(title)
    for letter in letters:
        table.add_row(
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter["at"])),
            letter["topic"],
            f"{letter['partition']}/{letter['offset']}",
            letter["session"],
            str(letter["attempts"]),
            letter["code"],
            escape(letter["reason"]),
        )
    return table
