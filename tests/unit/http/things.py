"""A small application with routes of every kind, and what its tests share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response

from shared.errors import (
    BadInputError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    PermanentError,
    RetryableError,
)
from shared.http.application import create_app
from shared.http.auth import Admin, Owner, Viewer
from shared.http.bodies import upload_chunks
from shared.http.etag import answer_with_etag, expected_revision
from shared.http.idempotency import Answer, Idempotency
from shared.http.pagination import Page, Paging
from shared.http.settings import HttpSettings
from shared.security.principal import Role
from shared.security.tokens import TokenStore
from shared.storage.files import DirectoryFiles
from tests.contract.stores.document_contract import FakeClock
from tests.support.stores import open_documents


class NewThing(BaseModel):
    name: str


class Thing(BaseModel):
    id: str
    name: str


@dataclass
class Hub:
    """A running application with a client for each role and the things its routes leave behind."""

    app: FastAPI
    clients: dict[str, httpx2.AsyncClient]
    clock: FakeClock
    made: list[str]
    hold: asyncio.Event
    tokens: TokenStore

    def __getattr__(self, role: str) -> httpx2.AsyncClient:
        return self.clients[role]


def build_router(files: DirectoryFiles, made: list[str], hold: asyncio.Event) -> APIRouter:
    router = APIRouter(tags=["things"])
    errors = {
        "bad_input": BadInputError("This is no CSV file.", next_step="Save it as CSV."),
        "not_found": NotFoundError("There is no session s9."),
        "conflict": ConflictError("It has moved on."),
        "permanent": PermanentError("No."),
        "retryable": RetryableError("The store is busy.", after_seconds=2.5),
        "configuration": ConfigurationError("/etc/secret/path is missing."),
        "bug": KeyError("Ana Ruiz"),
    }

    @router.get("/fail/{kind}")
    async def fail(kind: str) -> None:
        raise errors[kind]

    @router.get("/things")
    async def things(principal: Viewer, paging: Paging) -> Page[Thing]:
        return Page(items=[Thing(id=principal.account, name=str(paging.limit))], next_cursor=None)

    @router.post("/things", status_code=201)
    async def make_thing(request: Request, thing: NewThing, principal: Admin) -> Response:
        async def make(id: str | None) -> Answer:
            made.append(thing.name)
            if thing.name == "slow":
                await hold.wait()
            if thing.name == "bad":
                raise BadInputError("Not this one.")
            body = json.dumps({"number": len(made)}).encode()
            return Answer(201, body, {"Location": f"/api/v1/things/{id}"})

        idempotency: Idempotency = request.app.state.idempotency
        return await idempotency.answer(request, principal, make)

    @router.delete("/things")
    async def drop_all(principal: Owner) -> None:
        made.clear()

    @router.post("/files", status_code=201)
    async def upload(request: Request, principal: Admin) -> dict[str, int]:
        reference = await files.put_stream(
            upload_chunks(request), bytes_max=request.app.state.settings.upload_bytes_max
        )
        return {"size": reference.size}

    @router.get("/progress")
    async def progress(request: Request, principal: Viewer) -> Response:
        return answer_with_etag(request, json.dumps({"made": len(made)}).encode())

    @router.patch("/mapping")
    async def change(request: Request, principal: Admin) -> dict[str, int]:
        return {"based_on": expected_revision(request)}

    return router


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    clock, made, hold = FakeClock(), [], asyncio.Event()
    health = APIRouter()

    @health.get("/health")
    async def is_healthy() -> dict[str, bool]:
        return {"ok": True}

    async with open_documents(tmp_path, clock) as documents:
        tokens = TokenStore(documents, clock=clock)
        app = create_app(
            "Test hub",
            [build_router(DirectoryFiles(tmp_path / "files"), made, hold)],
            version="1.2.3",
            verifier=tokens,
            idempotency=Idempotency(documents, clock=clock),
            settings=HttpSettings(upload_bytes_max=2_000, request_bytes_max=1_000, rate_limit_burst=1_000),
            public_routers=[health],
        )
        clients = {"nobody": client(app, None)}
        for role in Role:
            clients[role.value] = client(app, (await tokens.create("main", role, role.value)).text)
        yield Hub(app, clients, clock, made, hold, tokens)
        for one in clients.values():
            await one.aclose()


def client(app: FastAPI, token: str | None) -> httpx2.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url="http://hub/api/v1", headers=headers)


def problem_of(answer: httpx2.Response) -> dict:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:migration-hub:problem:{problem['code']}"
    assert problem["title"]
    assert problem["instance"].startswith("urn:migration-hub:reference:")
    return problem
