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

    with pytest.raises(HubStoppedError, match="The disk is full"):
        await client_of(lambda _: health).until(never)


def missing(*services: str) -> httpx2.Response:
    named = [{"service": name, "message": f"No {name} runs.", "next_step": "Start one."} for name in services]
    return httpx2.Response(200, json={"state": "stopped", "faults": [], "missing": named, "given_up": []})


async def never() -> None:
    return None


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.client.HEALTH_SECONDS", 0.01)
    monkeypatch.setattr("services.cli.client.MISSING_SECONDS_MAX", 0.05)


@pytest.mark.usefixtures("short_patience")
async def test_waiting_for_a_service_that_does_not_run_is_told_once_and_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = client_of(lambda _: missing("loader"))

    with pytest.raises(HubStoppedError, match=r"No loader runs\. It was waited .* Nothing is lost") as raised:
        await client.until(never, needs=("mapper", "loader"))

    assert raised.value.next_step == "Start one. Then run: hub resume"
    assert capsys.readouterr().err == "Waiting: No loader runs. Start one.\n"


@pytest.mark.usefixtures("short_patience")
async def test_a_service_that_comes_back_is_waited_for_anew() -> None:
    healths = [missing("loader")] * 4 + [missing()] + [missing("loader")] * 4 + [missing()]
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return healths[len(asked) - 1]

    async def look() -> str | None:
        return "done" if len(asked) == len(healths) else None

    assert await client_of(answer).until(look, needs=("loader",)) == "done"


@pytest.mark.usefixtures("short_patience")
async def test_a_service_that_is_not_needed_now_may_be_missing() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return missing("analyze")

    async def look() -> str | None:
        return "done" if len(asked) == 10 else None

    assert await client_of(answer).until(look, needs=("loader",)) == "done"


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
