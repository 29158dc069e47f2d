"""What an import ends with: the report as JSON, written beside its error files, and the exit code."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from pathlib import Path
from typing import Any

from services.cli.client import Client
from services.cli.import_drive import Ending, View

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
    errors = await _write_error_files(client, path, folder)
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


async def _write_error_files(client: Client, run: str, folder: Path) -> Path | None:
    """errors.csv over all files, and per source file one with its errors in its own columns, to be corrected."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("errors*.csv"):
        old.unlink()
    whole = folder / "errors.csv"
    await save(client, f"{run}/error-file", whole)
    found, errored = await asyncio.to_thread(_rows_and_errored_files, whole)
    if not found:
        whole.unlink()
        return None
    for name in errored:
        query: dict[str, Any] = {"file": name, "severity": "error"}
        await save(client, f"{run}/error-file", folder / _error_file_name(name), **query)
    return whole


def _error_file_name(source: str) -> str:
    return f"errors-{source}" if source.lower().endswith(".csv") else f"errors-{source}.csv"


def _rows_and_errored_files(path: Path) -> tuple[int, list[str]]:
    errored: dict[str, None] = {}
    found = 0
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        # The hub's own columns come last: a source may have columns of the same name.
        name_at, severity_at = (
            header.index("hub_file", -8) - len(header),
            header.index("hub_severity", -8) - len(header),
        )
        for row in rows:
            found += 1
            if row[severity_at] == "error":
                errored[row[name_at]] = None
    return found, list(errored)


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
