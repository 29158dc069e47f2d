"""Upkeep: what has not moved is sent again at growing intervals, also by several processes; nothing is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from services.ingest.caretaker import START_SECONDS_MAX, Caretaker
from services.ingest.landing import Landing
from services.ingest.model import ACCOUNTS, AccountLease
from services.ingest.sessions import Sessions
from services.ingest.starting import RunStarter
from shared.catalog import load_catalog
from shared.messages import topics
from shared.messages.envelope import Outgoing
from shared.runtime import WorkerPool
from tests.support.builders import File, make_plan
from tests.support.workers import InProcessWorkers
from tests.unit.ingest.machine import Machine, commands, described, open_machine, valid

PLAN = make_plan(File("clients.csv", [2, 2]))
ENTITIES = {0: valid(customers=2), 1: valid(customers=2)}
ROUND_SECONDS = 10.0


@dataclass
class Upkeep:
    """A run and the processes that look after it. Time passes in rounds."""

    machine: Machine
    now: float = 1_000.0
    caretakers: list[Caretaker] = field(default_factory=list)

    def add_process(self) -> None:
        runs = self.machine.runs
        workers = cast(WorkerPool, InProcessWorkers())
        sessions = Sessions(runs.documents, runs.outbox, runs.files, workers, lambda: self.now)
        starter = RunStarter(sessions, runs, load_catalog(), window=2)
        self.caretakers.append(
            Caretaker(runs, Landing(sessions, runs.files, workers), starter, runs.outbox, _looked_at=self.now)
        )

    async def pass_rounds(self, count: int) -> list[tuple[float, list[Outgoing]]]:
        """(seconds since the beginning, what was sent) of the rounds in which anything was."""
        told = []
        for _ in range(count):
            self.now += ROUND_SECONDS
            for caretaker in self.caretakers:
                await caretaker.round()
            if sent := self.machine.sent.take():
                told.append((self.now - 1_000.0, sent))
        return told


@pytest.fixture
async def upkeep(tmp_path: Path) -> AsyncIterator[Upkeep]:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        upkeep = Upkeep(machine)
        machine.runs.clock = lambda: upkeep.now
        upkeep.add_process()
        yield upkeep


def is_close(message: Outgoing) -> bool:
    return message.topic is topics.CLOSE_REQUESTED


async def test_a_run_in_which_nothing_moves_is_repaired_at_growing_intervals(upkeep: Upkeep) -> None:
    await upkeep.machine.start()

    repairs = await upkeep.pass_rounds(60)

    # The first look sees the run for the first time: a minute counts from there.
    assert [seconds for seconds, _ in repairs] == [70.0, 130.0, 250.0, 490.0]
    assert [described(sent) for _, sent in repairs] == [[("map", 0), ("map", 1)]] * 4
    assert all(sent[0].topic is topics.RUN_CHANGED for _, sent in repairs)


async def test_several_processes_repair_at_most_once_each(upkeep: Upkeep) -> None:
    upkeep.add_process()
    await upkeep.machine.start()

    repairs = await upkeep.pass_rounds(60)

    assert [described(sent) for _, sent in repairs] == [[("map", 0), ("map", 1)] * 2] * 4


async def test_news_begin_the_wait_anew(upkeep: Upkeep) -> None:
    begun = await upkeep.machine.start()
    before = await upkeep.pass_rounds(5)
    await upkeep.machine.answer(commands(begun)[0])

    after = await upkeep.pass_rounds(8)

    assert before == []
    assert [(seconds, described(sent)) for seconds, sent in after] == [(120.0, [("map", 1)])]


async def test_a_paused_run_is_left_alone(upkeep: Upkeep) -> None:
    await upkeep.machine.start()
    await upkeep.machine.runs.pause(1)
    upkeep.machine.sent.take()

    assert await upkeep.pass_rounds(60) == []


async def test_an_ended_run_is_closed_though_its_account_is_free_already(upkeep: Upkeep) -> None:
    machine = upkeep.machine
    await machine.drive(await machine.start(), is_close)
    free = AccountLease(account="main").model_dump_json().encode()
    await machine.runs.documents.put(ACCOUNTS, "main", free, account="main", expected_revision=None)

    repairs = await upkeep.pass_rounds(10)

    assert [described(sent) for _, sent in repairs] == [[("close",)]]


async def test_the_end_of_a_run_is_told_again_now_and_then_for_a_day(upkeep: Upkeep) -> None:
    await upkeep.machine.drive(await upkeep.machine.start())

    told = await upkeep.pass_rounds(9_000)

    assert [seconds for seconds, _ in told] == [60.0 * 2**n for n in range(11)]
    assert {(m.topic, m.message.closed) for _, sent in told for m in sent} == {(topics.RUN_CHANGED, True)}


async def test_a_start_that_was_left_is_made_up_for(upkeep: Upkeep) -> None:
    machine = upkeep.machine
    sessions = upkeep.caretakers[0].landing.sessions
    run = await machine.state()
    made = await _session_with(sessions, run.run)
    body = run.model_copy(update={"session": made, "started_at": upkeep.now}).model_dump_json().encode()
    await machine.runs.documents.put("ingest.runs", "1", body, account="main", expected_revision=None)
    machine.sent.take()

    young = await upkeep.pass_rounds(int(START_SECONDS_MAX / ROUND_SECONDS) - 1)
    grown = await upkeep.pass_rounds(1)

    assert young == []
    assert [described(sent) for _, sent in grown] == [[("map", 0), ("map", 1)]]


async def _session_with(sessions: Sessions, run: int) -> str:
    from services.ingest.model import SessionOptions

    session = await sessions.create("main", "ann", name="", options=SessionOptions(), paths=[])

    def add(current: object) -> list[Outgoing]:
        cast("list[int]", current.runs).append(run)  # type: ignore[attr-defined]
        return []

    await sessions.change(session.id, cast(Callable[..., list[Outgoing]], add))
    return session.id
