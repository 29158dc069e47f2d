"""Counts as sums over outcomes, and how far a run is."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.status.counting import PAGE_SEEN, EntityTotals, Tally
from shared.catalog import load_catalog
from shared.messages.control import EntityCounts, RunChanged
from shared.messages.plan import RunPlan
from shared.storage.outcomes import Outcome
from tests.support.builders import File, make_plan

# Steps: 0 validating, 1 customers, 2 jobs, 3 finalizing. Jobs make customers beside them.
PLAN = make_plan(File("clients.csv", [3, 2]), File("jobs.csv", [4], ["jobs", "customers"]))
JOBS_ALONE = make_plan(File("jobs.csv", [4, 4], ["jobs"]))
PLANNED = {"validating": 3, "customers": 3, "jobs": 1, "finalizing": 2}


def outcome(step: int, batch: int, entity: str, **counts: Any) -> Outcome:
    return Outcome(1, step, batch, entity, EntityCounts(**counts).model_dump_json().encode(), "load")


def tally(*outcomes: Outcome, plan: RunPlan = PLAN, kind: str = "import") -> Tally:
    made = Tally(plan, kind, load_catalog())
    made.add(outcomes)
    return made


def state(step: int, state: Any = "importing", planned: Mapping[str, int] = PLANNED, **more: Any) -> RunChanged:
    return RunChanged(
        account="main", session="s1", run=1, kind="import", state=state, step=step, sequence=1, plan="p",
        planned=dict(planned), **more,
    )  # fmt: skip


WHOLE_RUN = (
    outcome(0, 0, "customers", valid=2, errored=1, money_left_out={"balance": 5}),
    outcome(0, 1, "customers", valid=2),
    outcome(0, 2, "jobs", valid=4),
    outcome(0, 2, "customers", valid=3),
    outcome(1, 0, "customers", imported=2, money={"balance": 100}),
    outcome(1, 1, "customers", imported=1, skipped=1, money={"balance": -1}, money_left_out={"balance": 20}),
    outcome(1, 2, "customers", imported=3),
    outcome(2, 2, "jobs", imported=4, warnings=1, references=4, linked=2, pending=2, unresolved=1),
    outcome(3, 0, PAGE_SEEN),
    outcome(3, 0, "invoices", references=2, linked=2),
    outcome(3, 1, PAGE_SEEN),
)


# ---- sums -----------------------------------------------------------------------------------------------------


def test_counts_are_sums_over_steps_and_batches() -> None:
    totals = tally(*WHOLE_RUN).totals()

    assert totals["customers"] == EntityTotals(
        extracted=8, imported=6, skipped=1, errored=1, money={"balance": 99}, money_left_out={"balance": 25}
    )
    assert totals["jobs"] == EntityTotals(
        extracted=4, imported=4, warnings=1, references=4, linked=2, pending=2, unresolved=1
    )


def test_links_settled_for_types_of_earlier_runs_come_last() -> None:
    totals = tally(*WHOLE_RUN).totals()

    assert list(totals) == ["customers", "jobs", "invoices"]
    assert totals["invoices"] == EntityTotals(references=2, linked=2)


def test_primary_types_are_extracted_as_landed_before_anything_is_staged() -> None:
    totals = tally(plan=JOBS_ALONE).totals()

    assert totals == {"jobs": EntityTotals(extracted=8)}


def test_a_run_over_some_batches_extracts_those_alone() -> None:
    plan = make_plan(File("jobs.csv", [4, 3], ["jobs"]), only_batches=(1,))

    assert tally(plan=plan).totals() == {"jobs": EntityTotals(extracted=3)}


def test_records_made_beside_the_primary_ones_are_extracted_as_staged() -> None:
    staged = outcome(0, 2, "customers", valid=2, errored=1, skipped=1)

    assert tally(staged).totals()["customers"].extracted == 4


@settings(max_examples=30, deadline=None)
@given(st.permutations(WHOLE_RUN), st.integers(0, len(WHOLE_RUN)))
def test_neither_order_nor_pieces_change_the_sums(order: Sequence[Outcome], cut: int) -> None:
    pieces = tally(*order[:cut])
    pieces.totals()
    pieces.add(order[cut:])

    assert pieces.totals() == tally(*WHOLE_RUN).totals()


# ---- complete -------------------------------------------------------------------------------------------------

EXPLAINED = [(0, "", "staged"), (1, "customers", "loaded"), (2, "jobs", "loaded")]


def test_a_run_is_complete_with_all_outcomes_and_the_problems_that_explain_them() -> None:
    assert tally(*WHOLE_RUN).is_complete(PLANNED, EXPLAINED)


@pytest.mark.parametrize("missing", range(len(WHOLE_RUN)))
def test_a_run_is_not_complete_without_the_last_outcome_of_any_batch(missing: int) -> None:
    beside = {3, 9}  # of these batches another type is counted in the same step
    rest = [o for i, o in enumerate(WHOLE_RUN) if i != missing]

    assert tally(*rest).is_complete(PLANNED, EXPLAINED) == (missing in beside or missing == 2)


@pytest.mark.parametrize("missing", EXPLAINED)
def test_a_run_is_not_complete_while_a_reason_is_missing(missing: tuple[int, str, str]) -> None:
    assert not tally(*WHOLE_RUN).is_complete(PLANNED, [key for key in EXPLAINED if key != missing])


@pytest.mark.parametrize("missing", [0, 1, 4, 5, 6, 7, 8, 10])
def test_a_batch_of_which_an_outcome_is_missing_is_asked_for_again(missing: int) -> None:
    rest = tally(*(o for i, o in enumerate(WHOLE_RUN) if i != missing))

    assert rest.missing(PLANNED, EXPLAINED) == {WHOLE_RUN[missing].batch}


def test_nothing_is_asked_for_again_where_all_is_there() -> None:
    assert tally(*WHOLE_RUN).missing(PLANNED, EXPLAINED) == set()


@pytest.mark.parametrize("missing", EXPLAINED)
def test_a_batch_without_its_reasons_is_asked_for_again(missing: tuple[int, str, str]) -> None:
    assert tally(*WHOLE_RUN).missing(PLANNED, [key for key in EXPLAINED if key != missing]) == {missing[0]}


# ---- progress -------------------------------------------------------------------------------------------------


def test_progress_before_anything_and_at_the_end() -> None:
    begun = tally().fractions(state(0, "validating", {"validating": 3}))
    ended = tally(*WHOLE_RUN).fractions(state(4, "completed"))

    assert (begun.validating, begun.importing, begun.finalizing, begun.percent) == (0.0, 0.0, 0.0, 0)
    assert (ended.validating, ended.importing, ended.finalizing, ended.percent) == (1.0, 1.0, 1.0, 100)


def test_everything_counted_is_not_the_end() -> None:
    assert tally(*WHOLE_RUN).fractions(state(3, "finalizing")).percent == 99


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_progress_never_goes_back(chance: random.Random) -> None:
    made, seen = tally(), []
    for step, name, planned in (
        (0, "validating", {"validating": 3}),
        (1, "importing", {"validating": 3, "customers": 3, "jobs": 1}),
        (2, "importing", {"validating": 3, "customers": 3, "jobs": 1}),
        (3, "finalizing", {"validating": 3, "customers": 3, "jobs": 1}),
        (3, "finalizing", PLANNED),
    ):
        seen.append(made.fractions(state(step, name, planned)).percent)
        outcomes = [o for o in WHOLE_RUN if o.step == step and (step < 3 or "finalizing" in planned)]
        for one in chance.sample(outcomes, len(outcomes)):
            made.add([one])
            seen.append(made.fractions(state(step, name, planned)).percent)
    seen.append(made.fractions(state(4, "completed")).percent)

    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert seen[-2] == 99


def test_a_run_without_anything_to_import_is_through_with_it() -> None:
    fractions = tally(plan=JOBS_ALONE).fractions(state(2, "finalizing", {"validating": 2, "jobs": 0}))

    assert fractions.importing == 1.0
