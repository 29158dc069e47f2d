"""Files that hold none of the entity types: reports, logs, ledgers and lists such as come along with an export."""

from __future__ import annotations

import random
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from benchmarks.mapping.cases import NOTHING, Case, LabelledColumn
from benchmarks.mapping.other_values import FAMILY, FIRMS, GIVEN, ROADS, TOWNS


@lru_cache(maxsize=1)
def _data() -> Any:
    text = resources.files("benchmarks.mapping").joinpath("other_reports.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def value_of(kind: str, row: int, chance: random.Random) -> str:
    """One value of a kind."""
    pool = _data()["values"].get(kind)
    if pool is not None:
        return str(pool[row % len(pool)])
    person = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
    day = f"{chance.randrange(1, 13):02}/{chance.randrange(1, 29):02}/2024"
    made = {
        "person": person,
        "firm": chance.choice(FIRMS),
        "given": person.split()[0],
        "family": person.split(" ", 1)[1],
        "road": f"{chance.randrange(3, 9999)} {chance.choice(ROADS)}",
        "town": chance.choice(TOWNS),
        "email": f"{person.split()[0].lower()}@example.com",
        "phone": f"(602) 555-01{chance.randrange(100):02}",
        "date": day,
        "moment": f"{day} {chance.randrange(7, 19):02}:{chance.randrange(60):02}",
        "count": str(chance.randrange(0, 900)),
        "decimal": f"{chance.randrange(0, 900) / 10:.1f}",
        "money": f"${chance.randrange(100, 900000) / 100:,.2f}",
        "percent": f"{chance.randrange(0, 1000) / 10:.1f}%",
        "id": str(chance.randrange(10_000, 99_999)),
        "zip": f"{chance.randrange(10_000, 99_999)}",
        "ip": f"10.0.{chance.randrange(256)}.{chance.randrange(256)}",
        "url": f"https://files.example.com/{chance.randrange(10_000)}",
        "lat": f"{33 + chance.random():.5f}",
        "lon": f"{-112 - chance.random():.5f}",
    }
    return made[kind]


def other_reports() -> list[Case]:
    """Every report as a case whose entity type is none; the family stands for the platform."""
    cases = []
    for family, reports in _data()["reports"].items():
        for number, (file_name, spec) in enumerate(reports):
            chance = random.Random(f"{family}/{number}")
            columns = []
            for part in spec.split("|"):
                header, _, kind = part.rpartition(":")
                samples = tuple(value_of(kind, row, chance) for row in range(6))
                columns.append(LabelledColumn(header, (None,), samples))
            cases.append(
                Case(
                    id=f"none-{family}-{number}", platform=f"reports: {family}", file_name=file_name, entity=NOTHING,
                    entities_accepted=frozenset({NOTHING}), kind="report", tags=(), columns=tuple(columns),
                )
            )  # fmt: skip
    return cases
