"""Two processes that handle messages of one run at the same moment, as during a rebalance, by hand and by chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from services.ingest.model import Run
from services.ingest.runs import Runs
from shared.errors import ConflictError
from shared.messages import topics
from shared.messages.envelope import Outgoing
from shared.runtime import Runtime
from shared.runtime.outbox import Outbox
from shared.storage.swapping import TRIES_MAX
from tests.support.builders import File, make_plan
from tests.unit.ingest.machine import Machine, commands, described, open_machine, valid

PLAN = make_plan(File("clients.csv", [2, 2]), File("jobs.csv", [2], ["jobs"]))
ENTITIES = {0: valid(customers=2), 1: valid(customers=2), 2: valid(jobs=2)}


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Machine, Machine]]:
    """The same run in two processes."""
    async with open_machine(tmp_path, PLAN, ENTITIES) as one:
        yield one, another(one)


def another(machine: Machine) -> Machine:
    runs = machine.runs
    outbox = Outbox(runs.documents, cast(Runtime, machine.sent))
    return replace(machine, runs=Runs(runs.documents, outbox, runs.progress, runs.files, runs.clock))


def interleave(machine: Machine, monkeypatch: pytest.MonkeyPatch, first: Any) -> None:
    """Lets `first` happen in the process just before it saves a run for the first time."""
    put, pending = machine.runs.documents.put, [first]

    async def late(*arguments: Any, **more: Any) -> int:
        if pending:
            await pending.pop()()
        return await put(*arguments, **more)

    monkeypatch.setattr(machine.runs.documents, "put", late)


async def reach(machine: Machine, step: str) -> list[Outgoing]:
    """Drives the run until it asks for something of this step; what is asked for then."""
    return await machine.drive(
        await machine.start(), lambda m: m.topic is topics.LOAD_REQUESTED and m.message.entity == step
    )


async def test_both_see_the_end_of_a_step_and_it_is_left_once(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    waiting = await reach(one, "customers")
    await one.answer(waiting[0])
    answers: list[Any] = []

    async def quicker() -> None:
        answers.append(await other.answer(waiting[1]))

    interleave(one, monkeypatch, quicker)
    answers.append(await one.answer(waiting[1]))

    run = await one.state()
    assert run.step_name == "jobs"
    assert [described(answer) for answer in answers] == [[("load", "jobs", 2)]] * 2


async def test_a_late_end_of_a_step_does_not_end_the_next_one(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    waiting = await reach(one, "customers")
    await one.answer(waiting[0])

    async def far_ahead() -> None:
        """The other process ends this step, and the one after it."""
        await other.drive(await other.answer(waiting[1]), lambda m: m.topic is topics.CLOSE_REQUESTED)

    interleave(one, monkeypatch, far_ahead)
    late = await one.answer(waiting[1])

    assert (await one.state()).state == "completed"
    assert described(late) == []


@pytest.mark.parametrize("action", ["resume", "cancel"])
async def test_what_is_acknowledged_while_a_run_is_resumed_releases_its_follower(
    tmp_path: Path, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(File("clients.csv", [2] * 6))
    async with open_machine(tmp_path, plan, {batch: valid(customers=2) for batch in range(6)}) as one:
        other = another(one)
        begun = commands(await one.start())
        await one.runs.pause(1)
        one.sent.take()

        async def meanwhile() -> None:
            assert described(await other.answer(begun[0])) == []  # it finds the run paused

        interleave(one, monkeypatch, meanwhile)
        await getattr(one.runs, action)(1)

        assert ("map", 2) in described(one.sent.take())


async def test_an_acknowledgement_that_began_before_the_resume_releases_its_follower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(File("clients.csv", [2] * 6))
    async with open_machine(tmp_path, plan, {batch: valid(customers=2) for batch in range(6)}) as one:
        other = another(one)
        begun = commands(await one.start())
        await one.runs.pause(1)
        acknowledge = one.runs.progress.acknowledge

        async def resumed_before(*arguments: Any) -> None:
            monkeypatch.undo()
            await other.runs.resume(1)
            await acknowledge(*arguments)

        monkeypatch.setattr(one.runs.progress, "acknowledge", resumed_before)

        assert described(await one.answer(begun[0])) == [("map", 2)]


async def test_swaps_lost_again_and_again_end_in_another_try_and_not_in_a_dead_letter(
    pair: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    waiting = await reach(one, "customers")
    await one.answer(waiting[0])
    put, lost = one.runs.documents.put, []

    async def beaten(*arguments: Any, **more: Any) -> int:
        if len(lost) < TRIES_MAX - 1:
            lost.append(1)
            raise ConflictError("Somebody was quicker.")
        return await put(*arguments, **more)

    monkeypatch.setattr(one.runs.documents, "put", beaten)

    assert described(await one.answer(waiting[1])) == [("load", "jobs", 2)]


async def test_the_account_is_freed_once_by_two_processes(pair: tuple[Machine, Machine]) -> None:
    one, other = pair
    [close] = await one.drive(await one.start(), lambda m: m.topic is topics.CLOSE_REQUESTED)

    await asyncio.gather(*(machine.answer(close) for machine in (one, other)), return_exceptions=True)
    await other.answer(close)

    assert (await one.state()).freed
    assert await one.runs.running("main") is None


@pytest.mark.parametrize("seed", range(12))
async def test_answers_handled_by_two_processes_at_once_end_like_those_of_one(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    plan = make_plan(File("clients.csv", [2] * 7), File("jobs.csv", [2] * 3, ["jobs"]))
    entities = {**{b: valid(customers=2) for b in range(7)}, **{b: valid(jobs=2) for b in range(7, 10)}}
    async with open_machine(tmp_path, plan, entities, pages=2) as one:
        machines = [one, another(one), another(one)]
        waiting = commands(await one.start())
        handled = 0
        while waiting:
            chance.shuffle(waiting)
            taken, waiting = waiting[:3], waiting[3:]
            taken += chance.sample(taken, k=chance.randint(0, len(taken)) if handled < 60 else 0)  # some come twice
            answers = await asyncio.gather(*(chance.choice(machines).answer(message) for message in taken))
            handled += len(taken)
            # Repeats breed repeats: what is on its way already need not be sent twice more.
            for message in (m for answer in answers for m in commands(answer)):
                if message not in waiting:
                    waiting.append(message)

        run: Run = await one.state()
        assert (run.state, run.freed, run.failed_batches) == ("completed", True, [])
        assert await one.runs.running("main") is None
        assert {key for key in one.decided if key[0] == 1} == {(1, position) for position in range(7)}


async def test_of_late_repeats_only_the_one_that_ended_the_step_sends_what_followed(
    pair: tuple[Machine, Machine],
) -> None:
    one, _ = pair
    waiting = await reach(one, "customers")
    for message in waiting:
        await one.answer(message)

    late = [described(await one.answer(message)) for message in waiting]

    assert late == [[], [("load", "jobs", 2)]]
