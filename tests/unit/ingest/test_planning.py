"""The frozen plan of a run: files, batches, record slots, steps."""

from __future__ import annotations

import random

import pytest

from services.ingest.planning import make_plan, steps_of
from shared.catalog import load_catalog
from shared.errors import BadInputError
from shared.messages.plan import RECORD_SLOTS_BITS, RunPlan
from tests.support.builders import File, landed, mapping_of

CATALOG = load_catalog()
CLIENTS = File("clients.csv", [500, 3], ["customers"])
JOBS = File("jobs.csv", [2], ["jobs", "customers", ("customers", 1)])
HEADER_ONLY = File("empty.csv", [], ["invoices"])


def planned(*files: File, mapped: tuple[File, ...] | None = None, run: int = 1, kind: str = "import") -> RunPlan:
    return make_plan(
        account="main",
        session="s1",
        run=run,
        kind=kind,  # type: ignore[arg-type]
        landed=[landed(file) for file in files],
        mapping=mapping_of(*(files if mapped is None else mapped)),
        catalog=CATALOG,
    )


def test_files_are_ranked_by_name_and_batches_and_slots_numbered_through() -> None:
    plan = planned(JOBS, HEADER_ONLY, CLIENTS)

    assert [(f.rank, f.name, f.first_batch, len(f.spans)) for f in plan.files] == [
        (0, "clients.csv", 0, 2),
        (1, "empty.csv", 2, 0),
        (2, "jobs.csv", 2, 1),
    ]
    assert [(s.entity, s.slot, s.primary, s.first_slot, s.order) for f in plan.files for s in f.streams] == [
        ("customers", 0, True, 0, 0),
        ("invoices", 0, True, 503, 0),
        ("jobs", 0, True, 503, 0),
        ("customers", 0, False, 505, 1),
        ("customers", 1, False, 507, 2),
    ]
    assert (plan.batches, plan.positions) == (3, (0, 1, 2))
    assert plan.file_of_batch(2).name == "jobs.csv"


def test_the_plan_does_not_depend_on_the_order_in_which_files_came() -> None:
    files = [File(f"{name}.csv", [n]) for n, name in enumerate("dbcae", start=1)]

    plans = {planned(*random.Random(seed).sample(files, 5), mapped=tuple(files)).encode() for seed in range(8)}

    assert len(plans) == 1


def test_of_files_with_the_same_name_the_content_decides() -> None:
    one, other = File("a.csv", [1], sha256="bb"), File("a.csv", [2], sha256="aa")

    plan = planned(one, other)

    assert [f.sha256 for f in plan.files] == ["aa", "bb"]


def test_of_files_with_the_same_content_the_first_by_name_is_imported() -> None:
    copies = [File(name, [2], sha256="aa") for name in ("b.csv", "a.csv", "c.csv")]

    assert [f.name for f in planned(*copies, mapped=(copies[0],)).files] == ["a.csv"]


def test_files_that_the_mapping_leaves_out_are_not_planned() -> None:
    notes = File("notes.csv", [9], [])

    plan = planned(CLIENTS, notes)

    assert ([f.name for f in plan.files], plan.batches) == (["clients.csv"], 2)


def test_a_mapping_of_files_that_are_gone_is_refused_and_names_them() -> None:
    with pytest.raises(BadInputError, match=r"clients\.csv") as refused:
        planned(JOBS, mapped=(JOBS, CLIENTS))

    assert "Nothing was imported" in refused.value.next_step


def test_a_session_in_which_nothing_is_to_be_imported_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"No file is left.*notes\.csv"):
        planned(File("notes.csv", [9], []))


def test_more_records_than_ids_are_refused() -> None:
    most = (1 << RECORD_SLOTS_BITS) - 1

    assert planned(File("a.csv", [most])).files[0].records == most
    with pytest.raises(BadInputError, match="several sessions"):
        planned(File("a.csv", [most], ["customers", "properties"]))


def test_steps_go_from_parents_to_children() -> None:
    plan = planned(JOBS, CLIENTS, File("invoices.csv", [1], ["invoices"]), File("team.csv", [1], ["employees"]))

    assert steps_of(plan, CATALOG) == ["validating", "customers", "employees", "jobs", "invoices", "finalizing"]


def test_a_preflight_has_nothing_to_finalize() -> None:
    assert steps_of(planned(CLIENTS, kind="preflight"), CATALOG) == ["validating", "customers"]
