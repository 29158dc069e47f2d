"""Asking a language model over HTTP: what is sent, and that nothing it does or fails to do stops a proposal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.mapper.language_model import ANSWER_BYTES_MAX, LanguageModel
from services.mapper.language_model_questions import AskedColumn, Question
from shared.observability.events import LANGUAGE_MODEL_ASKED, Event, listen
from tests.support.chat_stub import Json, Reply, chat_stub, maps, said

DEADLINE_SECONDS = 20
"""Far beyond the timeouts of the tests: what ends before it was not waiting for the endpoint."""


def question(place: int = 0) -> Question:
    return Question(
        place=place,
        entity="customers",
        columns=(AskedColumn(index=1, header="Xq77", type="text"),),
        free_fields={"tags": "Tags, tags"},
        mapped={},
    )


def model(url: str, **given: Any) -> LanguageModel:
    return LanguageModel(url=url, model="stub-7b", **given)


@pytest.fixture
def outcomes() -> Iterator[list[str]]:
    """The outcomes that were counted."""
    noted: list[str] = []

    def note(event: Event, facts: Any) -> None:
        if event is LANGUAGE_MODEL_ASKED:
            noted.append(facts["outcome"])

    stop = listen(note)
    yield noted
    stop()


async def answers(asked: LanguageModel, *questions: Question) -> dict[int, list[tuple[int, str | None]]]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        found = await asked.hints(questions or (question(),))
    return {place: [(hint.column, hint.field) for hint in hints] for place, hints in found.items()}


async def test_an_answer_becomes_evidence(outcomes: list[str]) -> None:
    with chat_stub(maps(c1="tags")) as stub:
        found = await answers(model(stub.url, key="sk-1"))

    assert found == {0: [(1, "tags")]}
    assert outcomes == ["answered"]
    assert stub.paths == ["/v1/chat/completions"]
    assert stub.authorizations == ["Bearer sk-1"]
    assert (stub.requests[0]["model"], stub.requests[0]["temperature"]) == ("stub-7b", 0)
    assert stub.questions()[0]["columns"] == [{"index": 1, "header": "Xq77", "type": "text"}]


async def test_without_a_key_none_is_sent() -> None:
    with chat_stub(maps(c1="tags")) as stub:
        await answers(model(stub.url))

    assert stub.authorizations == [None]


async def test_several_files_are_asked_about_and_told_apart() -> None:
    with chat_stub(maps(c1="tags")) as stub:
        found = await answers(model(stub.url), question(0), question(3))

    assert found == {0: [(1, "tags")], 3: [(1, "tags")]}


async def test_nothing_is_sent_where_there_is_nothing_to_ask() -> None:
    with chat_stub(maps(c1="tags")) as stub:
        assert await model(stub.url).hints([]) == {}

    assert stub.requests == []


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(status=500, body=b"oops"), "refused"),
        (Reply(status=401, body=b"{}"), "refused"),
        (Reply(status=429, headers={"Retry-After": "60"}), "refused"),
        (Reply(body=b"<html>"), "unusable"),
        (Reply(body=b"{}"), "unusable"),
        (Reply(body=b"[]"), "unusable"),
        (Reply(body=b'{"choices": []}'), "unusable"),
        (Reply(body=b'{"choices": [{"message": {"content": null}}]}'), "unusable"),
        (Reply(body=b"\xff\xfe"), "unusable"),
        (said("I would rather talk about the weather."), "unusable"),
        (Reply(body=b'"' + b"x" * (ANSWER_BYTES_MAX + 1) + b'"'), "unusable"),
        (Reply(body=b"{", headers={"Content-Encoding": "gzip"}), "unusable"),
        (Reply(body=b"[" * 100_000), "unusable"),
    ],
)
async def test_an_endpoint_that_fails_leaves_no_evidence_and_is_counted(
    reply: Reply, outcome: str, outcomes: list[str]
) -> None:
    with chat_stub(reply) as stub:
        assert await answers(model(stub.url)) == {}

    assert outcomes == [outcome]


async def test_a_redirect_is_not_followed(outcomes: list[str]) -> None:
    with chat_stub(maps(c1="tags")) as elsewhere:
        away = Reply(status=307, headers={"Location": f"{elsewhere.url}/chat/completions"})
        with chat_stub(away) as stub:
            assert await answers(model(stub.url, key="sk-1")) == {}

    assert elsewhere.requests == []
    assert outcomes == ["refused"]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with chat_stub(maps(c1="notes")) as proxy, chat_stub(maps(c1="tags")) as stub:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        found = await answers(model(stub.url))

    assert found == {0: [(1, "tags")]}
    assert proxy.requests == []


async def test_an_endpoint_that_is_not_there_is_counted(outcomes: list[str]) -> None:
    with chat_stub(maps()) as stub:
        gone = stub.url

    assert await answers(model(gone)) == {}
    assert outcomes == ["unreachable"]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:99999/v1", None),
        ("http://127.0.0.1:1/v1", "sk-é"),
        (f"http://{'a' * 70}.example/v1", None),
        ("http://[::1/v1", None),
        ("nowhere", None),
    ],
)
async def test_settings_that_no_client_can_use_are_counted_and_stop_nothing(
    url: str, key: str | None, outcomes: list[str]
) -> None:
    assert await answers(model(url, key=key), question(0), question(1)) == {}
    assert outcomes == ["unreachable", "unreachable"]


async def test_an_endpoint_that_never_answers_is_left_after_the_timeout(outcomes: list[str]) -> None:
    with chat_stub(Reply(hangs=True)) as stub:
        assert await answers(model(stub.url, timeout_seconds=0.2)) == {}

    assert outcomes == ["timed_out"]


async def test_what_was_answered_in_time_counts_though_another_file_was_not(outcomes: list[str]) -> None:
    def reply(request: Json) -> Reply:
        content = json.loads(request["messages"][-1]["content"])
        return Reply(hangs=True) if content["record"] == "jobs" else maps(c1="tags")

    slow = Question(place=1, entity="jobs", columns=question().columns, free_fields={"tags": "Tags, tags"}, mapped={})
    with chat_stub(reply) as stub:
        found = await answers(model(stub.url, timeout_seconds=1), question(0), slow)

    assert found == {0: [(1, "tags")]}
    assert sorted(outcomes) == ["answered", "timed_out"]


def test_the_key_is_not_shown() -> None:
    assert "sk-1" not in repr(model("http://127.0.0.1:1/v1", key="sk-1"))
