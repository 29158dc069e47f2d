"""How the columns of a source file are named in its error file."""

from __future__ import annotations

from shared.messages.plan import PlannedFile

REASON_COLUMNS = (
    "hub_file",
    "hub_row",
    "hub_severity",
    "hub_entity",
    "hub_code",
    "hub_column",
    "hub_value",
    "hub_reason",
)
"""Added behind the source's columns; the reader of the hub ignores columns with these names."""


def column_names(source: PlannedFile) -> list[str]:
    """The file's columns as they appear in its error file: nameless and repeated ones get their place as a name."""
    names: list[str] = []
    for place, header in enumerate(source.reading.headers, start=1):
        name = header or f"Column {place}"
        while name in names:
            name = f"{name} ({place})"
        names.append(name)
    return names
