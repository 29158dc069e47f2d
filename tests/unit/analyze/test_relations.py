from __future__ import annotations

import pytest

from services.analyze.entity_detection import detect
from shared.messages.analysis import SampledFile
from tests.support.sampled import sampled

NAMES = [
    "Ann Smith",
    "Bob Hill",
    "Cy Jones",
    "Acme Plumbing LLC",
    "Dora Wells",
    "Hill Diner Inc",
    "Eve Stone",
    "Fay Lee",
]


def _customers(*ids: str) -> SampledFile:
    rows = [[own, NAMES[at % 8], f"602555010{at % 10}", f"p{at}@example.com"] for at, own in enumerate(ids)]
    return sampled("customers.csv", ["ID", "Name", "Phone", "Email"], *rows)


def _jobs(header: str, *values: str) -> SampledFile:
    rows = [
        [f"J-{900 + at}", "AC repair", f"2024-05-{at % 28 + 1:02}", value, f"{at + 1} Elm St"]
        for at, value in enumerate(values)
    ]
    return sampled("jobs.csv", ["Job #", "Title", "Scheduled", header, "Site address"], *rows)


def _parents(*files: SampledFile) -> list[tuple[int, str]]:
    return [(relation.column, relation.parent_entity) for relation in detect(files)[-1].relations]


SMALL = [str(number) for number in range(1, 10)]


@pytest.mark.parametrize("header", ["Floors", "Crew size", "Travel", "Qty", "Min", "Year", ""])
def test_small_numbers_are_not_the_ids_of_the_first_customers(header: str) -> None:
    assert _parents(_customers(*map(str, range(1, 61))), _jobs(header, *SMALL)) == []


@pytest.mark.parametrize("header", ["Customer", "Cust ID", "Client #", "Acct"])
def test_small_numbers_under_a_header_that_speaks_of_customers_are_their_ids(header: str) -> None:
    assert _parents(_customers(*map(str, range(1, 61))), _jobs(header, *SMALL)) == [(3, "customers")]


@pytest.mark.parametrize("header", ["Zip", "Total", "Qty"])
def test_numbers_under_a_header_that_names_a_quantity_are_no_ids_however_large(header: str) -> None:
    ids = [str(number) for number in range(78_701, 78_761)]

    assert _parents(_customers(*ids), _jobs(header, *ids[:9])) == []


def test_years_are_not_the_ids_of_customers_counted_from_a_thousand() -> None:
    years = [str(year) for year in range(2005, 2021)]

    assert _parents(_customers(*map(str, range(1001, 2501))), _jobs("", *years)) == []


@pytest.mark.parametrize("first", [1_040, 310_040])
def test_numbers_close_together_far_from_zero_or_large_ones_are_ids_under_any_header(first: int) -> None:
    ids = [str(number) for number in range(first, first + 12)]

    assert _parents(_customers(*ids), _jobs("k", *ids[:9])) == [(3, "customers")]


def test_running_numbers_of_two_files_do_not_refer_to_each_other() -> None:
    parts = [[str(at), f"Filter {at}", str(at % 9 + 1), "$4.50", str(at % 5 + 1)] for at in range(1, 61)]
    items = sampled("parts.csv", ["ID", "Item", "Qty", "Price", "Min"], *parts)

    assert [list(d.relations) for d in detect([_customers(*map(str, range(1, 61))), items])] == [[], []]


def test_ids_are_those_of_employees_whatever_their_column_is_called() -> None:
    roles = ["Technician", "Dispatcher"]
    employees = sampled(
        "2.csv", ["A", "B", "C", "D"], *([f"E{at}", NAMES[at], roles[at % 2], f"602555010{at}"] for at in range(8))
    )

    assert _parents(employees, _jobs("C", *[f"E{at % 8}" for at in range(20)])) == [(3, "employees")]


def test_a_column_of_people_and_firms_refers_by_name() -> None:
    mixed = [f"{name} {at}" for at, name in enumerate(NAMES * 3)]
    customers = sampled(
        "Customer Contact List.csv", ["Customer", "Phone", "Email"],
        *([name, f"60255501{at:02}", f"p{at}@example.com"] for at, name in enumerate(mixed)),
    )  # fmt: skip
    invoices = sampled(
        "Invoices.csv", ["Num", "Customer", "Date", "Amount"],
        *([f"{at + 1}", name, "2024-05-01", "55.50"] for at, name in enumerate(mixed[:15])),
    )  # fmt: skip

    found = detect([customers, invoices])

    assert found[1].columns[1].type == "text"
    assert [(r.column, r.parent_entity, r.parent_column) for r in found[1].relations] == [(1, "customers", 0)]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_files_with_the_same_names_a_column_refers_to_the_one_it_is_called_after(turned: bool) -> None:
    names = NAMES[:3]
    customers = sampled(
        "customers.csv", ["Customer name", "Phone", "Email"],
        *([name, f"602555010{at}", f"p{at}@example.com"] for at, name in enumerate(names)),
    )  # fmt: skip
    staff = sampled(
        "technicians.csv", ["Technician name", "Role", "Hire date", "Hourly rate"],
        *([name, "Technician", "2020-01-02", "$30.00"] for name in names),
    )  # fmt: skip
    parents = [staff, customers] if turned else [customers, staff]

    assert _parents(*parents, _jobs("Technician", *names)) == [(3, "employees")]


def test_small_numbers_under_tech_id_are_the_ids_of_technicians() -> None:
    staff = sampled(
        "technicians.csv", ["Employee ID", "Name", "Role", "Hire date"],
        *([str(at + 1), name, "Technician", "2020-01-02"] for at, name in enumerate(NAMES)),
    )  # fmt: skip

    assert _parents(staff, _jobs("Tech ID", *[str(at % 8 + 1) for at in range(20)])) == [(3, "employees")]
