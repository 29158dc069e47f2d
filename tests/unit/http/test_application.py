"""The API application as a client sees it: access, problems, limits, headers, idempotency, ETags."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from shared.http.idempotency import ABANDONED_SECONDS, KEPT_SECONDS, Answer, Idempotency
from shared.http.pagination import Page, Paging
from shared.http.rate_limit import RateLimit
from shared.http.settings import HttpSettings
from shared.observability.events import listen
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


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("bad_input", 422, "bad_input"),
        ("not_found", 404, "not_found"),
        ("conflict", 409, "conflict"),
        ("permanent", 422, "permanent"),
        ("retryable", 503, "retryable"),
        ("configuration", 500, "internal"),
        ("bug", 500, "internal"),
    ],
)
async def test_each_kind_of_error_has_its_status_and_code(hub: Hub, kind: str, status: int, code: str) -> None:
    problem = problem_of(await hub.viewer.get(f"/fail/{kind}"))

    assert (problem["status"], problem["code"]) == (status, code)


async def test_a_problem_says_what_happened_and_what_to_do(hub: Hub) -> None:
    problem = problem_of(await hub.viewer.get("/fail/bad_input"))

    assert (problem["detail"], problem["next"]) == ("This is no CSV file.", "Save it as CSV.")


async def test_a_passing_error_says_when_to_try_again(hub: Hub) -> None:
    answer = await hub.viewer.get("/fail/retryable")

    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize(("kind", "inside"), [("bug", "Ana Ruiz"), ("configuration", "/etc/secret")])
async def test_a_fault_tells_the_caller_nothing_of_its_inside_but_a_reference_to_the_log(
    hub: Hub, kind: str, inside: str
) -> None:
    logged: list[dict] = []
    stop = listen(lambda event, facts: logged.append({"event": event.name, **facts}))

    answer = await hub.viewer.get(f"/fail/{kind}")
    stop()

    assert inside not in answer.text
    assert logged[0]["event"] == "request_failed"
    assert problem_of(answer)["instance"].endswith(logged[0]["reference"])


async def test_an_invalid_request_names_the_places_and_not_the_values(hub: Hub) -> None:
    answer = await hub.admin.post("/things", json={"name": ["Ana Ruiz"]})

    problem = problem_of(answer)
    assert (problem["status"], problem["code"]) == (422, "invalid_request")
    assert [error["where"] for error in problem["errors"]] == ["body.name"]
    assert "Ana" not in answer.text


async def test_a_body_that_is_no_json_is_an_invalid_request(hub: Hub) -> None:
    answer = await hub.admin.post("/things", content=b"{", headers={"Content-Type": "application/json"})

    assert problem_of(answer)["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not_found"), ("PUT", "/things", 405, "method_not_allowed")],
)
async def test_unknown_paths_and_methods_are_problems_too(
    hub: Hub, method: str, path: str, status: int, code: str
) -> None:
    problem = problem_of(await hub.viewer.request(method, path))

    assert (problem["status"], problem["code"]) == (status, code)


async def test_without_a_token_every_route_of_the_api_is_closed(hub: Hub) -> None:
    answer = await hub.nobody.get("/fail/bad_input")

    assert problem_of(answer)["status"] == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer hub_wrong", "Basic YTpi", "hub_x", "Bearer"])
async def test_what_is_no_valid_token_is_refused(hub: Hub, header: str) -> None:
    answer = await hub.nobody.get("/things", headers={"Authorization": header})

    assert problem_of(answer)["status"] == 401


async def test_public_routes_need_no_token(hub: Hub) -> None:
    assert (await hub.nobody.get("/health")).json() == {"ok": True}


@pytest.mark.parametrize(
    ("role", "statuses"), [("viewer", [200, 403, 403]), ("admin", [200, 201, 403]), ("owner", [200, 201, 200])]
)
async def test_each_role_may_what_it_should(hub: Hub, role: str, statuses: list[int]) -> None:
    caller = hub.clients[role]

    answers = [
        await caller.get("/things"),
        await caller.post("/things", json={"name": "a"}),
        await caller.delete("/things"),
    ]

    assert [answer.status_code for answer in answers] == statuses


async def test_refusals_are_audited(hub: Hub) -> None:
    reasons: list[object] = []
    stop = listen(lambda event, facts: reasons.append(facts["reason"]) if event.name == "access_refused" else None)

    await hub.nobody.get("/things")
    await hub.nobody.get("/things", headers={"Authorization": "Bearer hub_wrong"})
    await hub.viewer.delete("/things")
    stop()

    assert reasons == ["token_missing", "token_unknown", "role"]


async def test_above_the_rate_limit_the_answer_is_429_with_retry_after(hub: Hub) -> None:
    gate = hub.app.state.gate
    gate._limit = RateLimit(per_second=0.5, burst=2, clock=FakeClock())

    answers = [await hub.viewer.get("/things") for _ in range(3)]
    other = await hub.admin.get("/things")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "2"
    assert problem_of(answers[2])["code"] == "rate_limited"
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/things", "/nothing", "/fail/bug", "/openapi.json"])
async def test_every_answer_has_the_security_headers(hub: Hub, path: str) -> None:
    headers = (await hub.viewer.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


async def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(hub: Hub) -> None:
    def body(size: int) -> bytes:
        return b'{"name": "' + b"a" * (size - 12) + b'"}'

    json_type = {"Content-Type": "application/json"}
    at_limit = await hub.admin.post("/things", content=body(1_000), headers=json_type)
    above = await hub.admin.post("/things", content=body(1_001), headers=json_type)

    assert at_limit.status_code == 201
    assert (problem_of(above)["status"], problem_of(above)["code"]) == (413, "request_too_large")


async def in_parts(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 700):
        yield b"x" * min(700, size - start)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_upload_of_the_limit_passes_and_one_byte_more_does_not(hub: Hub, is_streamed: bool) -> None:
    def body(size: int) -> bytes | AsyncIterator[bytes]:
        return in_parts(size) if is_streamed else b"x" * size

    at_limit = await hub.admin.post("/files", content=body(2_000))
    above = await hub.admin.post("/files", content=body(2_001))

    assert (at_limit.status_code, at_limit.json()) == (201, {"size": 2_000})
    assert (problem_of(above)["status"], problem_of(above)["code"]) == (413, "file_too_large")
    assert "2,000 bytes" in problem_of(above)["detail"]
    assert "HUB_UPLOAD_BYTES_MAX" in problem_of(above)["next"]


async def test_the_same_key_and_body_gives_the_first_answer_again(hub: Hub) -> None:
    key = {"Idempotency-Key": "k-1"}

    first = await hub.admin.post("/things", json={"name": "a"}, headers=key)
    second = await hub.admin.post("/things", json={"name": "a"}, headers=key)

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (False, "true")
    assert hub.made == ["a"]


async def test_without_a_key_each_call_creates(hub: Hub) -> None:
    await hub.admin.post("/things", json={"name": "a"})
    await hub.admin.post("/things", json={"name": "a"})

    assert hub.made == ["a", "a"]


async def test_the_same_key_with_another_body_is_refused(hub: Hub) -> None:
    key = {"Idempotency-Key": "k-1"}
    await hub.admin.post("/things", json={"name": "a"}, headers=key)

    answer = await hub.admin.post("/things", json={"name": "b"}, headers=key)

    assert (problem_of(answer)["status"], problem_of(answer)["code"]) == (422, "idempotency_key_reused")
    assert hub.made == ["a"]


async def test_a_key_of_another_account_is_another_key(hub: Hub) -> None:
    other = client(hub.app, (await hub.tokens.create("other", Role.ADMIN, "other")).text)
    key = {"Idempotency-Key": "k-1"}

    await hub.admin.post("/things", json={"name": "a"}, headers=key)
    answer = await other.post("/things", json={"name": "a"}, headers=key)

    assert answer.json() == {"number": 2}


async def test_while_the_first_call_is_answered_its_repetition_waits(hub: Hub) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = asyncio.ensure_future(hub.admin.post("/things", json={"name": "slow"}, headers=key))
    async with asyncio.timeout(10):
        while not hub.made:
            await asyncio.sleep(0)

    during = await hub.admin.post("/things", json={"name": "slow"}, headers=key)
    hub.hold.set()
    after = await first

    assert (problem_of(during)["status"], problem_of(during)["code"]) == (409, "idempotency_in_progress")
    assert after.status_code == 201
    assert hub.made == ["slow"]


async def test_a_call_that_was_killed_is_done_again_with_the_same_resource(hub: Hub) -> None:
    key = {"Idempotency-Key": "k-1"}
    never_ends = asyncio.ensure_future(hub.admin.post("/things", json={"name": "slow"}, headers=key))
    async with asyncio.timeout(10):
        while not hub.made:
            await asyncio.sleep(0)
    hub.clock.now += ABANDONED_SECONDS + 1
    hub.hold.set()

    again = await hub.admin.post("/things", json={"name": "slow"}, headers=key)
    replayed = await hub.admin.post("/things", json={"name": "slow"}, headers=key)
    await never_ends

    assert again.status_code == 201
    assert replayed.headers["location"] == again.headers["location"]


async def test_a_call_that_is_answered_while_its_repetition_takes_over_is_told_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repetition has read that nobody answers any more, and is too late when it wants to take the key over."""
    key = {"Idempotency-Key": "k-1"}
    first = asyncio.ensure_future(hub.admin.post("/things", json={"name": "slow"}, headers=key))
    async with asyncio.timeout(10):
        while not hub.made:
            await asyncio.sleep(0)
    hub.clock.now += ABANDONED_SECONDS + 1
    store = Idempotency._store

    async def store_late(self: Idempotency, id: str, account: str, kept: Any, revision: int) -> int:
        if not kept.status:
            hub.hold.set()
            await first
        return await store(self, id, account, kept, revision)

    monkeypatch.setattr(Idempotency, "_store", store_late)
    again = await hub.admin.post("/things", json={"name": "slow"}, headers=key)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert hub.made == ["slow"]


async def test_a_refused_call_can_be_repeated_with_its_key(hub: Hub) -> None:
    key = {"Idempotency-Key": "k-1"}

    answers = [await hub.admin.post("/things", json={"name": "bad"}, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert hub.made == ["bad", "bad"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 201])
async def test_a_key_that_is_none_is_refused(hub: Hub, key: str) -> None:
    answer = await hub.admin.post("/things", json={"name": "a"}, headers={"Idempotency-Key": key})

    assert problem_of(answer)["status"] == 422
    assert hub.made == []


async def test_answers_are_forgotten_after_a_day(hub: Hub) -> None:
    idempotency: Idempotency = hub.app.state.idempotency
    for number in range(130):
        await hub.admin.post("/things", json={"name": "a"}, headers={"Idempotency-Key": f"old-{number}"})
    hub.clock.now += KEPT_SECONDS + 1
    await hub.admin.post("/things", json={"name": "a"}, headers={"Idempotency-Key": "new"})

    purged = await idempotency.purge()
    old = await hub.admin.post("/things", json={"name": "a"}, headers={"Idempotency-Key": "old-1"})
    new = await hub.admin.post("/things", json={"name": "a"}, headers={"Idempotency-Key": "new"})

    assert purged == 130
    assert ("idempotency-replayed" in old.headers, "idempotency-replayed" in new.headers) == (False, True)


async def test_polling_costs_nothing_while_nothing_changes(hub: Hub) -> None:
    first = await hub.viewer.get("/progress")
    same = await hub.viewer.get("/progress", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    await hub.admin.post("/things", json={"name": "a"})
    changed = await hub.viewer.get("/progress", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, same.status_code, changed.status_code) == (200, 304, 200)
    assert (same.content, same.headers["etag"]) == (b"", first.headers["etag"])
    assert changed.json() == {"made": 1}
    assert first.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 428, "precondition_required"),
        ({"If-Match": '"abc"'}, 412, "precondition_failed"),
        ({"If-Match": "*"}, 412, "precondition_failed"),
        ({"If-Match": 'W/"r3"'}, 412, "precondition_failed"),
    ],
)
async def test_a_change_must_say_what_it_is_based_on(hub: Hub, headers: dict, status: int, code: str) -> None:
    problem = problem_of(await hub.admin.patch("/mapping", headers=headers))

    assert (problem["status"], problem["code"]) == (status, code)


async def test_if_match_gives_the_revision(hub: Hub) -> None:
    assert (await hub.admin.patch("/mapping", headers={"If-Match": '"r3"'})).json() == {"based_on": 3}


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?limit=200", 200), ("?limit=201", 422), ("?limit=0", 422)])
async def test_pages_have_a_bounded_size(hub: Hub, query: str, status: int) -> None:
    assert (await hub.viewer.get(f"/things{query}")).status_code == status


async def test_the_openapi_document_tells_of_tokens_and_problems(hub: Hub) -> None:
    document = (await hub.nobody.get("/openapi.json")).json()

    operation = document["paths"]["/api/v1/things"]["post"]
    assert operation["responses"]["default"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    assert "422" not in operation["responses"]
    assert operation["security"] == [{"HTTPBearer": []}]
    assert "code" in document["components"]["schemas"]["Problem"]["properties"]


async def test_there_are_no_documentation_pages_that_load_foreign_scripts(hub: Hub) -> None:
    answers = [await hub.owner.get(f"http://hub{path}") for path in ("/docs", "/redoc", "/openapi.json")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
