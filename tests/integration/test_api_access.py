"""Who may do what over HTTP: roles, accounts, tokens, limits; what repeated and conditional calls answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.app import Hub, embedded_hub
from shared.http.idempotency import Answer, Idempotency
from shared.security.principal import Role
from tests.support.drive import LOCAL_FILE, Driver, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENTS = (
    b"Client ID,Display Name,E-mail\nC-1,Ada Abbot,ada@example.com\nC-2,Ben Brand,ben@example.com\nC-1,Ada Again,\n"
)
UPLOAD_BYTES_MAX = 2_000
CALLS_AT_ONCE = 150
SECONDS = 20

CHANGING = ("post", "put", "patch", "delete")


@dataclass
class Known:
    """A hub with an import of the account `main`, and a client for each kind of caller."""

    hub: Hub
    local: httpx2.AsyncClient
    owner: httpx2.AsyncClient
    admin: httpx2.AsyncClient
    viewer: httpx2.AsyncClient
    stranger: httpx2.AsyncClient
    """Owner of another account."""
    nobody: httpx2.AsyncClient
    session: str
    run: int
    file: str

    async def token(self, role: Role, account: str = "main") -> httpx2.AsyncClient:
        """A client with a token of its own."""
        return _client(self.hub, (await self.hub.tokens.create(account, role, f"{role} of {account}")).text)

    def path(self, path: str) -> str:
        """A path of the API with what is there in the place of its parameters."""
        filled = path.format(
            session_id=self.session,
            run_id=self.run,
            file_id=self.file,
            entity="customers",
            action="cancel",
            token_id="0123456789abcdef",
            entry_id="0123456789abcdef",
        )
        return filled.removeprefix("/api/v1")

    def routes(self, *methods: str) -> Iterator[tuple[str, str]]:
        """(method, path) of every route of the published API with one of these methods."""
        for path, known in self.hub.app.openapi()["paths"].items():
            yield from ((method, path) for method in known if method in methods)


def _client(hub: Hub, token: str | None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=hub.app, raise_app_exceptions=False),
        base_url="http://hub/api/v1",
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=SECONDS,
    )


async def imported(client: httpx2.AsyncClient) -> tuple[str, int, str]:
    """(session, run, file) of an import over HTTP alone."""
    driver = Driver(client)
    session = await driver.session("clients", [])
    added = await client.post(f"/sessions/{session}/files", params={"name": "clients.csv"}, content=CLIENTS)
    assert added.status_code == 202, added.text
    await driver.land(session, [])
    await driver.approve(session)
    run = await driver.start(session)
    await driver.done(session, run)
    return session, run, added.json()["id"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def known(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Known]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_UPLOAD_BYTES_MAX", str(UPLOAD_BYTES_MAX))
        patch.setenv("HUB_RATE_LIMIT_BURST", str(CALLS_AT_ONCE))
        data: Path = tmp_path_factory.mktemp("data")
        async with embedded_hub(data, workers=1) as hub, client_of(hub) as local:
            tokens = [
                await hub.tokens.create("main", role, role.value) for role in (Role.OWNER, Role.ADMIN, Role.VIEWER)
            ]
            tokens.append(await hub.tokens.create("other", Role.OWNER, "stranger"))
            owner, admin, viewer, stranger = (_client(hub, token.text) for token in tokens)
            session, run, file = await imported(admin)
            yield Known(hub, local, owner, admin, viewer, stranger, _client(hub, None), session, run, file)


def code(answer: httpx2.Response) -> tuple[int, str]:
    """(status, code) of a refusal."""
    return answer.status_code, answer.json()["code"]


# ---- tokens and roles -----------------------------------------------------------------------------------------


async def test_every_route_needs_a_token(known: Known) -> None:
    refused = {
        path: (await known.nobody.request(method, known.path(path))).status_code
        for method, path in known.routes("get", *CHANGING)
    }

    assert set(refused.values()) == {401}
    assert len(refused) > 20


@pytest.mark.parametrize("token", ["hub_" + "x" * 43, "hub_", "local_x", "Ünïcode", ""])
async def test_a_token_that_is_none_is_refused(known: Known, token: str) -> None:
    answer = await known.nobody.get("/me", headers=[(b"Authorization", f"Bearer {token}".encode())])

    assert answer.status_code == 401
    assert "Authorization" in answer.json()["next"]


async def test_a_viewer_may_look_at_everything_but_tokens_and_the_hub_itself(known: Known) -> None:
    answers = {
        path: (await known.viewer.get(known.path(path))).status_code
        for _, path in known.routes("get")
        if not path.endswith("/events")
    }

    assert {path: status for path, status in answers.items() if status != 200} == {
        "/api/v1/tokens": 403,
        "/api/v1/health": 403,
        "/api/v1/dead-letters": 403,
        "/api/v1/dead-letters/replays": 403,
    }


async def test_a_viewer_may_change_nothing(known: Known) -> None:
    answers = {
        (method, path): (await known.viewer.request(method, known.path(path))).status_code
        for method, path in known.routes(*CHANGING)
    }

    assert set(answers.values()) == {403}
    assert len(answers) >= 8


async def test_an_admin_may_migrate_and_not_give_access(known: Known) -> None:
    me = (await known.admin.get("/me")).json()
    given = await known.admin.post("/tokens", json={"name": "more", "role": "owner"})
    listed = await known.admin.get("/tokens")

    assert (me["role"], me["may_migrate"], me["account"]) == ("admin", True, "main")
    assert code(given) == code(listed) == (403, "not_allowed")


async def test_an_owner_gives_access_and_takes_it_away(known: Known) -> None:
    made = (await known.owner.post("/tokens", json={"name": "Ann", "role": "viewer"})).json()
    ann = _client(known.hub, made["token"])
    before = (await ann.get("/me")).json()

    revoked = (await known.owner.delete(f"/tokens/{made['id']}")).json()
    listed = (await known.owner.get("/tokens")).text

    assert (before["name"], before["role"]) == ("Ann", "viewer")
    assert revoked["revoked_at"] is not None
    assert (await ann.get("/me")).status_code == 401
    assert made["id"] in listed
    assert made["token"] not in listed


async def test_the_last_owner_of_an_account_stays(known: Known) -> None:
    [own] = (await known.stranger.get("/tokens")).json()

    refused = await known.stranger.delete(f"/tokens/{own['id']}")

    assert code(refused) == (409, "conflict")
    assert (await known.stranger.get("/me")).status_code == 200


# ---- accounts -------------------------------------------------------------------------------------------------


async def test_another_account_finds_nothing_under_a_path_it_knows(known: Known) -> None:
    answers = {
        path: (await known.stranger.get(known.path(path))).status_code
        for _, path in known.routes("get")
        if "{session_id}" in path and not path.endswith("/events")
    }

    assert set(answers.values()) == {404}
    assert len(answers) > 10


async def test_another_account_changes_nothing_under_a_path_it_knows(known: Known) -> None:
    before = (await known.viewer.get(f"/sessions/{known.session}")).json()
    bodies: dict[str, Any] = {"/runs": {"json": {"kind": "import"}}, "/files": {"content": CLIENTS}}

    answers = {
        (method, path): await known.stranger.request(
            method,
            known.path(path),
            **next(
                (body for end, body in bodies.items() if path.endswith(end)), {"content": b"version: 1\nfiles: []\n"}
            ),
        )
        for method, path in known.routes(*CHANGING)
        if "{session_id}" in path
    }

    assert {key: answer.status_code for key, answer in answers.items() if answer.status_code != 404} == {}
    assert (await known.viewer.get(f"/sessions/{known.session}")).json() == before


async def test_lists_of_another_account_are_empty(known: Known) -> None:
    assert (await known.stranger.get("/sessions")).json()["items"] == []
    assert (await known.stranger.get("/runs", params={"state": "all"})).json() == []
    assert (await known.stranger.get("/records/customers")).json()["items"] == []
    assert (await known.stranger.get("/exports/customers")).text == ""
    assert (await known.stranger.get("/mapping-memory")).json() == {"entries": [], "audit": []}
    assert [token["name"] for token in (await known.stranger.get("/tokens")).json()] == ["stranger"]


async def test_the_tokens_of_another_account_cannot_be_revoked(known: Known) -> None:
    tokens = (await known.owner.get("/tokens")).json()
    viewer = next(token["id"] for token in tokens if token["name"] == "viewer")

    refused = await known.stranger.delete(f"/tokens/{viewer}")

    assert refused.status_code == 404
    assert (await known.viewer.get("/me")).status_code == 200


async def test_the_same_file_is_imported_anew_in_another_account(known: Known) -> None:
    third = await known.token(Role.ADMIN, "third")

    session, run, _ = await imported(third)
    report = (await third.get(f"/sessions/{session}/runs/{run}/report")).json()

    assert {name: report["entities"]["customers"][name] for name in ("imported", "skipped", "errored")} == {
        "imported": 2,
        "skipped": 1,
        "errored": 0,
    }
    for client, own in ((third, run), (known.viewer, known.run)):
        records = (await client.get("/records/customers")).json()["items"]
        assert [record["id"] >> 32 for record in records] == [own, own]


# ---- what comes twice -----------------------------------------------------------------------------------------


async def test_a_session_is_made_once_for_an_idempotency_key(known: Known) -> None:
    key = {"Idempotency-Key": "make-one"}

    first = await known.admin.post("/sessions", json={"name": "once"}, headers=key)
    again = await known.admin.post("/sessions", json={"name": "once"}, headers=key)
    other = await known.admin.post("/sessions", json={"name": "another"}, headers=key)
    elsewhere = await known.stranger.post("/sessions", json={"name": "once"}, headers=key)

    assert (first.status_code, again.status_code, elsewhere.status_code) == (201, 201, 201)
    assert again.json() == first.json()
    assert (again.headers["Idempotency-Replayed"], again.headers["Location"]) == ("true", first.headers["Location"])
    assert code(other) == (422, "idempotency_key_reused")
    assert elsewhere.json()["id"] != first.json()["id"]
    names = [session["name"] for session in (await known.admin.get("/sessions")).json()["items"]]
    assert names.count("once") == 1


async def test_a_file_is_added_once_for_an_idempotency_key(known: Known) -> None:
    key = {"Idempotency-Key": "add-one"}
    session = (await known.admin.post("/sessions", json={"name": "files"})).json()["id"]

    async def add(name: str, content: bytes) -> httpx2.Response:
        return await known.admin.post(f"/sessions/{session}/files", params={"name": name}, content=content, headers=key)

    first, again = await add("clients.csv", b"Name\nAda\n"), await add("clients.csv", b"Name\nAda\n")
    others = [await add("clients.csv", b"Name\nBen\n"), await add("jobs.csv", b"Name\nAda\n")]

    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert [code(other) for other in others] == [(422, "idempotency_key_reused")] * 2
    assert [file["name"] for file in (await known.admin.get(f"/sessions/{session}/files")).json()] == ["clients.csv"]


@pytest.mark.parametrize("what", ["session", "file"])
async def test_a_call_that_was_killed_before_its_answer_was_kept_makes_nothing_more_when_it_comes_again(
    known: Known, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Idempotency-Key": f"killed {what}".replace(" ", "-")}
    session = (await known.admin.post("/sessions", json={"name": f"for {what}"})).json()["id"]

    async def call() -> httpx2.Response:
        if what == "session":
            return await known.admin.post("/sessions", json={"name": "killed"}, headers=key)
        return await known.admin.post(
            f"/sessions/{session}/files", params={"name": "a.csv"}, content=b"Name\nAda\n", headers=key
        )

    with monkeypatch.context() as killed:
        killed.setattr(Idempotency, "_make", _made_and_forgotten)
        await call()
    again = await call()

    sessions = [one["name"] for one in (await known.admin.get("/sessions")).json()["items"]]
    files = (await known.admin.get(f"/sessions/{session}/files")).json()
    assert again.status_code in (201, 202)
    assert (sessions.count("killed") if what == "session" else len(files)) == 1


async def _made_and_forgotten(
    self: Idempotency, id: str, account: str, fingerprint: bytes, revision: int, make: Any
) -> Answer:
    """As a minute after a kill between the change and the kept answer: the claim is gone, what was made stays."""
    answer: Answer = await make(id)
    await self._documents.delete("idempotency", id)
    return answer


async def test_progress_that_has_not_changed_is_not_sent_again(known: Known) -> None:
    path = known.path("/sessions/{session_id}/runs/{run_id}/progress")
    first = await known.viewer.get(path)

    unchanged = await known.viewer.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = await known.viewer.get(path, headers={"If-None-Match": '"something else"'})

    assert (first.status_code, first.json()["percent"], first.json()["done"]) == (200, 100, True)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert other.json() == first.json()


@pytest.mark.parametrize("run", [0, 2_000_000, 2**21, 2**63, 2**80, -1])
async def test_a_run_that_is_not_there_is_not_found(known: Known, run: int) -> None:
    for view in ("", "/progress", "/report", "/problems", "/error-file", "/audit"):
        assert (await known.viewer.get(f"/sessions/{known.session}/runs/{run}{view}")).status_code == 404, view


# ---- limits ---------------------------------------------------------------------------------------------------


async def test_too_many_calls_of_one_token_wait_and_others_go_on(known: Known) -> None:
    hasty = await known.token(Role.VIEWER)

    answers = await asyncio.gather(*(hasty.get("/me") for _ in range(3 * CALLS_AT_ONCE)))

    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(answers) - len(refused) >= CALLS_AT_ONCE
    assert {code(answer) for answer in refused} == {(429, "rate_limited")}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert (await known.viewer.get("/me")).status_code == 200


async def test_only_the_command_line_names_local_files(known: Known, tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_bytes(CLIENTS)
    session = (await known.owner.post("/sessions", json={"name": "local"})).json()["id"]
    local = {"content": json.dumps({"path": str(path)}), "headers": {"content-type": LOCAL_FILE}}

    with_paths = await known.owner.post("/sessions", json={"paths": [str(path)]})
    with_file = await known.owner.post(f"/sessions/{session}/files", **local)  # type: ignore[arg-type]
    files = (await known.owner.get(f"/sessions/{session}/files")).json()
    by_command_line = await known.local.post(f"/sessions/{session}/files", **local)  # type: ignore[arg-type]

    assert code(with_paths) == code(with_file) == (403, "not_allowed")
    assert "Upload" in with_file.json()["next"]
    assert files == []
    assert by_command_line.status_code == 202


@pytest.mark.parametrize("is_length_declared", [True, False])
async def test_an_upload_above_the_limit_is_refused_with_a_way_out(known: Known, is_length_declared: bool) -> None:
    session = (await known.admin.post("/sessions", json={"name": "large"})).json()["id"]
    content = CLIENTS * 20

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 512):
            yield content[start : start + 512]

    refused = await known.admin.post(
        f"/sessions/{session}/files", params={"name": "a.csv"}, content=content if is_length_declared else pieces()
    )

    assert code(refused) == (413, "file_too_large")
    assert "2,000 bytes" in refused.json()["detail"]
    assert (await known.admin.get(f"/sessions/{session}/files")).json() == []


@pytest.mark.parametrize(
    ("name", "stored"),
    [("../../etc/passwd", "passwd"), ("C:\\Users\\ann\\clients.csv", "clients.csv"), ("/abs/a.csv", "a.csv")],
)
async def test_a_file_name_is_never_a_path(known: Known, name: str, stored: str) -> None:
    session = (await known.admin.post("/sessions", json={"name": "names"})).json()["id"]

    added = await known.admin.post(f"/sessions/{session}/files", params={"name": name}, content=CLIENTS)

    assert (added.status_code, added.json()["name"]) == (202, stored)


@pytest.mark.parametrize("name", ["..", "a/..", "/"])
async def test_a_name_that_is_none_is_refused(known: Known, name: str) -> None:
    refused = await known.admin.post(known.path("/sessions/{session_id}/files"), params={"name": name}, content=b"a\n")

    assert refused.status_code == 422


# ---- events ---------------------------------------------------------------------------------------------------


async def events(client: httpx2.AsyncClient, known: Known) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """(kind, data) of the session's events as they are sent. The test client of HTTP waits for the end of an answer,
    and this one has none: so the application is called as a server calls it."""
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gone = asyncio.Event()
    requests = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if request := next(requests, None):
            return request
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": f"/api/v1/sessions/{known.session}/events", "raw_path": b"", "query_string": b"", "root_path": "",
        "headers": [(b"authorization", client.headers["Authorization"].encode())], "client": ("test", 1),
        "server": ("hub", 80),
    }  # fmt: skip
    serving = asyncio.create_task(known.hub.app(scope, receive, sent.put))  # type: ignore[arg-type]
    text = ""
    try:
        while True:
            message = await sent.get()
            text += message.get("body", b"").decode()
            while "\n\n" in text:
                event, _, text = text.partition("\n\n")
                fields = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
                if fields:
                    yield fields["event"], json.loads(fields["data"])
    finally:
        gone.set()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def next_progress(known: Known) -> dict[str, Any]:
    """The first progress that the viewer is told."""
    async with asyncio.timeout(SECONDS):
        async for kind, data in events(known.viewer, known):
            if kind == "run.progress":
                return data
    raise AssertionError("the events ended")


async def test_events_of_a_session_give_the_progress_of_its_latest_run(known: Known) -> None:
    data = await next_progress(known)

    assert (data["run"], data["percent"], data["done"]) == (known.run, 100, True)
    assert data["imported"] == 2


async def test_another_account_hears_no_event_of_a_session(known: Known) -> None:
    heard: list[Any] = []

    async def listen() -> None:
        async for event in events(known.stranger, known):
            heard.append(event)

    listening = asyncio.create_task(listen())
    for name in ("one", "two"):  # two states, so that the first has reached whoever may hear it
        await known.admin.post(known.path("/sessions/{session_id}/files"), params={"name": name}, content=name.encode())
        await next_progress(known)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)

    assert heard == []
