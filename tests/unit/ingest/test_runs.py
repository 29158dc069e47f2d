"""The run machine: what follows from each answer, also from one that comes again, and what users may do."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.model import Run
from shared.errors import ConflictError, NotFoundError
from shared.messages import topics
from shared.messages.control import EntityCounts
from shared.messages.envelope import Outgoing
from tests.support.builders import File, make_plan
from tests.unit.ingest.machine import Machine, commands, described, make_run, open_machine, valid

PLAN = make_plan(File("clients.csv", [2, 2, 2]), File("jobs.csv", [2, 2], ["jobs"]))
ENTITIES = {0: valid(customers=2), 1: valid(customers=2), 2: valid(customers=2), 3: valid(jobs=2), 4: valid(jobs=2)}


def is_load(message: Outgoing) -> bool:
    return message.topic is topics.LOAD_REQUESTED


def is_close(message: Outgoing) -> bool:
    return message.topic is topics.CLOSE_REQUESTED


async def ended(machine: Machine) -> Run:
    """The run at its end, its account free."""
    run = await machine.state()
    assert run.freed
    assert await machine.runs.running("main") is None
    return run


# ---- the straight way -----------------------------------------------------------------------------------------


async def test_a_run_goes_through_its_steps_one_after_the_other(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES, pages=1) as machine:
        waiting = commands(await machine.start())
        order = []
        while waiting:
            order += described(waiting[:1])
            waiting += commands(await machine.answer(waiting.pop(0)))

        run = await ended(machine)

    assert order == [
        *(("map", batch) for batch in range(5)),
        ("seal",),
        *(("load", "customers", batch) for batch in (0, 1, 2)),
        *(("load", "jobs", batch) for batch in (3, 4)),
        ("page", None),
        ("page", 0),
        ("close",),
    ]
    assert (run.state, run.ended_at, run.failed_batches) == ("completed", 1_000.0, [])


async def test_no_more_than_the_window_is_in_flight(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = await machine.start()

        assert described(begun) == [("map", 0), ("map", 1)]
        assert described(await machine.runs.staged(1, 1, machine._staged(1, False))) == [("map", 3)]
        assert described(await machine.runs.staged(1, 0, machine._staged(0, False))) == [("map", 2)]


async def test_the_seal_names_what_was_staged_by_batch(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        waiting = await machine.drive(await machine.start(), lambda m: m.topic is topics.SEAL_REQUESTED)

        manifest = json.loads(await machine.runs.files.read(waiting[0].message.manifest))

    assert manifest == {str(batch): f"content {batch}" for batch in range(5)}


@pytest.mark.parametrize(
    ("entities", "loads", "state"),
    [
        ({**ENTITIES, 3: valid(), 4: {"jobs": EntityCounts(errored=2)}}, [0, 1, 2], "completed_with_errors"),
        ({batch: {"customers": EntityCounts(errored=2)} for batch in range(5)}, [], "completed_with_errors"),
        ({**ENTITIES, 0: valid(customers=0), 1: valid()}, [2, 3, 4], "completed"),
    ],
)
async def test_types_and_batches_without_valid_records_are_passed_over(
    tmp_path: Path, entities: Mapping[int, Any], loads: list[int], state: str
) -> None:
    async with open_machine(tmp_path, PLAN, entities) as machine:
        waiting, loaded = commands(await machine.start()), []
        while waiting:
            loaded += [entry[2] for entry in described(waiting[:1]) if entry[0] == "load"]
            waiting += commands(await machine.answer(waiting.pop(0)))

        run = await ended(machine)

    assert (loaded, run.state) == (loads, state)


async def test_files_of_nothing_but_a_header_row_end_at_once(tmp_path: Path) -> None:
    plan = make_plan(File("clients.csv", []), File("jobs.csv", [], ["jobs"]))
    async with open_machine(tmp_path, plan, {}) as machine:
        begun = await machine.start()
        await machine.drive(begun)

        assert described(begun) == [("seal",)]
        assert (await ended(machine)).state == "completed"


async def test_a_preflight_loads_dry_and_ends_validated(tmp_path: Path) -> None:
    plan = make_plan(File("clients.csv", [2, 2, 2]), kind="preflight")
    async with open_machine(tmp_path, plan, ENTITIES) as machine:
        waiting = await machine.drive(await machine.start(), is_load)
        assert all(m.message.dry_run for m in waiting)
        await machine.drive(waiting)

        assert (await ended(machine)).state == "validated"


async def test_a_run_over_some_batches_goes_through_those_alone(tmp_path: Path) -> None:
    plan = make_plan(File("clients.csv", [2] * 6), only_batches=(1, 4, 5))
    async with open_machine(tmp_path, plan, {batch: valid(customers=2) for batch in range(6)}) as machine:
        waiting, order = commands(await machine.start()), []
        while waiting:
            order += described(waiting[:1])
            waiting += commands(await machine.answer(waiting.pop(0)))

        assert (await ended(machine)).state == "completed"
    assert [entry for entry in order if entry[0] == "map"] == [("map", batch) for batch in (1, 4, 5)]
    assert [entry for entry in order if entry[0] == "load"] == [("load", "customers", batch) for batch in (1, 4, 5)]


# ---- what cannot be done --------------------------------------------------------------------------------------


async def test_a_seal_that_fails_fails_the_run_and_cancels_the_rest(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES, seals=False) as machine:
        waiting = await machine.drive(await machine.start(), is_load)
        assert all(m.message.cancelled for m in waiting)
        await machine.drive(waiting)
        run = await ended(machine)

    assert (run.state, run.failure) == ("failed", "The keys are damaged.")
    assert set(machine.decided.values()) == {"stage", "cancelled"}


async def test_batches_that_were_given_up_are_remembered_and_children_are_told(tmp_path: Path) -> None:
    lost = frozenset({(1, ""), (2, "customers")})
    async with open_machine(tmp_path, PLAN, ENTITIES, given_up=lost) as machine:
        waiting = await machine.drive(await machine.start(), is_load)
        parents_known = [m.message.parents_missing for m in waiting]
        waiting = await machine.drive(waiting, lambda m: is_load(m) and m.message.entity == "jobs")
        children_told = [m.message.parents_missing for m in waiting]
        await machine.drive(waiting)
        run = await ended(machine)

    assert (parents_known, children_told) == ([False, False], [True, True])
    assert (run.state, run.failed_batches) == ("completed_with_errors", [1, 2])


# ---- repeats --------------------------------------------------------------------------------------------------


async def test_a_repeated_acknowledgement_releases_the_same_again(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = await machine.start()

        first, again = [described(await machine.answer(commands(begun)[0])) for _ in range(2)]

    assert first == again == [("map", 2)]


async def test_the_last_acknowledgement_of_each_step_gives_the_step_change_again_when_it_is_repeated(
    tmp_path: Path,
) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES, pages=2) as machine:
        waiting = commands(await machine.start())
        changes = []
        while waiting:
            before = (await machine.state()).sequence
            message = waiting.pop(0)
            # A crash lost the outputs: the message comes again, and its answer must make up for them.
            first = described(await machine.answer(message))
            again = await machine.answer(message)
            if (await machine.state()).sequence > before:
                changes.append((first, described(again)))
            waiting += commands(again)

        run = await ended(machine)

    assert changes == [
        ([("seal",)], [("seal",)]),
        ([("load", "customers", 0), ("load", "customers", 1)],) * 2,
        ([("load", "jobs", 3), ("load", "jobs", 4)],) * 2,
        ([("page", None)],) * 2,
        ([("page", 0), ("page", 1)],) * 2,
        ([("close",)],) * 2,
        ([], []),
    ]
    assert run.state == "completed"


async def test_answers_that_come_after_the_end_change_and_send_nothing(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = commands(await machine.start())
        await machine.drive(begun)
        run = await machine.state()

        answers = [await machine.answer(message) for message in begun]

        assert await machine.state() == run
    assert answers == [[]] * len(begun)  # status hears of the end again from the caretaker only


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    action=st.sampled_from(["none", "pause", "cancel"]),
    moment=st.integers(0, 14),
    pages=st.integers(0, 3),
)
def test_a_run_ends_whatever_the_order_and_repetition_of_answers(
    tmp_path_factory: pytest.TempPathFactory, seed: int, action: str, moment: int, pages: int
) -> None:
    chance = random.Random(seed)

    async def drive() -> Run:
        folder = tmp_path_factory.mktemp("run")
        async with open_machine(folder, PLAN, ENTITIES, pages=pages) as machine:
            waiting = commands(await machine.start())
            for turn in range(2_000):
                if turn == moment and (await machine.state()).ended_at is None:
                    if action == "pause":
                        await machine.runs.pause(1)
                    elif action == "cancel":
                        await machine.runs.cancel(1)
                        waiting += commands(machine.sent.take())
                if not waiting:
                    run = await machine.state()
                    if run.freed:
                        return run
                    await machine.runs.resume(1)
                    waiting = commands(machine.sent.take())
                    assert waiting, "the run stands still"
                message = waiting[chance.randrange(len(waiting))]
                if chance.random() < 0.7:
                    waiting.remove(message)
                # Outputs of a fifth of the answers are lost, as in a crash: the message comes again.
                out = commands(await machine.answer(message))
                if message not in waiting and chance.random() < 0.2:
                    waiting.append(message)
                else:
                    waiting += [m for m in out if described([m]) not in [described([w]) for w in waiting]]
        raise AssertionError("the run never ended")

    run = asyncio.run(drive())

    assert run.state in (("cancelled", "completed") if action == "cancel" else ("completed",))
    assert (run.paused, run.freed) == (False, True)


# ---- what users do --------------------------------------------------------------------------------------------


async def test_a_paused_run_releases_nothing_and_goes_on_where_it_stood(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = commands(await machine.start())
        await machine.runs.pause(1)
        while_paused = [described(await machine.answer(message)) for message in begun]

        machine.sent.take()
        await machine.runs.resume(1)
        resumed = machine.sent.take()
        await machine.drive(resumed)

        assert (await ended(machine)).state == "completed"
    assert while_paused == [[], []]
    assert described(resumed) == [("map", 2), ("map", 3)]


async def test_pausing_twice_changes_nothing_and_resuming_sends_again_what_is_in_flight(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        await machine.start()
        await machine.runs.pause(1)
        sequence = (await machine.state()).sequence

        await machine.runs.pause(1)
        assert (await machine.state()).sequence == sequence
        machine.sent.take()
        await machine.runs.resume(1)

        assert described(machine.sent.take()) == [("map", 0), ("map", 1)]
        await machine.runs.resume(1)
        assert described(machine.sent.take()) == [("map", 0), ("map", 1)]


async def test_a_run_whose_last_answer_comes_while_it_is_paused_ends_and_frees_the_account_even_if_that_answer_is_lost(
    tmp_path: Path,
) -> None:
    plan = make_plan(File("clients.csv", [2]), kind="preflight")
    async with open_machine(tmp_path, plan, {0: valid(customers=2)}) as machine:
        [last] = await machine.drive(await machine.start(), is_load)
        await machine.runs.pause(1)

        await machine.answer(last)  # saved, and the process died before anything was sent
        again = await machine.answer(last)
        await machine.drive(again)

        assert described(again) == [("close",)]
        assert (await ended(machine)).paused is False


async def test_a_cancelled_run_skips_what_is_not_decided_and_keeps_what_is(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        waiting = await machine.drive(await machine.start(), is_load)
        waiting += commands(await machine.answer(waiting.pop(0)))

        await machine.runs.cancel(1)
        cancelling = await machine.state()
        await machine.drive(machine.sent.take())
        run = await ended(machine)

    loads = {key: decision for key, decision in machine.decided.items() if key[0] > 0}
    assert cancelling.state == "cancelling"
    assert run.state == "cancelled"
    assert loads == {(1, 0): "load", **dict.fromkeys(((1, 1), (1, 2), (2, 0), (2, 1)), "cancelled")}


@pytest.mark.parametrize("moment", ["begun", "paused", "sealing"])
async def test_a_run_can_be_cancelled_at_any_moment(tmp_path: Path, moment: str) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        waiting = await machine.start()
        if moment == "paused":
            await machine.runs.pause(1)
        if moment == "sealing":
            await machine.drive(waiting, lambda m: m.topic is topics.SEAL_REQUESTED)
        machine.sent.take()

        await machine.runs.cancel(1)
        await machine.runs.cancel(1)
        await machine.drive(machine.sent.take())

        assert (await ended(machine)).state == "cancelled"
    assert "load" not in machine.decided.values()


@pytest.mark.parametrize("action", ["pause", "resume", "cancel"])
async def test_an_ended_run_is_not_changed_any_more(tmp_path: Path, action: str) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        await machine.drive(await machine.start())

        with pytest.raises(ConflictError, match="has ended"):
            await getattr(machine.runs, action)(1)


async def test_repair_sends_again_what_is_in_flight_and_only_the_state_at_the_end(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = await machine.start()
        await machine.runs.repair(1)
        repaired = described(machine.sent.take())
        left = await machine.drive(begun, is_close)
        await machine.runs.repair(1)
        at_the_end = described(machine.sent.take())
        await machine.drive(left)
        await machine.runs.repair(1)
        afterwards = [(m.topic, m.message.closed) for m in machine.sent.take()]

    assert repaired == [("map", 0), ("map", 1)]
    assert at_the_end == [("close",)]
    assert afterwards == [(topics.RUN_CHANGED, True)]


# ---- the account ----------------------------------------------------------------------------------------------


async def test_an_account_has_one_run_at_a_time(tmp_path: Path) -> None:
    other = make_plan(File("clients.csv", [2]), run=2, session="s2")
    elsewhere = make_plan(File("clients.csv", [2]), run=3, account="other")
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = await machine.start()
        for plan in (other, elsewhere):
            await machine.runs.create(await make_run(machine.runs, plan))

        with pytest.raises(ConflictError, match="session s1, run 1"):
            await machine.runs.start(2)
        await machine.runs.start(3)
        machine.sent.take()
        await machine.drive(begun)
        await machine.runs.start(2)

        assert [await machine.runs.running(account) for account in ("main", "other")] == [2, 3]


async def test_starting_a_run_again_sends_nothing_more_and_an_ended_one_stays_ended(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        begun = await machine.start()
        assert await machine.start() == []
        await machine.drive(begun)

        assert await machine.start() == []
        assert await machine.runs.running("main") is None


async def test_a_run_is_seen_in_its_account_alone(tmp_path: Path) -> None:
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        assert (await machine.runs.get(1, account="main")).run == 1
        for run, account in ((1, "other"), (2, "main")):
            with pytest.raises(NotFoundError):
                await machine.runs.get(run, account=account)


async def test_a_run_that_a_dead_start_left_is_replaced_and_one_that_has_gone_on_is_not(tmp_path: Path) -> None:
    plan = make_plan(File("others.csv", [2]))
    async with open_machine(tmp_path, PLAN, ENTITIES) as machine:
        run = await make_run(machine.runs, plan)
        await machine.runs.create(run)
        assert (await machine.state()).plan == run.plan
        await machine.start()

        with pytest.raises(ConflictError, match="was started by another call"):
            await machine.runs.create(await make_run(machine.runs, PLAN))
