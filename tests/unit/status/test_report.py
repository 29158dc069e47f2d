"""The reconciliation report, and how the columns of an error file are named."""

from __future__ import annotations

import msgspec
import pytest

from services.status.columns import column_names
from services.status.counting import EntityTotals
from services.status.report import MoneyReport, make_report
from shared.catalog import load_catalog
from shared.messages.control import RunChanged
from tests.support.builders import File, make_plan, reading

PLAN = make_plan(File("clients.csv", [3, 2]), File("jobs.csv", [4], ["jobs", "customers", ("customers", 1)]))


def state(**more: object) -> RunChanged:
    return RunChanged.model_validate(
        {"account": "main", "session": "s1", "run": 1, "kind": "import", "state": "completed", "sequence": 9,
         "plan": "p", "started_at": 100.0, **more}
    )  # fmt: skip


def test_files_are_listed_with_the_types_they_make_once_each() -> None:
    report = make_report(state(), PLAN, {}, load_catalog())

    assert [(f.file, f.entities, f.records) for f in report.files] == [
        ("clients.csv", ["customers"], 5),
        ("jobs.csv", ["jobs", "customers"], 4),
    ]


def test_money_is_split_into_what_arrived_and_what_did_not() -> None:
    sums = {
        "jobs": EntityTotals(money={"total": 123_456}, money_left_out={"total": -57}),
        "invoices": EntityTotals(money_left_out={"balance": 5}),
    }

    report = make_report(state(), PLAN, sums, load_catalog())

    assert report.money == {
        "jobs.total": MoneyReport(source="1233.99", destination="1234.56", left_out="-0.57"),
        "invoices.balance": MoneyReport(source="0.05", destination="0.00", left_out="0.05"),
    }


def test_seconds_are_those_of_the_run_and_0_while_it_goes_on() -> None:
    ended = make_report(state(ended_at=161.5), PLAN, {}, load_catalog())
    running = make_report(state(state="importing"), PLAN, {}, load_catalog())

    assert (ended.seconds, running.seconds) == (61.5, 0.0)


def test_what_stopped_a_run_is_in_its_report() -> None:
    report = make_report(state(state="failed", failure="The keys are damaged."), PLAN, {}, load_catalog())

    assert (report.state, report.error) == ("failed", "The keys are damaged.")


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        (("ID", "Name"), ["ID", "Name"]),
        (("ID", "", "Name", ""), ["ID", "Column 2", "Name", "Column 4"]),
        (("Phone", "Phone", "Phone"), ["Phone", "Phone (2)", "Phone (3)"]),
        (("Phone (2)", "Phone", "Phone"), ["Phone (2)", "Phone", "Phone (3)"]),
        (("", "Column 1"), ["Column 1", "Column 1 (2)"]),
        (("A", "A (3)", "A"), ["A", "A (3)", "A (3) (3)"]),
    ],
)
def test_every_column_of_an_error_file_has_a_name_of_its_own(headers: tuple[str, ...], names: list[str]) -> None:
    file = msgspec.structs.replace(PLAN.files[0], reading=reading(*headers))

    assert column_names(file) == names
