"""How the columns of a source file are named in its error file."""

from __future__ import annotations

from shared.messages.plan import PlannedFile


def column_names(source: PlannedFile) -> list[str]:
    """The file's columns as they appear in its error file: nameless and repeated ones get their place as a name."""
    names: list[str] = []
    for place, header in enumerate(source.reading.headers, start=1):
        name = header or f"Column {place}"
        names.append(name if name not in names else f"{name} ({place})")
    return names
