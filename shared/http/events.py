"""Server-sent events: whole states with ids, a heartbeat while nothing changes, and going on after a break."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from starlette.responses import StreamingResponse

HEARTBEAT_SECONDS = 15.0
# At most two states a second: more than people can read, little enough for a phone.
INTERVAL_SECONDS = 0.5
_HEARTBEAT = b": heartbeat\n\n"


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its kind, its data (JSON text) and the id that a client gives back as Last-Event-ID."""

    event: str
    data: bytes
    id: str

    def encode(self) -> bytes:
        """The event as it goes over the wire."""
        lines = [f"id: {self.id}".encode(), f"event: {self.event}".encode()]
        lines.extend(b"data: " + line for line in self.data.splitlines() or [b""])
        return b"\n".join(lines) + b"\n\n"


class StateFeed:
    """The latest state of each kind, for any number of listeners. Used from one event loop.

    A state replaces the one before: a slow listener misses states in between, never the last. Ids hold for the life of
    this feed; a listener with an id of another one (the hub was restarted) gets every state again.
    """

    def __init__(self) -> None:
        self._feed = secrets.token_hex(4)
        self._sequence = 0
        self._latest: dict[str, tuple[int, bytes]] = {}
        self._changed = asyncio.Event()
        self._closed = False

    def publish(self, event: str, data: bytes) -> None:
        """Make this the state of that kind; the same data again tells nobody."""
        known = self._latest.get(event)
        if known is not None and known[1] == data:
            return
        self._sequence += 1
        self._latest[event] = (self._sequence, data)
        self._wake()

    def close(self) -> None:
        """Let every listener end after what it has not seen yet."""
        self._closed = True
        self._wake()

    async def follow(
        self, last_event_id: str | None = None, *, interval_seconds: float = INTERVAL_SECONDS
    ) -> AsyncIterator[ServerEvent]:
        """States newer than that id (all without one), oldest first, then each change, with a pause between rounds."""
        seen = self._sequence_of(last_event_id)
        while True:
            changed = self._changed
            newer = sorted((at, kind, data) for kind, (at, data) in self._latest.items() if at > seen)
            for at, kind, data in newer:
                seen = at
                yield ServerEvent(kind, data, f"{self._feed}-{at}")
            if self._closed and self._sequence == seen:
                return
            if newer:
                await asyncio.sleep(interval_seconds)
            else:
                await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _sequence_of(self, last_event_id: str | None) -> int:
        feed, _, sequence = (last_event_id or "").partition("-")
        return int(sequence) if feed == self._feed and sequence.isascii() and sequence.isdigit() else 0


def last_event_id(request: Request) -> str | None:
    """Where a returning client left off."""
    return request.headers.get("last-event-id")


def event_response(
    events: AsyncIterator[ServerEvent], *, heartbeat_seconds: float = HEARTBEAT_SECONDS
) -> StreamingResponse:
    """An event stream of these events, with a comment line whenever that long nothing was sent."""
    return StreamingResponse(
        _with_heartbeat(events, heartbeat_seconds),
        media_type="text/event-stream",
        # Proxies must neither keep nor collect what is meant for now.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _with_heartbeat(events: AsyncIterator[ServerEvent], heartbeat_seconds: float) -> AsyncIterator[bytes]:
    iterator = aiter(events)
    following: asyncio.Task[ServerEvent] | None = None
    try:
        while True:
            # A timeout around the iterator itself would end it; the task goes on waiting through heartbeats.
            following = following or asyncio.ensure_future(_next(iterator))
            done, _ = await asyncio.wait({following}, timeout=heartbeat_seconds)
            if not done:
                yield _HEARTBEAT
                continue
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            following = None
            yield event.encode()
    finally:
        if following is not None:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await following


async def _next(iterator: AsyncIterator[ServerEvent]) -> ServerEvent:
    return await anext(iterator)
