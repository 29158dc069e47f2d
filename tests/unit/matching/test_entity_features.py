from __future__ import annotations

import pytest

from services.analyze.entity_chances import look_at
from services.analyze.profiles import profile_columns
from shared.matching.entity_features import ENTITY_FEATURES, NONE_FEATURES, WITH_A_PARTY
from shared.matching.scorer import load_scorer
from tests.support.sampled import sampled

ROWS = [
    ["Ann Smith", "ann@example.com", "1 Elm St", "Mesa", "AZ", "85201"],
    ["Bob Hill", "bob@example.com", "2 Oak Ave", "Tampa", "FL", "33601"],
    ["Cy Jones", "cy@example.com", "3 Pine Rd", "Macon", "GA", "31201"],
]
HEADERS = ["Name", "Email", "Street", "City", "State", "Zip"]


def _seen(
    headers: list[str], rows: list[list[str]], *, name: str = "x.csv", entity: str = "customers"
) -> tuple[dict[str, float], dict[str, float]]:
    """What is seen for an entity type and for none of them."""
    file, scorer = sampled(name, headers, *rows), load_scorer()
    view = look_at(file, scorer.read(profile_columns(file.headers, file.rows, file.records)), scorer)
    own = view.rows[scorer.space.entities.index(entity)]
    return dict(zip(ENTITY_FEATURES, own, strict=True)), dict(zip(NONE_FEATURES, view.none_row, strict=True))


def test_an_address_says_the_same_in_one_column_and_in_four() -> None:
    whole, _ = _seen(HEADERS, ROWS)
    street, _ = _seen(HEADERS[:3], [row[:3] for row in ROWS])

    assert whole["usual_present"] == pytest.approx(street["usual_present"], abs=0.15)


def test_amounts_without_anybodys_contact_details_are_seen() -> None:
    _, none = _seen(["Month", "Jobs", "Revenue"], [["Jan", "12", "$300.50"], ["Feb", "8", "$210.00"]])
    _, people = _seen(HEADERS, ROWS)

    assert (none["amounts"], none["no_contact_details"]) == (pytest.approx(2 / 3), 1.0)
    assert people["no_contact_details"] == 0.0


PAPER = ["Ref", "Customer", "Date", "Amount", "Status"]


@pytest.mark.parametrize(
    ("statuses", "own"),
    [
        (["Completed", "Dispatched", "Scheduled"], "jobs"),
        (["Paid", "Void", "Overdue"], "invoices"),
        (["Approved", "Declined", "Accepted"], "estimates"),
        (["Active", "Suspended", "Lapsed"], "memberships"),
    ],
)
def test_statuses_speak_for_the_entity_type_whose_they_are(statuses: list[str], own: str) -> None:
    rows = [[f"70{i}", "Ann Smith", "2026-01-02", "12.50", status] for i, status in enumerate(statuses)]

    found = {entity: _seen(PAPER, rows, entity=entity)[0]["own_statuses"] for entity in WITH_A_PARTY}

    assert max(found, key=lambda entity: found[entity]) == own
    assert [entity for entity, value in found.items() if value > 0] == [own]


def test_names_of_persons_speak_for_customers_and_against_properties() -> None:
    people, _ = _seen(HEADERS, ROWS)
    places, _ = _seen(HEADERS, ROWS, entity="properties")

    assert people["names_of_people"] > 0.5
    assert places["names_of_people"] <= 0.0


def test_a_header_that_does_not_speak_of_a_customer_makes_a_doubtful_one() -> None:
    rows = [[row[0], *row[2:]] for row in ROWS]

    unnamed, _ = _seen(["Who", *HEADERS[2:]], rows, entity="properties")
    named, _ = _seen(["Client", *HEADERS[2:]], rows, entity="properties")

    assert (named["parent_unnamed"], unnamed["parent_unnamed"] > 0.1) == (0.0, True)


def test_a_number_that_several_rows_have_is_that_of_their_document() -> None:
    headers = ["Invoice #", "Customer", "Invoice date", "Amount"]
    rows = [[number, "Ann Smith", "2026-01-02", f"{i}.50"] for i, number in enumerate(["71", "71", "71", "72"])]
    once = [[f"7{i}", *row[1:]] for i, row in enumerate(rows)]

    lines, _ = _seen(headers, rows, entity="invoices")
    papers, _ = _seen(headers, once, entity="invoices")

    assert lines["key_repeats"] == pytest.approx(0.5, abs=0.05)
    assert papers["key_repeats"] == 0.0


def test_a_number_that_all_rows_have_tells_nothing() -> None:
    same, _ = _seen(["Invoice #", "Customer"], [["71", "Ann Smith"], ["71", "Bob Hill"]], entity="invoices")

    assert same["key_repeats"] == 0.0


def test_a_list_of_suppliers_is_seen_as_one() -> None:
    _, vendors = _seen(["Vendor Name", "Vendor Phone", "Email"], [["Acme LLC", "(602) 555-0101", "a@example.com"]])
    _, people = _seen(HEADERS, ROWS, name="vendors.csv")
    _, parts = _seen(["Item", "Qty", "Cost", "Vendor"], [["Valve", "3", "$2.50", "Acme LLC"]])

    assert vendors["other_subject_first"] == 1.0
    assert (people["other_subject_named"], people["other_subject_first"]) == (1.0, 0.0)
    assert (parts["other_subject_first"], parts["other_party"]) == (0.0, 0.0)


def test_a_paper_whose_party_is_a_supplier_has_no_customer() -> None:
    rows = [["71", "Acme LLC", "2026-01-02", "2026-02-02", "$12.50"]]

    _, bill = _seen(["Invoice No", "Supplier", "Invoice Date", "Due Date", "Total"], rows)
    _, paper = _seen(["Invoice No", "Customer", "Invoice Date", "Due Date", "Total"], rows)

    assert bill["other_party"] > 0.5
    assert paper["other_party"] == 0.0


def test_an_order_number_of_the_customer_s_is_no_other_party() -> None:
    rows = [["71", "2026-01-02", "2026-02-02", "$12.50", "P-5", "PO Box 5"]]

    _, paper = _seen(["Invoice No", "Invoice Date", "Due Date", "Total", "PO Number", "POAddressLine1"], rows)

    assert (paper["other_subject_first"], paper["other_party"]) == (0.0, 0.0)
