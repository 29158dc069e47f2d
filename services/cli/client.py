"""The command line's side of the hub's HTTP API: JSON calls, uploads and downloads, patience with a busy hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from services.cli.options import say
from shared.errors import HubError, NotFoundError

API_PREFIX = "/api/v1"
LOCAL_FILE_MEDIA_TYPE = "application/vnd.hub.local-file+json"
ANSWER_SECONDS_MAX = 600.0
"""Sampling a 2 GiB file is the longest that one call takes."""
BUSY_TRIES = 8
RETRY_SECONDS_DEFAULT = 1.0
BLOCK_BYTES = 1024 * 1024
POLL_SECONDS_FIRST = 0.03
POLL_SECONDS_MAX = 0.25
"""Small imports are followed closely, long ones four times a second, far below the rate limit."""
HEALTH_SECONDS = 2.0
MISSING_SECONDS_MAX = 60.0
"""A service of which no process runs is waited for so long: one that was killed comes back by then, or nobody cares."""

T = TypeVar("T")


class HubGoneError(HubError):
    """The connection to the hub broke: what was asked may have happened or not."""

    code = "hub_gone"


class ProblemError(HubError):
    """The hub refused a call; texts are those of its problem details."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail") or f"The hub answered {status}."),
            next_step=str(problem.get("next") or ""),
            code=str(problem.get("code") or "refused"),
        )
        self.status = status


class HubStoppedError(HubError):
    """A service of the hub stopped on a fault; its place is kept."""

    code = "hub_stopped"


class Client:
    """Calls to one hub. `takes_paths`: it reads local files by itself; otherwise their bytes are sent."""

    def __init__(self, http: httpx2.AsyncClient, *, takes_paths: bool, reports: Path) -> None:
        self._http = http
        self.takes_paths = takes_paths
        self.reports = reports
        """Folder under which reports and error files of sessions are written."""
        self._missed_seconds = 0.0

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of a resource. NotFoundError, ProblemError or HubGoneError."""
        return (await self._call("GET", path, params=query)).json()

    async def find(self, path: str, **query: Any) -> Any | None:
        """As `get`; None where there is no such resource (yet)."""
        try:
            return await self.get(path, **query)
        except NotFoundError:
            return None

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON answer to a POST; `key` makes a repeated creation harmless."""
        headers = {"Idempotency-Key": key} if key else {}
        return (await self._call("POST", path, json=body, headers=headers)).json()

    async def put(self, path: str, body: Any) -> Any:
        """The JSON answer to a PUT."""
        return (await self._call("PUT", path, json=body)).json()

    async def delete(self, path: str) -> Any:
        """The JSON answer to a DELETE."""
        return (await self._call("DELETE", path)).json()

    async def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a paged list."""
        return [item async for item in self.items(path)]

    async def items(self, path: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """The items of a paged list, page by page."""
        cursor: str | None = None
        while True:
            page = await self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            for item in page["items"]:
                yield item
            if (cursor := page["next_cursor"]) is None:
                return

    async def add_file(self, session: str, path: Path, *, shown_bytes: Callable[[int], None] | None = None) -> Any:
        """Adds a local file to a session, by its path where the hub can read it, else by its bytes."""
        address = f"/sessions/{session}/files"
        if self.takes_paths:
            headers = {"Content-Type": LOCAL_FILE_MEDIA_TYPE}
            return (await self._call("POST", address, json={"path": str(path)}, headers=headers)).json()
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
        answer = await self._call(
            "POST", address, params={"name": path.name}, headers=headers, content=lambda: _blocks(path, shown_bytes)
        )
        return answer.json()

    async def download(self, path: str, **query: Any) -> AsyncIterator[bytes]:
        """The body of an answer in pieces as it arrives."""
        async with self._streamed(path, query) as answer:
            try:
                async for block in answer.aiter_bytes(BLOCK_BYTES):
                    yield block
            except httpx2.TransportError as error:
                raise _gone() from error

    async def until(
        self, look: Callable[[], Awaitable[T | None]], *, session: str | None = None, needs: Collection[str] = ()
    ) -> T:
        """Asks again until there is an answer. HubStoppedError where it cannot come any more.

        `needs`: services without which it cannot come; one that is not running is waited for, not for ever.
        """
        pause, waited = POLL_SECONDS_FIRST, 0.0
        while (found := await look()) is None:
            await asyncio.sleep(pause)
            waited += pause
            pause = min(POLL_SECONDS_MAX, pause * 1.5)
            if waited >= HEALTH_SECONDS:
                waited = 0.0
                if (last := await look()) is not None:
                    return last
                await self._check_health(session, needs)
        return found

    async def _check_health(self, session: str | None, needs: Collection[str]) -> None:
        try:
            health = await self.get("/health", **({"session": session} if session else {}))
        except (NotFoundError, ProblemError):
            return  # an older hub, or a token that may not ask
        for fault in health["faults"]:
            raise HubStoppedError(
                f"The service {fault['service']} stopped: {fault['message']} Nothing is lost.",
                next_step=f"{fault['next_step']} Then run: hub resume",
            )
        for letter in health["given_up"]:
            if letter["blocks_mapping"]:
                raise HubStoppedError(
                    f"The files could not be analysed: {letter['reason']} Nothing was imported.",
                    next_step="Correct what it names and import the files again.",
                )
        self._check_missing([service for service in health.get("missing", ()) if service["service"] in needs])

    def _check_missing(self, missing: list[dict[str, Any]]) -> None:
        if not missing:
            self._missed_seconds = 0.0
            return
        message, next_step = missing[0]["message"], missing[0]["next_step"]
        if self._missed_seconds == 0.0:
            say(f"Waiting: {message} {next_step}")
        self._missed_seconds += HEALTH_SECONDS
        if self._missed_seconds >= MISSING_SECONDS_MAX:
            raise HubStoppedError(
                f"{message} It was waited for {MISSING_SECONDS_MAX:g} seconds. Nothing is lost.",
                next_step=f"{next_step} Then run: hub resume",
            )

    async def _call(self, method: str, path: str, *, content: Callable[[], Any] | None = None, **given: Any) -> Any:
        for tries_left in range(BUSY_TRIES - 1, -1, -1):
            try:
                body = {} if content is None else {"content": content()}
                answer = await self._http.request(method, API_PREFIX + path, **given, **body)
            except httpx2.TransportError as error:
                raise _gone() from error
            if answer.is_success:
                return answer
            wait = _wait_seconds(answer) if tries_left else None
            if wait is None:
                raise _problem(answer)
            await asyncio.sleep(wait)
        raise AssertionError("the last try either answers or raises")

    @asynccontextmanager
    async def _streamed(self, path: str, query: dict[str, Any]) -> AsyncIterator[httpx2.Response]:
        for tries_left in range(BUSY_TRIES - 1, -1, -1):
            try:
                async with self._http.stream("GET", API_PREFIX + path, params=query) as answer:
                    if answer.is_success:
                        yield answer
                        return
                    await answer.aread()
            except httpx2.TransportError as error:
                raise _gone() from error
            wait = _wait_seconds(answer) if tries_left else None
            if wait is None:
                raise _problem(answer)
            await asyncio.sleep(wait)


async def _blocks(path: Path, shown_bytes: Callable[[int], None] | None) -> AsyncIterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
            yield block
            sent += len(block)
            if shown_bytes is not None:
                shown_bytes(sent)


def _wait_seconds(answer: httpx2.Response) -> float | None:
    """Seconds to wait before the same call may succeed; None where it never will."""
    if answer.status_code not in (429, 503):
        return None
    try:
        return float(answer.headers.get("retry-after", RETRY_SECONDS_DEFAULT))
    except ValueError:
        return RETRY_SECONDS_DEFAULT


def _problem(answer: httpx2.Response) -> HubError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    error = ProblemError(answer.status_code, problem if isinstance(problem, dict) else {})
    if answer.status_code == 404 and error.code == "not_found":
        return NotFoundError(error.message, next_step=error.next_step)
    return error


def _gone() -> HubGoneError:
    return HubGoneError(
        "The connection to the hub broke off. What was stored is safe.",
        next_step="Check that the hub runs, then run: hub resume",
    )
