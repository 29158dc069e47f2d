"""What every adapter of `OutcomeStore` must do. Subclass with a fixture `open_store`; not collected by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from shared.storage.outcomes import Outcome, OutcomeKey, OutcomeStore, ProblemBatch

OpenStore = Callable[[], AbstractAsyncContextManager[OutcomeStore]]


def outcome(batch: int, *, run: int = 1, step: int = 1, entity: str = "customers", counts: bytes = b"{}") -> Outcome:
    return Outcome(run, step, batch, entity, counts, "load")


async def keep_state(
    store: OutcomeStore, run: int, sequence: int, state: bytes, *, account: str = "main", session: str = "s1"
) -> None:
    await store.keep_run(run, account, session, sequence, state)


async def read_on(store: OutcomeStore, run: int, known: set[OutcomeKey]) -> Sequence[Outcome]:
    """What is not known yet, and that nothing is left once it is known."""
    found = await store.outcomes_beyond(run, known)
    known |= {o.key for o in found}
    assert await store.outcomes_beyond(run, known) == []
    return found


class OutcomeContract:
    """Every call of the fixture `open_store` opens the same store once more."""

    async def test_the_first_outcome_of_a_key_stays(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.keep_outcomes([outcome(0, counts=b"first")])
            await store.keep_outcomes([outcome(0, counts=b"second"), outcome(1)])

            found = await store.outcomes(1)

        assert sorted((o.batch, o.counts) for o in found) == [(0, b"first"), (1, b"{}")]

    async def test_outcomes_are_told_apart_by_run_step_batch_and_entity_type(self, open_store: OpenStore) -> None:
        different = [
            outcome(0),
            outcome(1),
            outcome(0, step=2),
            outcome(0, entity="jobs"),
            outcome(0, entity=""),
        ]
        async with open_store() as store:
            await store.keep_outcomes([*different, outcome(0, run=2)])

            assert sorted(await store.outcomes(1)) == sorted(different)
            assert await store.outcomes(2) == [outcome(0, run=2)]
            assert await store.outcomes(3) == []

    async def test_repeats_at_the_same_moment_are_kept_once(self, open_store: OpenStore) -> None:
        async with open_store() as one, open_store() as other:
            await asyncio.gather(
                *(
                    store.keep_outcomes([outcome(n % 3, counts=b"%d" % n), outcome(n % 5)])
                    for n in range(10)
                    for store in (one, other)
                )
            )

            assert sorted(o.batch for o in await one.outcomes(1)) == [0, 1, 2, 3, 4]
            assert sorted(o.batch for o in await read_on(other, 1, set())) == [0, 1, 2, 3, 4]

    async def test_reading_on_gives_every_outcome_once(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.keep_outcomes([outcome(0), outcome(1), outcome(0, run=2)])
            known: set[OutcomeKey] = set()
            first = await read_on(store, 1, known)
            await store.keep_outcomes([outcome(0, run=2), outcome(1), outcome(2), outcome(3, run=2)])
            second = await read_on(store, 1, known)

            assert sorted(o.batch for o in first) == [0, 1]
            assert [o.batch for o in second] == [2]
            assert sorted(o.batch for o in await store.outcomes_beyond(1, set())) == [0, 1, 2]
            assert await store.outcomes_beyond(9, set()) == []

    async def test_an_outcome_kept_late_by_another_writer_is_not_missed(self, open_store: OpenStore) -> None:
        async with open_store() as one, open_store() as other:
            await one.keep_outcomes([outcome(batch) for batch in (1, 2, 4)])
            known = {o.key for o in await other.outcomes_beyond(1, set())}
            await other.keep_outcomes([outcome(3), outcome(0)])

            assert sorted(o.batch for o in await one.outcomes_beyond(1, known)) == [0, 3]

    async def test_the_newest_state_of_a_run_stays_whatever_the_order(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for sequence in (2, 5, 3, 5, 1):
                await keep_state(store, 1, sequence, b"state %d" % sequence)

            assert await store.run(1) == b"state 5"
            assert await store.run(2) is None

    async def test_a_session_has_its_runs_oldest_first_and_only_in_its_account(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for run in (10, 9, 11):
                await keep_state(store, run, 1, b"%d" % run)
            await keep_state(store, 12, 1, b"12", session="s2")
            await keep_state(store, 13, 1, b"13", account="other")

            assert await store.runs_of("main", "s1") == [b"9", b"10", b"11"]
            assert await store.runs_of("main", "s2") == [b"12"]
            assert await store.runs_of("other", "s1") == [b"13"]
            assert await store.runs_of("other", "s2") == []

    async def test_the_first_problems_of_a_key_stay(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for text in (b"first", b"second"):
                await store.keep_problems("main", 1, ProblemBatch(0, "", "staged", text))

            assert await store.problem_batch(1, 0) == [ProblemBatch(0, "", "staged", b"first")]

    async def test_problems_are_listed_by_batch_entity_type_and_stage(self, open_store: OpenStore) -> None:
        keys = [(10, "", "staged"), (2, "jobs", "loaded"), (2, "", "staged"), (2, "customers", "loaded")]
        async with open_store() as store:
            for batch, entity, stage in keys:
                await store.keep_problems("main", 1, ProblemBatch(batch, entity, stage, b"x"))
            await store.keep_problems("main", 2, ProblemBatch(0, "", "staged", b"other run"))

            listed = await store.problems(1)
            of_batch = await store.problem_batch(1, 2)

        assert listed == sorted(keys)
        assert sorted((p.entity, p.stage) for p in of_batch) == [
            ("", "staged"),
            ("customers", "loaded"),
            ("jobs", "loaded"),
        ]

    async def test_everything_survives_closing_the_store(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.keep_outcomes([outcome(0)])
            known = {o.key for o in await store.outcomes_beyond(1, set())}
            await keep_state(store, 1, 3, b"state")
            await store.keep_problems("main", 1, ProblemBatch(0, "", "staged", b"told"))

        async with open_store() as store:
            await store.keep_outcomes([outcome(1)])
            await keep_state(store, 1, 2, b"older")
            assert [o.batch for o in await store.outcomes_beyond(1, known)] == [1]
            assert await store.run(1) == b"state"
            assert await store.problems(1) == [(0, "", "staged")]
