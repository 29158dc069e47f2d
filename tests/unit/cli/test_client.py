"""The client: patience with a busy hub, and errors in the hub's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from services.cli.client import Client, HubGoneError, HubStoppedError, ProblemError
from shared.errors import NotFoundError

Handler = Callable[[httpx2.Request], httpx2.Response]


def client_of(handler: Handler, *, takes_paths: bool = False) -> Client:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler), base_url="http://hub")
    return Client(http, takes_paths=takes_paths, reports=Path("reports"))


def answers(*responses: httpx2.Response) -> Handler:
    following: Iterator[httpx2.Response] = iter(responses)
    return lambda _: next(following)


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {"detail": "What happened.", "next": "What to do.", "code": code}
    return httpx2.Response(status, json=body, headers=headers)


async def test_a_call_that_came_too_often_is_repeated_after_the_time_the_hub_asks_for() -> None:
    client = client_of(answers(problem(429, "rate_limited", **{"Retry-After": "0"}), httpx2.Response(200, json=[1])))

    assert await client.get("/runs") == [1]


async def test_a_refusal_comes_in_the_words_of_the_hub() -> None:
    client = client_of(answers(problem(409, "run_active")))

    with pytest.raises(ProblemError) as raised:
        await client.post("/sessions/1/runs", {})

    assert (raised.value.message, raised.value.next_step, raised.value.code) == (
        "What happened.",
        "What to do.",
        "run_active",
    )


async def test_what_is_not_there_yet_is_none() -> None:
    client = client_of(answers(problem(404, "not_found"), problem(404, "not_found")))

    assert await client.find("/sessions/1/mapping") is None
    with pytest.raises(NotFoundError):
        await client.get("/sessions/1/mapping")


async def test_a_broken_connection_is_told_from_a_refusal() -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(HubGoneError, match="broke off"):
        await client_of(broken).get("/sessions")


async def test_waiting_ends_where_a_service_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.client.HEALTH_SECONDS", 0.01)
    fault = {"service": "loader", "message": "The disk is full.", "next_step": "Free some space.", "at": 1.0}
    health = httpx2.Response(200, json={"state": "stopped", "faults": [fault], "given_up": []})

    async def never() -> None:
        return None

    with pytest.raises(HubStoppedError, match="The disk is full"):
        await client_of(lambda _: health).until(never)


async def test_a_file_is_named_by_path_only_where_the_hub_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(b"Name\nAnn\n")
    sent: list[httpx2.Request] = []

    async def keep(request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        sent.append(request)
        return httpx2.Response(202, json={})

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(keep), base_url="http://hub")
    for takes_paths in (True, False):
        await Client(http, takes_paths=takes_paths, reports=tmp_path).add_file("1", file)

    assert str(file).encode() in sent[0].content
    assert (sent[1].content, sent[1].url.params["name"]) == (b"Name\nAnn\n", "clients.csv")
