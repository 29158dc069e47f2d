"""Which session a command means: the one that runs, the latest unfinished one, or the latest."""

from __future__ import annotations

from typing import Any

from services.cli.client import Client
from shared.errors import NotFoundError

View = dict[str, Any]


async def latest_session(client: Client) -> View | None:
    """The newest session of the account."""
    page = await client.get("/sessions", limit=1)
    return page["items"][0] if page["items"] else None


async def chosen_session(client: Client, session: str | None) -> View:
    """The session of this id, or the latest one. NotFoundError where there is none."""
    if session is not None:
        found: View = await client.get(f"/sessions/{session}")
        return found
    latest = await latest_session(client)
    if latest is None:
        raise NotFoundError("There is no session yet.", next_step="Start with: hub import FILE...")
    return latest


async def running_session(client: Client) -> View | None:
    """The session whose import holds the account, also while no process works on it."""
    for run in await client.get("/runs", state="active"):
        session: View | None = await client.find(f"/sessions/{run['session']}")
        if session is not None and session["runs"] and session["runs"][-1] == run["run"]:
            return session
    return None


async def unfinished_session(client: Client) -> View | None:
    """The session whose import was begun and not finished: the running one, else the newest that can go on.

    One that only waits for its owner to approve the mapping is not meant unless it is the newest of all.
    """
    if (running := await running_session(client)) is not None:
        return running
    is_newest = True
    async for session in client.items("/sessions", limit=200):
        wanted = is_newest or session["options"]["auto_approve"] or session["mapping_approved"]
        if not session["runs"] and wanted and await _can_go_on(client, session):
            return session
        is_newest = False
    return None


async def _can_go_on(client: Client, session: View) -> bool:
    """Whether a session without a run can still come to one; a refused one cannot."""
    if any(file["state"] == "rejected" for file in session["files"]):
        return False
    if session["sampled_version"] < session["version"]:
        return bool(session["files"] or session["paths"] or session["options"]["uploads"])
    mapping = await client.find(f"/sessions/{session['id']}/mapping")
    if mapping is None or mapping["session_version"] < session["version"]:
        return True
    return not mapping["missing_required"] and any(file["records"] for file in mapping["mapping"]["files"])


async def state_of(client: Client, session: View) -> str:
    """Where a session stands, in one word."""
    if session["runs"]:
        run = await client.get(f"/sessions/{session['id']}/runs/{session['runs'][-1]}")
        return str(run["state"])
    if any(file["state"] == "rejected" for file in session["files"]):
        return "refused"
    if session["mapping_approved"]:
        return "approved"
    if session["sampled_version"] >= session["version"]:
        return "proposed"
    return "reading" if session["files"] else "created"
