"""A creating call that is sent again, as a client sees it: answered, killed, refused, answered late, forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.http.idempotency import ABANDONED_SECONDS, KEPT_SECONDS, Idempotency
from shared.security.principal import Role
from tests.unit.http.things import Hub, client, problem_of


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
