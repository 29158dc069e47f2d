"""Both laws of counts over generated files, imported by the real hub in this process.

Each example is a session of its own in one hub, so that later ones also meet what earlier ones have stored.
"""

from __future__ import annotations

import asyncio
import csv
import io
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.app import embedded_hub
from shared.catalog import FieldType, load_catalog
from tests.support.drive import Driver, client_of
from tests.support.oracle import check_laws

Json = dict[str, Any]

IDS = st.sampled_from([f"{n:03d}" for n in range(1, 13)] + [""])
NAMES = st.sampled_from(["Ada Abbot", "Ada Abbot", "Ben Brand", "Cleo Crane", "O'Hara Heating, LLC", "Ünal Öz", ""])
EMAILS = st.sampled_from(["ada@example.com", "ben@example.com", "no mail", ""])
PHONES = st.sampled_from(["(512) 555-0101", "512-555-0102 x7", "none", ""])
STREETS = st.sampled_from(["1 Main St", "2 Oak Ave", "2 Oak\nAve", ""])
DATES = st.sampled_from(["2025-01-31", "2025-02-28", "2024-02-30", "soon", ""])
AMOUNTS = st.sampled_from(["$1,250.50", "99", "0.00", "-12.25", "a lot", ""])

KINDS: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "customers": {
        "Customer ID": IDS,
        "Display Name": NAMES,
        "E-mail": EMAILS,
        "Main Phone": PHONES,
        "Billing Street 1": STREETS,
        "Billing City": st.sampled_from(["Austin", ""]),
        "Service Street 1": STREETS,
        "Service City": st.sampled_from(["Austin", "Denver", ""]),
        "Service State": st.sampled_from(["TX", "Texass", ""]),
    },
    "jobs": {
        "Job #": IDS,
        "Client name": NAMES,
        "Client email": EMAILS,
        "Title": st.sampled_from(["Repair", "Total rebuild", ""]),
        "Scheduled start": DATES,
        "Total ($)": AMOUNTS,
    },
    "invoices": {
        "Invoice #": IDS,
        "Client name": NAMES,
        "Job #": IDS,
        "Issued date": DATES,
        "Total ($)": AMOUNTS,
        "Balance ($)": AMOUNTS,
    },
}


@dataclass(frozen=True)
class GeneratedFile:
    """A CSV text, the entity type it is meant to be, and the physical line on which each of its rows begins."""

    kind: str
    text: str
    lines: tuple[int, ...]


@st.composite
def generated_files(draw: st.DrawFn) -> list[GeneratedFile]:
    """One to three files of different types."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3, unique=True))
    return [_rendered(draw, kind) for kind in kinds]


def _rendered(draw: st.DrawFn, kind: str) -> GeneratedFile:
    columns = KINDS[kind]
    row = st.tuples(*columns.values()).map(list)
    rows = draw(st.lists(row.filter(lambda cells: any(cells)), min_size=1, max_size=25))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    lines = []
    for cells in rows:
        match draw(st.integers(0, 9)):
            case 0:
                cells = [*cells, "one too many"]
            case 1:
                cells = cells[: draw(st.integers(1, len(cells)))]
            case 2:
                out.write("\n")
        if any(cells):
            lines.append(out.getvalue().count("\n") + 1)
            writer.writerow(cells)
    return GeneratedFile(kind, out.getvalue(), tuple(lines))


class Importer:
    """One hub for all examples."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._open = AsyncExitStack()
        self._numbers = itertools.count()
        self._driver = self._loop.run_until_complete(self._start())

    async def _start(self) -> Driver:
        data = self._folder / "data"
        data.mkdir()
        hub = await self._open.enter_async_context(embedded_hub(data, workers=1))
        return Driver(await self._open.enter_async_context(client_of(hub)))

    def close(self) -> None:
        """Ends the hub."""
        self._loop.run_until_complete(self._open.aclose())
        self._loop.close()

    def run(self, files: Sequence[GeneratedFile], batch_records: int) -> Imported:
        """The import of some files."""
        return self._loop.run_until_complete(self._run(files, batch_records))

    async def _run(self, files: Sequence[GeneratedFile], batch_records: int) -> Imported:
        driver, folder = self._driver, self._folder / f"{next(self._numbers)}"
        folder.mkdir()
        for file in files:
            (folder / f"{file.kind}.csv").write_text(file.text)
        entities = {f"{file.kind}.csv": file.kind for file in files}
        driver.options = {"batch_records": batch_records, "entities": entities, "source_label": folder.name}
        session, run, report = await driver.drive(folder.name, [folder / name for name in entities])
        landed = await driver.get(f"/sessions/{session}/files")
        left_out = {
            file["name"]: [
                row["line"] for row in await driver.get(f"/sessions/{session}/files/{file['id']}/unreadable")
            ]
            for file in landed
        }
        errors = await driver.text(f"/sessions/{session}/runs/{run}/error-file")
        records = {
            entity.name: [
                record
                for record in map(json.loads, (await driver.text(f"/exports/{entity.name}")).splitlines())
                if record["id"] >> 32 == run
            ]
            for entity in load_catalog().in_load_order()
        }
        return Imported(report, landed, left_out, list(csv.DictReader(io.StringIO(errors, newline=""))), records)


@dataclass(frozen=True)
class Imported:
    """What came of one import."""

    report: Json
    landed: list[Json]
    left_out: dict[str, list[int]]
    problems: list[dict[str, str]]
    records: dict[str, list[Json]]

    def lines_told_of(self, file: str) -> set[int]:
        """Physical lines of a file that are a record, have a reason, or are listed as no record."""
        stored = {r["source_row"] for records in self.records.values() for r in records if r["source_file"] == file}
        reasons = {int(row["hub_row"]) for row in self.problems if row["hub_file"] == file}
        return stored | reasons | set(self.left_out[file])

    def problem_counts(self, entity: str) -> Counter[str]:
        """Rows of the error file about an entity type by severity."""
        return Counter(row["hub_severity"] for row in self.problems if row["hub_entity"] == entity)


@pytest.fixture(scope="module")
def importer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Importer]:
    importer = Importer(tmp_path_factory.mktemp("conservation"))
    yield importer
    importer.close()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=generated_files(), batch_records=st.sampled_from([1, 4, 500]))
def test_nothing_is_lost_without_a_count_and_a_reason(
    importer: Importer, files: list[GeneratedFile], batch_records: int
) -> None:
    found = importer.run(files, batch_records)

    assert check_laws(found.report) == []
    records = {file["name"]: file["records"] for file in found.landed}
    for file in files:
        name = f"{file.kind}.csv"
        assert records[name] + len(found.left_out[name]) == len(file.lines)
        assert found.report["entities"][file.kind]["extracted"] == records[name]
        assert set(file.lines) - found.lines_told_of(name) == set()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=generated_files(), batch_records=st.sampled_from([1, 4, 500]))
def test_the_report_says_what_is_in_the_store_and_in_the_error_file(
    importer: Importer, files: list[GeneratedFile], batch_records: int
) -> None:
    found = importer.run(files, batch_records)

    for entity, counts in found.report["entities"].items():
        told = found.problem_counts(entity)
        assert len(found.records[entity]) == counts["imported"]
        assert (told["error"], told["skipped"], told["warning"]) == (
            counts["errored"],
            counts["skipped"],
            counts["warnings"],
        )
        for field in load_catalog()[entity].fields.values():
            if field.type is FieldType.MONEY and f"{entity}.{field.name}" in found.report["money"]:
                stored = sum(Decimal(record[field.name] or 0) for record in found.records[entity])
                assert Decimal(found.report["money"][f"{entity}.{field.name}"]["destination"]) == stored
