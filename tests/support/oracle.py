"""What an import left behind, in a form in which two imports of the same files can be compared record by record.

Ids of records stand in it, since they are deterministic; ids of sessions, times and paths do not.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from shared.catalog import load_catalog
from tests.support.drive import Driver

Json = dict[str, Any]
NOT_COMPARED = frozenset({"session", "seconds", "errors_file", "report_file"})
"""Members of a report that two runs over the same files do not share."""
DIFFERENCES_SHOWN = 20


async def dump(driver: Driver, stored: Sequence[Sequence[Any]], runs: Sequence[tuple[str, int, Json]]) -> Json:
    """Everything an import of these (session, run, report) left: reports, error files, records, rows of the store."""
    content = {
        "reports": [{key: value for key, value in report.items() if key not in NOT_COMPARED} for *_, report in runs],
        "errors": [
            list(csv.DictReader(io.StringIO(await driver.text(f"/sessions/{session}/runs/{run}/error-file"))))
            for session, run, _ in runs
        ],
        "records": {
            entity.name: [json.loads(line) for line in (await driver.text(f"/exports/{entity.name}")).splitlines()]
            for entity in load_catalog().in_load_order()
        },
        "stored": stored,
    }
    plain: Json = json.loads(json.dumps(content))
    return plain


def stored_rows(store: Path) -> list[list[Any]]:
    """The rows of the record store with revisions, open references and links as they are kept."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT id, line, open, user_revision, system_revision, links, body FROM records ORDER BY id"
        ).fetchall()
    return [[*row[:5], json.loads(row[5]) if row[5] else None, json.loads(row[6])] for row in rows]


def mongo_rows(url: str) -> list[list[Any]]:
    """The same rows as they are kept in a MongoDB database."""
    from pymongo import MongoClient

    with MongoClient[Json](url) as client:
        found = sorted(client.get_default_database()["records"].find(), key=lambda one: int(one["_id"]))
    return [
        [
            one["_id"],
            one["line"],
            one.get("open", 0),
            one["user_revision"],
            one["system_revision"],
            json.loads(one["links"]) if "links" in one else None,
            json.loads(one["body"]),
        ]
        for one in found
    ]


def differences(expected: Any, found: Any) -> list[str]:
    """Where two dumps differ, in words; empty where they are equal."""
    shown: list[str] = []
    for difference in _walk(expected, found, ""):
        if len(shown) == DIFFERENCES_SHOWN:
            return [*shown, "... and more"]
        shown.append(difference)
    return shown


def _walk(expected: Any, found: Any, where: str) -> Iterator[str]:
    if expected == found:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            if key not in expected or key not in found:
                yield f"{where}/{key}: only in the {'second' if key in found else 'first'}"
            else:
                yield from _walk(expected[key], found[key], f"{where}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for i, (a, b) in enumerate(zip(expected, found, strict=True)):
            yield from _walk(a, b, f"{where}/{i}")
    elif isinstance(expected, list) and isinstance(found, list):
        yield f"{where}: {len(expected)} entries in the first, {len(found)} in the second"
    else:
        yield f"{where}: {expected!r} in the first, {found!r} in the second"


def check_laws(report: Mapping[str, Any]) -> list[str]:
    """Every breach of the laws of counts in a report: records, references and money."""
    broken: list[str] = []
    for entity, counts in report["entities"].items():
        outcomes = counts["imported"] + counts["skipped"] + counts["errored"]
        if counts["extracted"] != outcomes:
            broken.append(f"{entity}: {counts['extracted']} extracted, but {outcomes} have an outcome")
        if counts["references"] != counts["linked"] + counts["pending"]:
            broken.append(f"{entity}: {counts['references']} references, not {counts['linked']} + {counts['pending']}")
    for field, amounts in report["money"].items():
        if _cents(amounts["source"]) != _cents(amounts["destination"]) + _cents(amounts["left_out"]):
            broken.append(f"{field}: {amounts}")
    return broken


def _cents(text: str) -> int:
    return round(float(text) * 100)
