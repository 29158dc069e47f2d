"""The labelled cases: header sets of real exports and dirty ones, brought in as data (`cases.json`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from shared.messages.analysis import SampledFile

NOTHING = "none"
"""The entity type of a file that is none of them."""


@dataclass(frozen=True)
class LabelledColumn:
    """One column. `accepted`: every right answer, the preferred one first; None among them: unmapped is right too."""

    header: str
    accepted: tuple[str | None, ...]
    samples: tuple[str, ...]

    @property
    def preferred(self) -> str | None:
        """The field that the column should feed; None where it should feed nothing."""
        return self.accepted[0]


@dataclass(frozen=True)
class Case:
    """One labelled file."""

    id: str
    platform: str
    """The platform without the flavour of its export: what is learned from one is learned from all."""
    file_name: str
    entity: str
    entities_accepted: frozenset[str]
    kind: str
    tags: tuple[str, ...]
    columns: tuple[LabelledColumn, ...]

    def sampled(self) -> SampledFile:
        """The case as detection sees a file: its samples are the rows."""
        rows = [list(row) for row in zip(*(column.samples for column in self.columns), strict=True)]
        headers = tuple(column.header for column in self.columns)
        return SampledFile(file=self.file_name, headers=headers, rows=rows, records=len(rows))

    def named(self, file_name: str) -> Case:
        """The same file under another name."""
        return replace(self, file_name=file_name)


def _family(platform: str) -> str:
    """'Jobber API' and 'Jobber (flat list)' are Jobber."""
    return re.sub(r"\s+(?:API|\(.*\))$", "", platform)


def _column(raw: dict[str, Any]) -> LabelledColumn:
    field = raw["field"]
    accepted = tuple(field) if isinstance(field, list) else (field,)
    return LabelledColumn(raw["header"] or "", accepted, tuple(raw["samples"]))


def _case(raw: dict[str, Any]) -> Case:
    return Case(
        id=raw["id"],
        platform=_family(raw["platform"]),
        file_name=raw["file_name"],
        entity=raw["entity"],
        entities_accepted=frozenset(raw.get("entity_accept") or [raw["entity"]]),
        kind=raw["kind"],
        tags=tuple(raw.get("tags", ())),
        columns=tuple(map(_column, raw["columns"])),
    )


def read_cases(path: Path) -> list[Case]:
    """The cases of a file of the same form."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return [_case(raw) for raw in (document["cases"] if isinstance(document, dict) else document)]


@lru_cache(maxsize=1)
def load_cases() -> tuple[Case, ...]:
    """The open cases of the repository."""
    text = resources.files("benchmarks.mapping").joinpath("cases.json").read_text(encoding="utf-8")
    return tuple(_case(raw) for raw in json.loads(text)["cases"])
