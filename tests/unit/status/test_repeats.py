"""A run that repeats failed batches takes their place in the report."""

from __future__ import annotations

from services.status.repeats import merged, parts_of
from shared.catalog import load_catalog
from shared.messages.control import RunChanged
from shared.messages.landing import Reading, Span
from shared.messages.plan import PlannedFile, PlannedStream, RunPlan
from shared.storage.outcomes import Outcome

FINALIZING = 2
"""Step after validating and customers."""


def plan(run: int, *, only: tuple[int, ...] | None = None, sha256: str = "aa") -> RunPlan:
    spans = tuple(Span(first_record=at, records=1, line=at + 2, position=0, length=1) for at in range(3))
    file = PlannedFile(
        rank=0,
        name="clients.csv",
        sha256=sha256,
        records=3,
        reading=Reading(encoding="utf-8", delimiter=",", header_line=1, headers=("Name",)),
        spans=spans,
        first_batch=0,
        mapping=b"{}",
        streams=(PlannedStream(entity="customers", slot=0, primary=True, first_slot=0, order=0),),
    )
    return RunPlan(
        account="main", session="s", run=run, kind="import", catalog_version=1, source_label="files", region="US",
        strict=False, files=(file,), batches=3, only_batches=only,
    )  # fmt: skip


def state(run: int, kind: str = "import") -> RunChanged:
    return RunChanged(
        account="main", session="s", run=run, kind=kind, state="completed", sequence=1, plan="p", planned={}
    )


def outcome(run: int, step: int, batch: int) -> Outcome:
    return Outcome(run, step, batch, "customers", b"{}", "load")


def test_one_run_stands_for_all_its_batches() -> None:
    parts = parts_of([(state(1), plan(1))])

    assert [(part.state.run, sorted(part.batches)) for part in parts] == [(1, [0, 1, 2])]


def test_each_batch_belongs_to_the_latest_run_that_worked_on_it() -> None:
    runs = [(state(1), plan(1)), (state(2), plan(2, only=(0, 2))), (state(3), plan(3, only=(2,)))]

    parts = parts_of(runs)

    assert [(part.state.run, sorted(part.batches)) for part in parts] == [(3, [2]), (2, [0]), (1, [1])]


def test_a_dry_run_in_between_does_not_count() -> None:
    runs = [(state(1), plan(1)), (state(2, "preflight"), plan(2)), (state(3), plan(3, only=(2,)))]

    assert [part.state.run for part in parts_of(runs)] == [3, 1]


def test_a_run_over_other_files_stands_alone() -> None:
    runs = [(state(1), plan(1, sha256="bb")), (state(2), plan(2, only=(2,)))]

    assert [part.state.run for part in parts_of(runs)] == [2]


def test_outcomes_of_repeated_batches_are_replaced_and_links_of_all_runs_stay() -> None:
    parts = parts_of([(state(1), plan(1)), (state(2), plan(2, only=(2,)))])
    outcomes = {
        1: [outcome(1, 0, 0), outcome(1, 0, 2), outcome(1, 1, 2), outcome(1, FINALIZING, 2)],
        2: [outcome(2, 0, 2), outcome(2, 1, 2), outcome(2, FINALIZING, 0)],
    }

    kept = [(o.run, o.step, o.batch) for o in merged(parts, outcomes, load_catalog())]

    assert sorted(kept) == [(1, 0, 0), (1, FINALIZING, 2), (2, 0, 2), (2, 1, 2), (2, FINALIZING, 0)]
