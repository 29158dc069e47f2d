"""`hub import` and `hub resume`: make or find a session, drive it to its end, show what came of it."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.cli.client import Client, HubGoneError
from services.cli.connection import Target, connected
from services.cli.import_drive import Drive, Ending, View
from services.cli.import_report import empty_report, report_of
from services.cli.progress_view import ProgressView
from services.cli.session_choice import latest_session, running_session, unfinished_session
from services.cli.tables import console, understanding
from shared.errors import BadInputError, ConflictError, HubError

RECONNECTS_MAX = 5
"""How often another hub is looked for when the one that served this command ends or is restarted."""

RECONNECT_SECONDS = 0.3


@dataclass(frozen=True)
class ImportOptions:
    """What the user asked for, as the session keeps it."""

    entities: dict[str, str] = field(default_factory=dict)
    mapping: dict[str, Any] | None = None
    dry_run: bool = False
    batch_records: int = 500
    strict: bool = False
    source_label: str | None = None
    region: str = "US"
    yes: bool = False


async def import_files(target: Target, files: Sequence[Path], options: ImportOptions, *, started: float) -> View:
    """Imports the files in a session of their own; the report."""
    key = uuid.uuid4().hex
    made: dict[str, str] = {}

    async def drive(client: Client, view: ProgressView) -> Ending:
        if "session" not in made:
            made["session"] = await _new_session(client, files, options, key)
        return await _driven(client, made["session"], view, yes=options.yes)

    return await _reported(target, drive, made, files=files, started=started)


async def resume(target: Target, session: str | None, *, yes: bool, failed: bool, started: float) -> View:
    """Finishes the latest unfinished session, or gives the latest report again; `none` where there is no session.

    With `failed` a new run repeats the batches that failed in the session's last one.
    """
    chosen: dict[str, str] = {}

    async def drive(client: Client, view: ProgressView) -> Ending | None:
        if "session" not in chosen:
            found = await _to_resume(client, session, failed=failed)
            if found is None:
                return None
            if failed:
                await _repeat_failed(client, found)
            chosen["session"] = found["id"]
        return await _driven(client, chosen["session"], view, yes=yes)

    return await _reported(target, drive, chosen, files=[], started=started)


# ---- inside ---------------------------------------------------------------------------------------------------

_Drive = Callable[[Client, ProgressView], Awaitable[Ending | None]]


async def _reported(
    target: Target, drive: _Drive, session: dict[str, str], *, files: Sequence[Path], started: float
) -> View:
    """Drives and reports, through another hub where the one that serves ends meanwhile."""
    with ProgressView() as view:
        for tries_left in range(RECONNECTS_MAX, -1, -1):
            try:
                async with connected(target) as client:
                    ending = await drive(client, view)
                    if ending is None:
                        return empty_report("none", next_step="Start with: hub import FILE...")
                    view.stop()
                    return await report_of(client, ending, seconds=_seconds(started))
            except HubGoneError as error:
                if not tries_left:
                    return _unfinished(error, session, started)
                await asyncio.sleep(RECONNECT_SECONDS)
            except HubError as error:
                if "session" in session:
                    return _unfinished(error, session, started)
                named = [{"file": file.name, "entities": [], "records": 0, "left_out": 0} for file in files]
                report = empty_report("refused", error=error.message, next_step=error.next_step, files=named)
                return report | {"seconds": _seconds(started)}
    raise AssertionError("the last try either answers or raises")


def _unfinished(error: HubError, session: dict[str, str], started: float) -> View:
    report = empty_report("unfinished", session=session.get("session"), error=error.message, next_step=error.next_step)
    return report | {"seconds": _seconds(started)}


async def _new_session(client: Client, files: Sequence[Path], options: ImportOptions, key: str) -> str:
    """The first durable act of an import: its session with the paths."""
    if running := await running_session(client):
        raise ConflictError(
            f"An import is running in this account (session {running['id']}). Nothing was imported.",
            next_step="Finish it with `hub resume`, or end it with `hub cancel`, then import again.",
        )
    paths = [str(file) for file in files]
    kept: dict[str, Any] = {
        "strict": options.strict,
        "dry_run": options.dry_run,
        "batch_records": options.batch_records,
        "entities": options.entities,
        "mapping": options.mapping,
        "source_label": options.source_label,
        "region": options.region,
        "auto_approve": options.yes,
    }
    body = {"name": ", ".join(file.name for file in files)[:200], "options": kept}
    if client.takes_paths:
        body["paths"] = paths
    else:
        kept["uploads"] = paths
    return str((await client.post("/sessions", body, key=key))["id"])


async def _driven(client: Client, session: str, view: ProgressView, *, yes: bool) -> Ending:
    async def approve(current: View, mapping: View) -> bool:
        view.stop()
        console(sys.stderr).print(understanding(current, mapping))
        if yes or current["options"]["auto_approve"]:
            agreed = True
        elif sys.stdin.isatty() and sys.stderr.isatty():
            agreed = await asyncio.to_thread(_asked, "Import these files like this?")
        else:
            agreed = False
        view.resume()
        return agreed

    return await Drive(client, session, watch=view, approve=approve).to_the_end()


def _asked(question: str) -> bool:
    import typer

    return typer.confirm(question, err=True)


async def _to_resume(client: Client, session: str | None, *, failed: bool) -> View | None:
    if session is not None:
        found: View = await client.get(f"/sessions/{session}")
        return found
    if failed:
        return await latest_session(client)
    return await unfinished_session(client) or await latest_session(client)


async def _repeat_failed(client: Client, session: View) -> None:
    """A new run over the failed batches; over everything where the run failed as a whole, before it wrote anything."""
    if not session["runs"]:
        raise BadInputError("This session was not imported yet.", next_step="Finish it with: hub resume")
    last = session["runs"][-1]
    path = f"/sessions/{session['id']}/runs"
    run = await client.get(f"{path}/{last}")
    again = {"kind": run["kind"]} if run["state"] == "failed" else {"kind": run["kind"], "failed_of": last}
    await client.post(path, again)


def _seconds(started: float) -> float:
    return round(time.monotonic() - started, 3)
