"""Runs whole imports in process, over the HTTP API of an embedded hub, and gathers what came of them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from services.app import Hub, embedded_hub
from shared.runtime.delivery import Observer
from shared.security.principal import Role

DEADLINE_SECONDS = 120
RUN_BITS = 32
"""The upper half of a record's id is the number of the run that made it."""

CELL_CHARS_MAX = 4 << 20
"""The error file holds the source's cells, however long."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Import:
    """One session's import. `report` has the form that the command line prints; records are those of this run only."""

    session: str
    files: list[Json]
    """The session's files as ingest shows them, refused ones with `error` and `next_step`."""
    mapping: Json | None = None
    report: Json = field(default_factory=dict)
    records: dict[str, list[Json]] = field(default_factory=dict)
    """Entity type -> exported records."""
    problems: list[Json] = field(default_factory=list)
    """Rows of the error file."""
    refused: str | None = None
    """Why it did not start: the problem's text."""

    def file(self, name: str) -> Json:
        return next(file for file in self.files if file["name"] == name)


class ImportingHub:
    """An embedded hub with a client of its own."""

    def __init__(self, hub: Hub, client: httpx2.AsyncClient) -> None:
        self.hub, self.client = hub, client

    async def of_account(self, account: str) -> ImportingHub:
        """The same hub as another account sees it: with a store of its own, and with uploads only."""
        token = await self.hub.tokens.create(account, Role.OWNER, "test")
        return ImportingHub(self.hub, _client(self.hub, token.text))

    async def run(
        self,
        paths: Sequence[Path] = (),
        *,
        uploads: Mapping[str, bytes] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Import:
        """Lands, analyses, approves what is proposed, imports, and reads everything back.

        `uploads`: file name -> content, sent over HTTP instead of being read from a path.
        """
        session = await self._session(paths, uploads or {}, options or {})
        files = (await self._get(f"/sessions/{session}/files")).json()
        if not any(file["state"] == "landed" for file in files):
            return Import(session, files, refused="no file could be read")
        await self._post(f"/sessions/{session}/analysis")
        mapping = (await self._until(f"/sessions/{session}/mapping", lambda r: r.status_code == 200)).json()
        approval = await self.client.post(f"/sessions/{session}/mapping/approve")
        if approval.is_error:
            return Import(session, files, mapping, refused=approval.json()["detail"])
        await self._until(f"/sessions/{session}", lambda r: r.json()["mapping_approved"])
        started = await self.client.post(f"/sessions/{session}/runs", json={"kind": "import"})
        if started.is_error:
            return Import(session, files, mapping, refused=started.json()["detail"])
        run = started.json()["run"]
        await self._until(f"/sessions/{session}/runs/{run}", lambda r: r.json()["closed"])
        await self._until(
            f"/sessions/{session}/runs/{run}/progress", lambda r: r.status_code == 200 and r.json()["done"]
        )
        report = (await self._get(f"/sessions/{session}/runs/{run}/report")).json()
        csv.field_size_limit(CELL_CHARS_MAX)
        problems = (await self._get(f"/sessions/{session}/runs/{run}/error-file")).text
        return Import(
            session=session,
            files=files,
            mapping=mapping,
            report=report | {"files": _files(files, report["files"])},
            records={entity: await self._records(entity, run) for entity in report["entities"]},
            problems=list(csv.DictReader(io.StringIO(problems, newline=""))),
        )

    async def _session(self, paths: Sequence[Path], uploads: Mapping[str, bytes], options: Mapping[str, Any]) -> str:
        made = await self._post("/sessions", {"paths": [str(path) for path in paths], "options": dict(options)})
        session: str = made.json()["id"]
        for path in paths:
            added = await self.client.post(
                f"/sessions/{session}/files",
                content=json.dumps({"path": str(path)}),
                headers={"content-type": "application/vnd.hub.local-file+json"},
            )
            assert added.status_code == 202, added.text
            await self._landed(session)
        for name, content in uploads.items():
            sent = await self.client.post(f"/sessions/{session}/files", params={"name": name}, content=content)
            assert sent.status_code == 202, sent.text
            await self._landed(session)
        return session

    async def _landed(self, session: str) -> None:
        """One file after the other: how landings of one session get on with each other is tested elsewhere."""
        await self._until(f"/sessions/{session}/files", lambda r: all(f["state"] != "landing" for f in r.json()))

    async def _records(self, entity: str, run: int) -> list[Json]:
        lines = (await self._get(f"/exports/{entity}")).text.splitlines()
        return [record for record in map(json.loads, lines) if record["id"] >> RUN_BITS == run]

    async def _get(self, path: str) -> httpx2.Response:
        response = await self.client.get(path)
        assert not response.is_error, response.text
        return response

    async def _post(self, path: str, body: Any = None) -> httpx2.Response:
        response = await self.client.post(path, json=body)
        assert not response.is_error, response.text
        return response

    async def _until(self, path: str, is_reached: Callable[[httpx2.Response], bool]) -> httpx2.Response:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            response = await self.client.get(path)
            if response.status_code != 429 and is_reached(response):
                return response
            assert time.monotonic() < deadline, f"{path} is still {response.text[:500]}"
            assert not self.hub.runtime.faults(), self.hub.runtime.faults()
            await asyncio.sleep(0.03)


def _files(session: Sequence[Json], planned: Sequence[Json]) -> list[Json]:
    """The report's files with the rows that landing left out, as the command line adds them."""
    left_out = {file["name"]: file["left_out"] for file in session}
    return [file | {"left_out": left_out[file["file"]]} for file in planned]


@asynccontextmanager
async def importing_hub(directory: Path, observer: Observer | None = None) -> AsyncIterator[ImportingHub]:
    """A hub on an empty data directory."""
    directory.mkdir(parents=True, exist_ok=True)
    async with embedded_hub(directory, observer=observer) as hub:
        yield ImportingHub(hub, _client(hub, hub.local_token))


def _client(hub: Hub, token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=hub.app),
        base_url="http://hub/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=DEADLINE_SECONDS,
    )


def in_importing_hub(directory: Path, work: Callable[[ImportingHub], Awaitable[Any]]) -> Any:
    """Runs `work` with a hub of its own in an event loop of its own."""

    async def run() -> Any:
        async with importing_hub(directory) as hub:
            return await work(hub)

    return asyncio.run(run())
