"""The error file: source cells and reasons, over all files or one, over a run and the runs that repeated batches."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.status.error_file import ErrorFiles, grouped
from services.status.repeats import RunPart, parts_of
from shared.connectors.delimited import land
from shared.messages.batches import Problem
from shared.messages.control import RunChanged
from shared.messages.plan import RunPlan
from shared.runtime import WorkerPool
from shared.storage.files import DirectoryFiles
from shared.storage.outcomes import ProblemBatch, SqliteOutcomeStore
from shared.storage.sqlite import SqliteDatabase
from tests.support.builders import File, make_plan, packed
from tests.support.workers import InProcessWorkers

CLIENTS = b'ID,Name,Note\n1,Ada,"first\nline"\n2,Ben,\n3,"Cleo ""C"" Crane",x\n4,Dan,\n'
JOBS = b"Job;Name\nJ1;Repair\n"
HEADER = ["ID", "Name", "Note", "Job"]


@dataclass
class Desk:
    """Error files over landed files; clients.csv has two batches of two records."""

    error_files: ErrorFiles
    store: SqliteOutcomeStore
    plan: RunPlan
    files: DirectoryFiles

    def part(self, run: int = 1) -> list[RunPart]:
        return [RunPart(changed(run), self.plan, frozenset(self.plan.positions))]

    async def tell(self, batch: int, *problems: Problem, stage: str = "loaded", entity: str = "", run: int = 1) -> None:
        await self.store.keep_problems("main", run, ProblemBatch(batch, entity, stage, packed(list(problems))))

    async def rows(self, parts: Sequence[RunPart] | None = None, **wanted: Any) -> list[dict[str, str]]:
        text = "".join([piece async for piece in self.error_files.write(parts or self.part(), **wanted)])
        return list(csv.DictReader(io.StringIO(text, newline="")))


def changed(run: int) -> RunChanged:
    return RunChanged(
        account="main", session="s1", run=run, kind="import", state="completed", sequence=1, plan="p", planned={}
    )


def problem(record: int, severity: Any = "error", code: str = "missing_required", **more: Any) -> Problem:
    given: dict[str, Any] = {"message": f"{code}.", "line": record + 2, "entity": "customers"} | more
    return Problem(severity=severity, code=code, record=record, **given)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = SqliteDatabase(tmp_path / "store.db", synchronous="NORMAL")
    store, files = SqliteOutcomeStore(database), DirectoryFiles(tmp_path / "files")
    await store.start()
    contents = {"clients.csv": CLIENTS, "jobs.csv": JOBS}
    addresses = {name: (await files.put_bytes(content)).sha256 for name, content in contents.items()}
    plan = make_plan(
        File("clients.csv", [2, 2], sha256=addresses["clients.csv"]),
        File("jobs.csv", [1], ["jobs"], sha256=addresses["jobs.csv"]),
    )
    planned = []
    for file in plan.files:
        landed = land(await files.local_path(file.sha256), name=file.name, batch_records=2)
        assert len(landed.spans) == len(file.spans)
        planned.append(msgspec.structs.replace(file, reading=landed.reading, spans=landed.spans))
    plan = msgspec.structs.replace(plan, files=tuple(planned))
    workers = cast(WorkerPool, InProcessWorkers())
    yield Desk(ErrorFiles(store=store, files=files, workers=workers), store, plan, files)
    await database.close()


async def test_without_problems_there_is_a_header_row_alone(desk: Desk) -> None:
    text = "".join([piece async for piece in desk.error_files.write(desk.part())])

    assert text == (
        "ID,Name,Note,Job,hub_file,hub_row,hub_severity,hub_entity,hub_code,hub_column,hub_value,hub_reason\n"
    )


async def test_a_row_holds_the_cells_of_its_source_and_the_reason(desk: Desk) -> None:
    await desk.tell(1, problem(2, line=5, column=1, value="Cleo", message="Too long."), stage="staged")

    assert await desk.rows() == [
        {
            "ID": "3",
            "Name": 'Cleo "C" Crane',
            "Note": "x",
            "Job": "",
            "hub_file": "clients.csv",
            "hub_row": "5",
            "hub_severity": "error",
            "hub_entity": "customers",
            "hub_code": "missing_required",
            "hub_column": "Name",
            "hub_value": "Cleo",
            "hub_reason": "Too long.",
        }
    ]


async def test_rows_come_in_source_order_whatever_the_order_of_outcomes(desk: Desk) -> None:
    await desk.tell(2, problem(0, entity="jobs"), entity="jobs")
    await desk.tell(1, problem(3), problem(2))
    await desk.tell(0, problem(1), stage="staged")
    await desk.tell(0, problem(0), entity="customers")

    rows = await desk.rows()

    assert [(row["ID"], row["Job"], row["Note"]) for row in rows] == [
        ("1", "", "first\nline"),
        ("2", "", ""),
        ("3", "", "x"),
        ("4", "", ""),
        ("", "J1", ""),
    ]


async def test_the_problems_of_a_record_are_one_row_led_by_the_gravest(desk: Desk) -> None:
    told = [
        problem(0, "warning", "unreadable_date", message="No date.", column=2, value="soon"),
        problem(0, message="No name."),
        problem(0, message="No name."),
    ]
    await desk.tell(0, *told)

    [row] = await desk.rows()

    assert (row["hub_severity"], row["hub_code"]) == ("error", "missing_required")
    assert (row["hub_column"], row["hub_value"]) == ("Note", "soon")
    assert row["hub_reason"] == "No name. No date."


async def test_records_of_another_type_or_slot_of_a_row_have_rows_of_their_own(desk: Desk) -> None:
    await desk.tell(0, problem(0), problem(0, entity="properties"), problem(0, entity="properties", slot=1))

    assert [row["hub_entity"] for row in await desk.rows()] == ["customers", "properties", "properties"]


async def test_warnings_are_told_once_their_batch_is_loaded(desk: Desk) -> None:
    await desk.tell(0, problem(0, "warning", "staged"), problem(1), stage="staged")
    await desk.tell(1, problem(2, "warning", "loaded"))

    assert [row["hub_code"] for row in await desk.rows()] == ["missing_required", "loaded"]


async def test_one_file_and_some_severities_can_be_chosen(desk: Desk) -> None:
    await desk.tell(0, problem(0), problem(1, "skipped", "duplicate"))
    await desk.tell(2, problem(0, entity="jobs"))

    of_jobs = await desk.rows(file="jobs.csv")
    skipped = await desk.rows(severities=frozenset({"skipped"}))

    assert [(row["Job"], row["Name"], "ID" in row) for row in of_jobs] == [("J1", "Repair", False)]
    assert [row["hub_code"] for row in skipped] == ["duplicate"]


async def test_reasons_stay_when_the_landed_file_is_gone(desk: Desk) -> None:
    await desk.tell(0, problem(0))
    await desk.files.delete(desk.plan.files[0].sha256)

    assert [(row["ID"], row["hub_row"], row["hub_code"]) for row in await desk.rows()] == [
        ("", "2", "missing_required")
    ]


async def test_a_repeated_batch_takes_the_place_of_the_one_that_failed(desk: Desk) -> None:
    await desk.tell(0, problem(0, code="first"))
    await desk.tell(1, problem(2, code="batch_given_up"))
    await desk.tell(1, problem(3, code="repeated"), run=2)
    parts = parts_of(
        [(changed(1), desk.plan), (changed(2), msgspec.structs.replace(desk.plan, run=2, only_batches=(1,)))]
    )

    assert [row["hub_code"] for row in await desk.rows(parts)] == ["first", "repeated"]


async def test_problems_go_on_behind_a_batch(desk: Desk) -> None:
    for batch in (0, 1, 2):
        await desk.tell(batch, problem(2 * batch if batch < 2 else 0))

    later = desk.error_files.problems(desk.part(), after=0, severities=frozenset({"error"}))

    assert [(batch, file.name) async for batch, file, _ in later] == [(1, "clients.csv"), (2, "jobs.csv")]


async def test_more_batches_than_are_read_ahead_come_in_order(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.status.error_file._BATCHES_AHEAD", 2)
    for batch, record in ((0, 0), (1, 2), (2, 0)):
        await desk.tell(batch, problem(record))

    assert [row["hub_file"] for row in await desk.rows()] == ["clients.csv", "clients.csv", "jobs.csv"]


def test_groups_are_in_source_order() -> None:
    groups = grouped([problem(9), problem(2, entity="jobs"), problem(2), problem(9, "warning")])

    assert [(group[0].record, group[0].entity, len(group)) for group in groups] == [
        (2, "customers", 1),
        (2, "jobs", 1),
        (9, "customers", 2),
    ]
