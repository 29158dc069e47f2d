"""Which session `hub resume` means."""

from __future__ import annotations

from typing import Any

import httpx2

from services.cli.session_choice import unfinished_session
from tests.unit.cli.test_client import client_of


def session(id_: str, **changes: Any) -> dict[str, Any]:
    view: dict[str, Any] = {"id": id_, "runs": [], "files": [], "paths": ["/a.csv"], "version": 1, "sampled_version": 0}
    view |= {"mapping_approved": False, "options": {"auto_approve": True, "uploads": []}}
    return view | changes


async def chosen(sessions: list[dict[str, Any]], *, runs: tuple[dict[str, Any], ...] = ()) -> str | None:
    """The choice among these sessions, newest first, while these runs are not closed."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path == "/runs":
            return httpx2.Response(200, json=list(runs))
        if path == "/sessions":
            return httpx2.Response(200, json={"items": sessions, "next_cursor": None})
        found = next((s for s in sessions if path == f"/sessions/{s['id']}"), None)
        return httpx2.Response(200, json=found) if found else httpx2.Response(404, json={"code": "not_found"})

    found = await unfinished_session(client_of(answer))
    return found["id"] if found else None


async def test_the_session_whose_run_is_not_closed_comes_first() -> None:
    sessions = [session("new"), session("running", runs=[4])]

    assert await chosen(sessions, runs=({"run": 4, "session": "running"},)) == "running"


async def test_a_run_that_was_made_and_never_belonged_to_its_session_does_not_count() -> None:
    sessions = [session("new"), session("old", runs=[3])]

    assert await chosen(sessions, runs=({"run": 4, "session": "old"},)) == "new"


async def test_the_newest_session_without_a_run_goes_on() -> None:
    assert await chosen([session("finished", runs=[9]), session("killed"), session("older")]) == "killed"


async def test_a_session_with_an_unreadable_file_is_finished() -> None:
    assert await chosen([session("refused", files=[{"state": "rejected"}])]) is None


async def test_an_older_session_that_waits_for_its_owner_is_left_alone() -> None:
    waiting = session("waiting", options={"auto_approve": False, "uploads": []})

    assert await chosen([session("finished", runs=[9]), waiting]) is None
    assert await chosen([waiting]) == "waiting"
