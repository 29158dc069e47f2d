from __future__ import annotations

import msgspec
import pytest

from services.analyze.entity_detection import detect
from tests.support.sampled import JOBBER_CLIENTS, JOBBER_JOBS, sampled


def test_known_exports_are_recognised_with_their_platform() -> None:
    clients, jobs = detect([JOBBER_CLIENTS, JOBBER_JOBS])
    assert (clients.entity, clients.platform) == ("customers", "jobber")
    assert (jobs.entity, jobs.platform) == ("jobs", "jobber")


def test_a_child_file_knows_its_parent_by_the_values() -> None:
    _, jobs = detect([JOBBER_CLIENTS, JOBBER_JOBS])
    assert {(r.column, r.parent_entity) for r in jobs.relations} >= {(1, "customers")}


def test_a_parent_file_is_no_child_of_its_children() -> None:
    jobs = sampled("jobs.csv", ["Job ID", "Title"], ["J101", "AC repair"], ["J102", "Leak"], ["J103", "Tune-up"])
    invoices = sampled("invoices.csv", ["Invoice #", "Job ID"], ["1", "J101"], ["2", "J102"], ["3", "J103"])
    parents, children = (detection.relations for detection in detect([jobs, invoices]))
    assert parents == ()
    assert [(r.column, r.parent_file, r.parent_column) for r in children] == [(1, "jobs.csv", 0)]


@pytest.mark.parametrize(
    ("headers", "row"),
    [
        (["Month", "Technician", "Jobs Completed", "Total Revenue", "Average Ticket"],
         ["Jan", "Bob Hill", "12", "$1,200.00", "$100.00"]),
        (["Payment ID", "Invoice ID", "Customer", "Amount", "Payment Method", "Check #"],
         ["1", "2", "Ann Smith", "$5.00", "Cash", ""]),
        (["Employee", "Date", "Clock In", "Clock Out", "Regular Hours"],
         ["Ann Smith", "1/2/2026", "8:00", "17:00", "8"]),
        (["Row Labels", "2022", "2023", "Grand Total"], ["HVAC", "1", "2", "3"]),
        (["Recipe", "Cuisine", "Calories", "Servings"], ["Soup", "French", "200", "4"]),
        ([""], [""]),
    ],
)  # fmt: skip
def test_none_of_these_is_an_answer(headers: list[str], row: list[str]) -> None:
    [detection] = detect([sampled("export.csv", headers, row, row)])
    assert detection.entity is None
    assert detection.reasons


def test_a_file_without_header_row_is_known_by_its_values() -> None:
    rows = [
        ["07/17/2024 12:30 PM", "Ann Smith", "5780 Birch Cir", "Macon", "AC repair", "Scheduled", "$106.60"],
        ["07/18/2024 12:30 PM", "Bob Hill", "12 Oak Ln", "Tampa", "Drain cleaning", "In Progress", "$96.00"],
        ["07/19/2024 12:30 PM", "Acme LLC", "9 Elm Ave", "Mesa", "Spring tune-up", "Canceled", "$10.00"],
    ]
    [detection] = detect([sampled("export.csv", [""] * 7, *rows)])
    assert detection.entity == "jobs"


def test_a_wrong_file_name_does_not_decide() -> None:
    headers = ["Invoice #", "Client", "Issued date", "Due date", "Subtotal", "Tax", "Total", "Balance"]
    [detection] = detect([sampled("customers.csv", headers)])
    assert detection.entity == "invoices"


def test_detection_of_a_file_does_not_depend_on_the_order_of_files() -> None:
    first = {d.file: d for d in detect([JOBBER_CLIENTS, JOBBER_JOBS])}
    second = {d.file: d for d in detect([JOBBER_JOBS, JOBBER_CLIENTS])}
    assert first == second


def test_chances_never_sum_above_one() -> None:
    for detection in detect([JOBBER_CLIENTS, JOBBER_JOBS, sampled("x.csv", ["Name", "Phone"])]):
        assert detection.entity_confidence + max((a.confidence for a in detection.alternatives), default=0.0) <= 1.001


def test_a_parent_file_of_which_only_a_part_was_sampled_is_known_by_the_values() -> None:
    people = [[f"{100_000 + i}", f"Ann Smith{i}", f"ann{i}@example.com"] for i in range(40)]
    customers = sampled("customers.csv", ["Customer ID", "Customer Name", "Email"], *people[::2])
    customers = msgspec.structs.replace(customers, records=len(people))
    invoices = sampled(
        "invoices.csv", ["Invoice #", "Account", "Total"], *([f"{i}", row[0], "$5.00"] for i, row in enumerate(people))
    )

    [relation] = detect([customers, invoices])[1].relations

    assert (relation.column, relation.parent_entity, relation.share) == (1, "customers", 1.0)


def test_what_a_doubtful_file_holds_is_decided_by_whose_records_its_values_are() -> None:
    people = [[f"C{1000 + i}", f"Ann Smith{i}", f"ann{i}@example.com"] for i in range(8)]
    customers = sampled("customers.csv", ["Customer ID", "Customer Name", "Email"], *people)
    places = sampled("export.csv", ["", ""], *([row[0], f"{i + 1} Elm St"] for i, row in enumerate(people)))

    alone = detect([places])[0]
    beside = detect([customers, places])[1]

    assert (alone.entity, beside.entity) == (None, "properties")


def test_a_second_file_of_the_same_records_is_no_child_of_the_first() -> None:
    people = [[f"C{1000 + i}", f"Ann Smith{i}", f"555201000{i}", f"ann{i}@example.com"] for i in range(8)]
    customers = sampled("customers.csv", ["Customer ID", "Customer Name", "Phone", "Email"], *people)
    again = sampled("export.csv", [""] * 4, *people)

    alone = detect([again])[0]
    beside = detect([customers, again])[1]

    assert [relation.parent_entity for relation in beside.relations] == ["customers", "customers"]
    assert (beside.entity, beside.entity_confidence) == (alone.entity, alone.entity_confidence)


def test_a_file_that_holds_none_of_the_types_though_most_columns_fit_is_told_the_reason() -> None:
    headers = ["Bill number", "Supplier", "Bill date", "Due date", "Amount", "Balance due"]
    rows = [[f"B-{at}", "Ace Supply", "01/02/2026", "02/02/2026", "$120.50", "$0.00"] for at in range(9)]
    [detection] = detect([sampled("bills.csv", headers, *rows)])

    assert detection.entity is None
    assert "but only" not in " ".join(detection.reasons)
    assert "No column holds e-mail addresses, phone numbers or streets." in detection.reasons


def test_a_single_column_tells_too_little() -> None:
    [detection] = detect([sampled("export.csv", ["Id"], ["12"], ["13"], ["14"])])

    assert detection.reasons[0].endswith(", but one column alone tells too little.")


@pytest.mark.parametrize(
    ("name", "headers", "row"),
    [
        ("vendor contacts.csv", ["Vendor", "Contact", "Phone", "Email", "City", "State"],
         ["Ace Supply", "Ann Smith", "(602) 555-0101", "ann@example.com", "Mesa", "AZ"]),
        ("export.csv", ["Bill number", "Supplier", "Bill date", "Due date", "Amount", "Balance due"],
         ["B-71", "Ace Supply", "01/02/2026", "02/02/2026", "$120.50", "$0.00"]),
        ("po list.csv", ["PO number", "Supplier", "Order date", "Ship via", "Total"],
         ["P-71", "Ace Supply", "01/02/2026", "Truck", "$120.50"]),
    ],
)  # fmt: skip
def test_papers_and_lists_of_other_parties_are_none_of_these(name: str, headers: list[str], row: list[str]) -> None:
    rows = [[f"{cell}{i}" if at == 0 else cell for at, cell in enumerate(row)] for i in range(4)]
    [detection] = detect([sampled(name, headers, *rows)])
    assert detection.entity is None


@pytest.mark.parametrize(
    ("statuses", "entity"),
    [
        (["Completed", "Dispatched", "In progress", "Scheduled"], "jobs"),
        (["Paid", "Void", "Overdue", "Paid"], "invoices"),
        (["Approved", "Declined", "Sent", "Accepted"], "estimates"),
    ],
)
def test_statuses_tell_what_an_ambiguous_file_holds(statuses: list[str], entity: str) -> None:
    rows = [[f"500{i}", f"Ann Smith{i}", "01/02/2026", f"{i}2.50", status] for i, status in enumerate(statuses * 3)]
    [detection] = detect([sampled("export.csv", ["Ref", "Customer", "Date", "Amount", "Status"], *rows)])
    assert detection.entity == entity
