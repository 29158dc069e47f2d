"""What an import ends with: the report as JSON, written beside its error files, and the exit code."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from services.cli.client import Client
from services.cli.import_drive import Ending, View
from services.status.columns import REASON_COLUMNS

COMPLETED, REFUSED, WITH_ERRORS = 0, 1, 2
"""Exit codes of `hub import` and `hub resume`."""


def exit_code(report: View) -> int:
    """0 completed, 2 completed with errors, 1 failed or refused; a dry run by what it found."""
    if report["state"] == "validated":
        errored = any(entity["errored"] for entity in report["entities"].values())
        return WITH_ERRORS if errored else COMPLETED
    return {"completed": COMPLETED, "completed_with_errors": WITH_ERRORS}.get(report["state"], REFUSED)


def empty_report(
    state: str,
    *,
    session: str | None = None,
    error: str | None = None,
    next_step: str | None = None,
    files: list[View] | None = None,
) -> View:
    """A report of something that did not come to a run."""
    report: View = {"session": session, "state": state}
    report |= {name: text for name, text in (("error", error), ("next", next_step)) if text}
    report |= {"files": files or [], "entities": {}, "money": {}}
    return report | {"errors_file": None, "report_file": None, "seconds": 0.0}


async def report_of(client: Client, ending: Ending, *, seconds: float) -> View:
    """The report of a session, with its files written under the client's reports folder."""
    session = ending.session
    if ending.run is None:
        report = empty_report(
            ending.state,
            session=session["id"],
            error=ending.error,
            next_step=ending.next_step,
            files=_files(ending, {}),
        )
        if ending.missing:
            report["missing"] = ending.missing
        return report | {"seconds": seconds}
    path = f"/sessions/{session['id']}/runs/{ending.run}"
    counted = await client.get(f"{path}/report")
    folder = (client.reports / session["id"]).absolute()
    report = {"session": session["id"], "state": counted["state"], "kind": counted["kind"]}
    if counted["error"]:
        report |= {"error": counted["error"]}
    planned = {file["sha256"]: file["entities"] for file in counted["files"]}
    report |= {"files": _files(ending, planned), "entities": counted["entities"], "money": counted["money"]}
    errors = await _write_error_files(client, path, folder, counted["error_columns"])
    report |= {"errors_file": str(errors) if errors else None, "report_file": str(folder / "report.json")}
    report["seconds"] = seconds
    _write(folder / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return report


def _files(ending: Ending, planned: dict[str, list[str]]) -> list[View]:
    """One entry per file of the session in the order they were given."""
    mapping = ending.mapping["mapping"]["files"] if ending.mapping else []
    by_hash = {file["sha256"]: file for file in mapping}
    return [_file(file, planned, by_hash.get(file["sha256"])) for file in ending.session["files"]]


def _file(file: View, planned: dict[str, list[str]], mapping: View | None) -> View:
    entry: View = {"file": file["name"], "entities": [], "records": 0, "left_out": 0}
    if file["state"] == "rejected":
        text = " ".join(part for part in (file["error"], file["next_step"]) if part)
        return entry | {"reason": "The file cannot be read.", "error": text}
    if file["state"] == "duplicate":
        return entry | {"left_out": file["records"], "reason": f"It is an identical copy of {file['duplicate_of']}."}
    proposed = [record["entity"] for record in mapping["records"]] if mapping else []
    entities = planned.get(file["sha256"]) or list(dict.fromkeys(proposed))
    if entities or mapping is None:
        return entry | {"entities": entities, "records": file["records"], "left_out": file["left_out"]}
    return entry | {"left_out": file["records"], "reason": " ".join(mapping["reasons"]) or "It is left out."}


async def _write_error_files(client: Client, run: str, folder: Path, columns: dict[str, list[str]]) -> Path | None:
    """errors.csv over all files, and per source file one with its errors in its own columns, to be corrected."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("errors*.csv"):
        old.unlink()
    whole = folder / "errors.csv"
    await save(client, f"{run}/error-file", whole)
    if await asyncio.to_thread(_split_by_file, whole, folder, columns):
        return whole
    whole.unlink()
    return None


def _split_by_file(whole: Path, folder: Path, columns: dict[str, list[str]]) -> bool:
    """Copies the errors of each source file into a file of its own; False where there is no row at all."""
    csv.field_size_limit(1 << 30)
    found = False
    with ExitStack() as files, whole.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        hub = range(len(header) - len(REASON_COLUMNS), len(header))
        name_at, severity_at = hub[REASON_COLUMNS.index("hub_file")], hub[REASON_COLUMNS.index("hub_severity")]
        # The hub's own columns come last: a source may have columns of the same name.
        places = {name: [*map(header.index, own), *hub] for name, own in columns.items()}
        writers: dict[str, Any] = {}
        for row in rows:
            found = True
            name = row[name_at]
            if row[severity_at] != "error":
                continue
            if name not in writers:
                target = files.enter_context((folder / _error_file_name(name)).open("w", encoding="utf-8", newline=""))
                writers[name] = csv.writer(target, lineterminator="\n")
                writers[name].writerow([header[place] for place in places[name]])
            writers[name].writerow([row[place] for place in places[name]])
    return found


def _error_file_name(source: str) -> str:
    return f"errors-{source}" if source.lower().endswith(".csv") else f"errors-{source}.csv"


async def save(client: Client, path: str, target: Path, **query: Any) -> None:
    """Downloads into a file, which appears whole or not at all."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            async for block in client.download(path, **query):
                file.write(block)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _write(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)
