"""The error file: every row that errored, was skipped or carries a warning, in the source's own cells plus the reason.

One file over all source files (their columns joined by name), or one per source file that can be corrected and uploaded
again. Written batch by batch: memory does not grow with the number of problems.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
import zstandard

from services.status.columns import REASON_COLUMNS, column_names
from services.status.error_work import CellsRequest
from services.status.repeats import RunPart
from shared.errors import PermanentError
from shared.messages.batches import Problem
from shared.messages.plan import PlannedFile, RunPlan
from shared.runtime import WorkerPool
from shared.storage.files import Files
from shared.storage.outcomes import OutcomeStore, by_batch

_BATCHES_AHEAD = 8

_RANK = {"error": 0, "skipped": 1, "warning": 2}


@dataclass
class ErrorFiles:
    """Makes error files of runs from their problems and the landed files."""

    store: OutcomeStore
    files: Files
    workers: WorkerPool

    async def problems(
        self, parts: Sequence[RunPart], *, after: int = -1, file: str | None = None, severities: frozenset[str]
    ) -> AsyncIterator[tuple[int, PlannedFile, list[Problem]]]:
        """(batch, its file, problems) for every batch above `after` that has any, ascending."""
        plan = parts[0].plan
        where = [
            (batch, part.state.run)
            for part in parts
            for batch in by_batch(await self.store.problems(part.state.run))
            if batch in part.batches
        ]
        for batch, run in sorted(where):
            source = plan.file_of_batch(batch)
            if batch <= after or (file is not None and source.name != file):
                continue
            found = [
                problem
                for stored in await self.store.problem_batch(run, batch)
                for problem in decoded(stored.problems)
                if problem.severity in severities and wanted(problem, stored.stage)
            ]
            if found:
                yield batch, source, found

    async def _cells(
        self, plan: RunPlan, batch: int, source: PlannedFile, numbers: Sequence[int]
    ) -> dict[int, list[str]]:
        """Cells by record number; none where the landed file is gone or damaged: the reasons say so by themselves."""
        try:
            request = CellsRequest(
                path=str(await self.files.local_path(source.sha256)),
                reading=source.reading,
                span=plan.span_of_batch(batch),
                numbers=list(numbers),
            )
            encoded = await self.workers.call("services.status.error_work:cells_of", msgspec.msgpack.encode(request))
        except (PermanentError, OSError):
            return {}
        return msgspec.msgpack.decode(encoded, type=dict[int, list[str]])

    async def write(
        self, parts: Sequence[RunPart], *, file: str | None = None, severities: frozenset[str] = frozenset(_RANK)
    ) -> AsyncIterator[str]:
        """The CSV text in pieces: a header row, then one row per record with a problem."""
        plan = parts[0].plan
        sources = [source for source in plan.files if file is None or source.name == file]
        columns = list(dict.fromkeys(name for source in sources for name in column_names(source)))
        yield _csv([[*columns, *REASON_COLUMNS]])
        async with aclosing(self._with_cells(parts, file, severities)) as batches:
            async for source, groups, cells in batches:
                places = [columns.index(name) for name in column_names(source)]
                yield _csv(_row(source, columns, places, cells, group) for group in groups)

    async def _with_cells(
        self, parts: Sequence[RunPart], file: str | None, severities: frozenset[str]
    ) -> AsyncGenerator[tuple[PlannedFile, list[list[Problem]], dict[int, list[str]]]]:
        """The problems batch by batch with their source cells; some batches are read ahead by the workers."""
        ahead: deque[tuple[PlannedFile, list[list[Problem]], asyncio.Task[dict[int, list[str]]]]] = deque()
        try:
            async for batch, source, found in self.problems(parts, file=file, severities=severities):
                groups = grouped(found)
                numbers = sorted({group[0].record for group in groups})
                ahead.append((source, groups, asyncio.create_task(self._cells(parts[0].plan, batch, source, numbers))))
                if len(ahead) >= _BATCHES_AHEAD:
                    first, its_groups, cells = ahead.popleft()
                    yield first, its_groups, await cells
            while ahead:
                first, its_groups, cells = ahead.popleft()
                yield first, its_groups, await cells
        finally:
            for *_, left in ahead:  # whoever downloads has gone
                left.cancel()


def _row(
    source: PlannedFile,
    columns: Sequence[str],
    places: Sequence[int],
    cells: dict[int, list[str]],
    group: Sequence[Problem],
) -> list[str]:
    row = [""] * len(columns)
    for place, cell in zip(places, cells.get(group[0].record, []), strict=False):
        row[place] = cell
    first = group[0]
    named = next((p for p in group if p.column is not None), first)
    header = source.reading.headers[named.column] if named.column is not None else ""
    return [
        *row,
        source.name,
        str(first.line),
        first.severity,
        first.entity,
        first.code,
        header,
        named.value or "",
        " ".join(dict.fromkeys(problem.message for problem in group)),
    ]


def grouped(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Problems by record, the gravest first; records in source order."""
    groups: dict[tuple[int, str, int], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.record, problem.entity, problem.slot), []).append(problem)
    for group in groups.values():
        group.sort(key=lambda problem: _RANK[problem.severity])
    return [groups[key] for key in sorted(groups)]


def wanted(problem: Problem, stage: str) -> bool:
    """Warnings are told when their batch is loaded: only then it is known that the record was imported."""
    return stage != "staged" or problem.severity != "warning"


def decoded(problems: bytes) -> list[Problem]:
    """The problems of a stored batch."""
    return msgspec.msgpack.decode(zstandard.decompress(problems), type=list[Problem]) if problems else []


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
