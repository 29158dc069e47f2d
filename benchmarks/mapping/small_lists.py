"""Short lists as people keep them beside their software: three to five columns, and a file name that says nothing.

The labelled exports have ten columns and more; what a file of four columns holds is learned from these.
"""

from __future__ import annotations

import random
from importlib import resources

import yaml

from benchmarks.mapping.cases import Case, LabelledColumn
from benchmarks.mapping.other_reports import value_of


def small_lists() -> list[Case]:
    """Every list as a case; each stands for itself."""
    text = resources.files("benchmarks.mapping").joinpath("small_lists.yaml").read_text(encoding="utf-8")
    cases = []
    for entity, lists in yaml.safe_load(text).items():
        for number, spec in enumerate(lists):
            chance = random.Random(f"{entity}/{number}")
            columns = []
            for part in spec.split("|"):
                header, field, kind = part.split(":")
                samples = tuple(value_of(kind, row, chance) for row in range(6))
                columns.append(LabelledColumn(header, (None if field == "-" else field,), samples))
            cases.append(
                Case(
                    id=f"small-{entity}-{number}", platform=f"small list: {entity} {number}", file_name="list.csv",
                    entity=entity, entities_accepted=frozenset({entity}), kind="small", tags=(), columns=tuple(columns),
                )
            )  # fmt: skip
    return cases
