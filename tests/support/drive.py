"""Drives sessions of a hub to their end over its API, from wherever an earlier process left them."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from services.app import Hub

Json = dict[str, Any]
POLL_SECONDS = 0.025
"""Forty times a second: below the hub's limit of fifty calls."""
DEADLINE_SECONDS = 120.0
LOCAL_FILE = "application/vnd.hub.local-file+json"


def client_of(hub: Hub, token: str | None = None) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
    """A client of a hub in this process, acting as the owner of its data directory where no token is given."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=hub.app),
        base_url="http://hub/api/v1",
        headers={"Authorization": f"Bearer {token or hub.local_token}"},
        timeout=DEADLINE_SECONDS,
    )


async def _nothing() -> None:
    return None


@dataclass
class Driver:
    """The steps of an import, each of which looks first whether it is done already.

    `pump` lets messages flow where the runtime does not do it by itself. Raises TimeoutError with what it waited for.
    `is_remote`: the hub is in other processes. Files are uploaded, and while nobody answers, or the answer is that what
    is needed is away, the same call is made again.
    """

    client: httpx2.AsyncClient
    pump: Callable[[], Awaitable[None]] = _nothing
    options: Json = field(default_factory=dict)
    is_remote: bool = False
    deadline_seconds: float = DEADLINE_SECONDS
    """For each thing that is waited for."""

    async def get(self, path: str) -> Any:
        """The JSON at a path."""
        return (await self._call("GET", path)).json()

    async def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer of a POST."""
        return (await self._call("POST", path, json=body)).json()

    async def text(self, path: str) -> str:
        """The text at a path."""
        return (await self._call("GET", path)).text

    async def _call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        if self.is_remote and method == "POST":  # what is sent again must not be done again
            more["headers"] = {**more.get("headers", {}), "Idempotency-Key": secrets.token_hex(16)}
        deadline = time.monotonic() + self.deadline_seconds
        while (answer := await self.answer(method, path, **more)) is None or answer.status_code in self._again:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path}: {answer.text if answer else 'nobody answers'}")
            await asyncio.sleep(float(answer.headers.get("Retry-After", 1)) if answer else POLL_SECONDS)
        if answer.status_code >= 400:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    @property
    def _again(self) -> tuple[int, ...]:
        return (429, 503) if self.is_remote else (429,)

    async def answer(self, method: str, path: str, **more: Any) -> httpx2.Response | None:
        """Whatever is answered; None where nobody does and that may be."""
        try:
            return await self.client.request(method, path, **more)
        except httpx2.TransportError:
            if not self.is_remote:
                raise
            return None

    async def until(self, what: str, condition: Callable[[], Awaitable[Any]]) -> Any:
        """The first true answer of `condition`."""
        deadline = time.monotonic() + self.deadline_seconds
        while True:
            await self.pump()
            if answer := await condition():
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {self.deadline_seconds:g} seconds")
            await asyncio.sleep(POLL_SECONDS)

    # ---- the steps --------------------------------------------------------------------------------------------

    async def session(self, name: str, paths: Sequence[Path]) -> str:
        """Id of the session with this name; made where there is none."""
        for known in (await self.get("/sessions"))["items"]:
            if known["name"] == name:
                return str(known["id"])
        body = {"name": name, "options": self.options}
        if not self.is_remote:
            body["paths"] = [str(path) for path in paths]
        return str((await self.post("/sessions", body))["id"])

    async def land(self, session: str, paths: Sequence[Path]) -> list[Json]:
        """All files landed (or refused)."""
        known = {file["name"] for file in await self.get(f"/sessions/{session}/files")}
        for path in paths:
            if path.name not in known:
                await self._add(session, path)

        async def landed() -> list[Json]:
            files: list[Json] = await self.get(f"/sessions/{session}/files")
            return [] if any(file["state"] == "landing" for file in files) else files

        found: list[Json] = await self.until("landing", landed)
        return found

    async def _add(self, session: str, path: Path) -> None:
        where = f"/sessions/{session}/files"
        if self.is_remote:
            await self._call("POST", where, params={"name": path.name}, content=path.read_bytes())
            return
        content = json.dumps({"path": str(path)}).encode()
        await self._call("POST", where, content=content, headers={"content-type": LOCAL_FILE})

    async def approve(self, session: str) -> None:
        """Analysed, mapping proposed and approved."""
        known = await self.get(f"/sessions/{session}")
        if known["sampled_version"] < known["version"]:
            known = await self.post(f"/sessions/{session}/analysis")

        async def mapped() -> bool:
            answer = await self.answer("GET", f"/sessions/{session}/mapping")
            if answer is None or answer.status_code != 200:
                return False
            return bool(answer.json()["session_version"] == known["version"])

        async def approved() -> bool:
            return bool((await self.get(f"/sessions/{session}"))["mapping_approved"])

        await self.until("a mapping", mapped)
        if not await approved():
            await self.post(f"/sessions/{session}/mapping/approve")
            await self.until("the approval", approved)

    async def start(self, session: str, kind: str = "import", **more: Any) -> int:
        """Number of a new run."""
        return int((await self.post(f"/sessions/{session}/runs", {"kind": kind, **more}))["run"])

    async def progress(self, session: str, run: int) -> Json:
        """What status shows of a run; {} while it knows nothing of it."""
        answer = await self.answer("GET", f"/sessions/{session}/runs/{run}/progress")
        return answer.json() if answer is not None and answer.status_code == 200 else {}

    async def done(self, session: str, run: int) -> Json:
        """The report of a run, at its end."""

        async def ended() -> bool:
            return bool((await self.progress(session, run)).get("done"))

        await self.until(f"the end of run {run}", ended)
        report: Json = await self.get(f"/sessions/{session}/runs/{run}/report")
        return report

    async def closed(self, session: str, run: int) -> None:
        """The run is cleaned up: the account is free for another one."""

        async def is_closed() -> bool:
            return bool((await self.get(f"/sessions/{session}/runs/{run}"))["closed"])

        await self.until(f"the close of run {run}", is_closed)

    async def ready(self, name: str, paths: Sequence[Path]) -> str:
        """A session with approved mapping."""
        session = await self.session(name, paths)
        files = await self.land(session, paths)
        if refused := [file for file in files if file["state"] == "rejected"]:
            raise AssertionError(f"refused: {refused}")
        await self.approve(session)
        return session

    async def drive(self, name: str, paths: Sequence[Path], kind: str = "import") -> tuple[str, int, Json]:
        """(session, run, report) of an import that is begun, or gone on with, and done."""
        session = await self.ready(name, paths)
        runs = (await self.get(f"/sessions/{session}"))["runs"]
        run = runs[-1] if runs else await self.start(session, kind)
        report = await self.done(session, run)
        await self.closed(session, run)
        return session, run, report
