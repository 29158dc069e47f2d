"""`hub dead-letters`: asks the hub for messages that were set aside, and has them sent again."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

from services.cli.connection import Target, connected
from shared.errors import BadInputError

Wanted = dict[str, Any]

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def wanted_of(
    session: str | None, topic: str | None, group: str | None, reason: str | None, since: str | None, limit: int
) -> Wanted:
    """The filter as the API takes it. BadInputError where `since` is no time."""
    wanted: Wanted = {
        "session": session,
        "topic": topic,
        "group": group,
        "reason": reason,
        "since": moment(since, time.time()) if since else None,
        "limit": limit,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def moment(text: str, now: float) -> float:
    """Seconds since the epoch of an ISO 8601 time (local where it names no zone), or of so long before `now`."""
    if ago := re.fullmatch(r"(\d+)([smhd])", text):
        return now - int(ago[1]) * _UNIT_SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise BadInputError(
            f"{text!r} is no time.", next_step="Write 2026-01-31T12:00, or 30m, 12h, 7d for so long ago."
        ) from None


async def list_letters(target: Target, wanted: Wanted) -> list[dict[str, Any]]:
    """The messages that match, oldest first within a topic."""
    async with connected(target) as client:
        letters: list[dict[str, Any]] = await client.get("/dead-letters", **wanted)
        return letters


async def replay_letters(target: Target, wanted: Wanted, *, dry_run: bool) -> dict[str, Any]:
    """What was sent again: matched, replayed."""
    async with connected(target) as client:
        replay: dict[str, Any] = await client.post("/dead-letters/replays", wanted | {"dry_run": dry_run})
        return replay
