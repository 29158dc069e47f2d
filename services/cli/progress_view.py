"""Shows an import while it goes on, on standard error: bars on a terminal, a line per phase elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

View = dict[str, Any]

PHASES = ("validating", "importing", "finalizing")


class ProgressView:
    """Implements `Watcher`. Used as a context: on a terminal the bars stay until it ends."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr)
        self._is_live = self.console.is_terminal
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._counts: Table | None = None
        self._said = ""
        self._live = Live(get_renderable=self._renderable, console=self.console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bars away, so that something can be asked or printed."""
        self._live.stop()

    def resume(self) -> None:
        """Shows the bars again."""
        if self._is_live:
            self._live.start()

    def reading(self, files: list[View]) -> None:
        """Files while they are read."""
        done = sum(file["state"] != "landing" for file in files)
        records = sum(file["records"] for file in files)
        self._show("Reading", done / len(files) if files else 0.0, f"{done} of {len(files)} files, {records:,} records")

    def analysing(self) -> None:
        """The files are being understood."""
        self._show("Analysing", None, "what each file holds")

    def running(self, progress: View) -> None:
        """The three phases and the counts."""
        self._finish("Analysing")
        for phase in PHASES:
            note = "paused" if progress["paused"] and progress["phase"] == phase else ""
            if progress[phase] or phase == progress["phase"]:
                self._show(phase.capitalize(), progress[phase], note)
        if self._is_live:
            self._counts = counts_table(progress)

    # ---- inside -----------------------------------------------------------------------------------------------

    def _show(self, name: str, share: float | None, note: str) -> None:
        if not self._is_live:
            if share != 1.0 and name != self._said:
                self._said = name
                self.console.print(f"{name} ... {note}".strip(), highlight=False)
            return
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=1.0 if share is not None else None, note=note)
        self._bars.update(self._tasks[name], completed=share or 0.0, note=note)

    def _finish(self, name: str) -> None:
        if name in self._tasks:
            self._bars.update(self._tasks[name], total=1.0, completed=1.0, note="")

    def _renderable(self) -> Group:
        return Group(self._bars, *([self._counts] if self._counts else []))


def counts_table(progress: View) -> Table:
    """Counts per entity type while a run goes on."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("Total", "Imported", "Skipped", "Errors"):
        table.add_column(name, justify="right")
    for entity, counts in progress["entities"].items():
        figures = (counts[key] for key in ("extracted", "imported", "skipped", "errored"))
        table.add_row(entity.capitalize(), *(f"{figure:,}" for figure in figures))
    return table
