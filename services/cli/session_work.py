"""What the commands about sessions do."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.cli.client import Client
from services.cli.connection import Target, connected
from services.cli.import_drive import Ending
from services.cli.import_report import empty_report, report_of, save
from services.cli.options import close_output
from services.cli.progress_view import ProgressView
from services.cli.session_choice import chosen_session, running_session, state_of
from shared.errors import BadInputError, ConflictError, NotFoundError

View = dict[str, Any]


async def status_of(target: Target, session: str | None, *, follow: bool) -> View:
    """Where a session stands: its state, and the progress of its last run (None without one)."""
    async with connected(target) as client:
        found = await _running_or_chosen(client, session)
        if follow and found["runs"]:
            await _follow(client, found)
        state = await state_of(client, found)
        progress = await client.find(f"{_last_run(found)}/progress") if found["runs"] else None
        return {"session": found["id"], "name": found["name"], "state": state, "run": progress}


async def list_sessions(target: Target) -> list[View]:
    """All sessions with their states, newest first."""
    async with connected(target) as client:
        return [session | {"state": await state_of(client, session)} for session in await client.all("/sessions")]


async def report_again(target: Target, session: str | None) -> View:
    """The report of a session's last run, its files written again; where it has none, its state."""
    started = time.monotonic()
    async with connected(target) as client:
        found = await chosen_session(client, session)
        if not found["runs"]:
            next_step = "Finish it with: hub resume"
            return empty_report(await _report_state(client, found), session=found["id"], next_step=next_step)
        mapping = await client.find(f"/sessions/{found['id']}/mapping")
        ending = Ending("", found, mapping, found["runs"][-1])
        return await report_of(client, ending, seconds=round(time.monotonic() - started, 3))


async def list_errors(target: Target, session: str | None, severity: Sequence[str], file: str | None) -> list[View]:
    """What there is to say about single records of a session's last run."""
    async with connected(target) as client:
        found = await _imported(client, session)
        query = {"severity": list(severity)} if severity else {}
        problems = client.items(f"{_last_run(found)}/problems", limit=200, **query)
        return [problem async for problem in problems if file is None or problem["file"] == file]


async def save_errors(
    target: Target, session: str | None, output: Path, severity: Sequence[str], file: str | None
) -> None:
    """The error file of a session's last run."""
    async with connected(target) as client:
        found = await _imported(client, session)
        query: View = {"severity": list(severity)} if severity else {}
        await save(client, f"{_last_run(found)}/error-file", output, **query, **({"file": file} if file else {}))


async def pause_run(target: Target, session: str | None) -> View:
    """Pauses the running import."""
    async with connected(target) as client:
        found = await _running(client, session)
        await client.post(f"{_last_run(found)}/pause")
        return {"session": found["id"], "state": "paused"}


async def cancel_run(target: Target, session: str | None) -> View:
    """Cancels the running import and waits until the account is free."""
    async with connected(target) as client:
        found = await _running(client, session)
        await client.post(f"{_last_run(found)}/cancel")
        progress = await _follow(client, found)
        return {"session": found["id"], "state": progress["state"], "run": progress}


async def export_records(target: Target, entity: str, format: str, output: Path | None) -> None:
    """All records of an entity type to a file or to standard output."""
    if format not in ("jsonl", "csv"):
        raise BadInputError(f"There is no format {format!r}.", next_step="Choose jsonl or csv.")
    async with connected(target) as client:
        if output is not None:
            await save(client, f"/exports/{entity}", output, format=format)
            return
        try:
            async for block in client.download(f"/exports/{entity}", format=format):
                sys.stdout.buffer.write(block)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            close_output()


# ---- inside ---------------------------------------------------------------------------------------------------


def _last_run(session: View) -> str:
    return f"/sessions/{session['id']}/runs/{session['runs'][-1]}"


async def _follow(client: Client, session: View) -> View:
    with ProgressView() as view:

        async def look() -> View | None:
            progress: View | None = await client.find(f"{_last_run(session)}/progress")
            if progress is not None:
                view.running(progress)
            return progress if progress and progress["done"] else None

        return await client.until(look)


async def _running_or_chosen(client: Client, session: str | None) -> View:
    running = await running_session(client) if session is None else None
    return running or await chosen_session(client, session)


async def _running(client: Client, session: str | None) -> View:
    running = await running_session(client)
    if running is None or session not in (None, running["id"]):
        which = f"of session {session} " if session else ""
        raise ConflictError(f"No import {which}is running.", next_step="See `hub sessions` for what there is.")
    return running


async def _imported(client: Client, session: str | None) -> View:
    found = await chosen_session(client, session)
    if not found["runs"]:
        raise NotFoundError(f"Session {found['id']} was not imported yet.", next_step="Finish it with: hub resume")
    return found


async def _report_state(client: Client, session: View) -> str:
    state = await state_of(client, session)
    return state if state in ("refused", "proposed") else "unfinished"
