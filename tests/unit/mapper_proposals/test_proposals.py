from __future__ import annotations

import pytest

from services.analyze.entity_detection import detect
from services.mapper.proposals import propose, propose_file
from shared.catalog.model import load_catalog
from shared.matching.scorer import load_scorer
from shared.messages.analysis import SampledFile
from shared.messages.mapping import FieldMapping, FileMapping, RecordMapping
from tests.support.sampled import JOBBER_CLIENTS, JOBBER_JOBS, sampled


def _file(*files: SampledFile, **given: str | None) -> FileMapping:
    return propose(detect(files), entities={f"{name}.csv": entity for name, entity in given.items()}).files[-1]


def _by_field(record: RecordMapping) -> dict[str, FieldMapping]:
    return {field.field: field for field in record.fields}


def test_jobber_clients_give_a_customer_and_a_property() -> None:
    customer, place = _file(JOBBER_CLIENTS).records
    assert (customer.entity, customer.primary, place.entity, place.primary) == ("customers", True, "properties", False)
    fields = _by_field(customer)
    assert fields["street"].header == "Billing Street 1"
    assert (fields["source_id"].options.part, fields["source_id"].options.separator) == ("before", "_")
    assert fields["active"].options.invert
    assert fields["customer_type"].options.values == {"false": "residential", "true": "commercial"}
    property_fields = _by_field(place)
    assert (property_fields["customer"].by, property_fields["customer"].column) == ("row", None)
    assert (property_fields["source_id"].header, property_fields["source_id"].options.part) == ("J-ID", None)
    assert property_fields["street"].header == "Service Street 1"


def test_a_job_names_its_customer_with_evidence_beside_it() -> None:
    [record] = _file(JOBBER_CLIENTS, JOBBER_JOBS).records
    customer = _by_field(record)["customer"]
    assert (customer.header, customer.by, customer.evidence) == (
        "Client name",
        "name",
        {"email": 2, "phone": 3, "street": 4},
    )


def test_options_are_decided_from_the_values() -> None:
    fields = _by_field(_file(JOBBER_JOBS).records[0])
    assert fields["scheduled_start"].options.date_order == "mdy"
    assert fields["total"].options.decimal_mark == "."
    assert fields["status"].options.values


@pytest.mark.parametrize(
    "spelling",
    ["Address_{n} {part}", "Address {n} {part}", "address{n}_{part}", "Service Address #{n} - {part}", "{part} {n}"],
)
def test_numbered_address_groups_make_properties(spelling: str) -> None:
    parts = ["Street", "City", "State", "Zip"]
    headers = ["Customer name", "Email", *(spelling.format(n=n, part=part) for n in (1, 2, 3) for part in parts)]
    row = ["Ann Smith", "ann@example.com", *["1 Elm St", "Mesa", "AZ", "85201"] * 3]
    customer, *properties = _file(sampled("customers.csv", headers, row, row)).records
    assert _by_field(customer)["street"].header == headers[2]
    assert [(p.entity, p.slot) for p in properties] == [("properties", 0), ("properties", 1), ("properties", 2)]
    assert _by_field(properties[2])["postal_code"].column == 13


def test_a_second_address_line_is_no_second_address() -> None:
    headers = ["Name", "Phone", "Address 1", "Address 2", "City", "State", "Zip"]
    row = ["Ann Smith", "(602) 555-0101", "1 Elm St", "Apt 4", "Mesa", "AZ", "85201"]
    [customer] = _file(sampled("customers.csv", headers, row)).records
    assert {f: m.header for f, m in _by_field(customer).items() if f.startswith("street")} == {
        "street": "Address 1",
        "street2": "Address 2",
    }


@pytest.mark.parametrize(
    ("header", "entity", "field"),
    [
        ("customer_name", "customers", "name"),
        ("client_email", "customers", "email"),
        ("work_order_date", "jobs", "scheduled_start"),
    ],
)
def test_fields_that_platforms_name_their_own_way(header: str, entity: str, field: str) -> None:
    [record] = _file(sampled("x.csv", [header]), x=entity).records
    assert [mapping.field for mapping in record.fields] == [field]


def test_integer_cents_are_known_by_their_header() -> None:
    file = sampled("x.csv", ["Name", "outstandingCents"], ["Ann Smith", "12050"], ["Bob Hill", "300"])
    [record] = _file(file, x="customers").records
    assert _by_field(record)["balance"].options.money_unit == "minor"


@pytest.mark.parametrize(
    ("header", "values", "by"),
    [
        ("Customer ID", ["7f3a11", "8b2c22"], "source_id"),
        ("Customer", ["Ann Smith", "Bob Hill"], "name"),
        ("Customer Email", ["a@example.com", "b@example.com"], "email"),
    ],
)
def test_what_a_reference_names_its_parent_by(header: str, values: list[str], by: str) -> None:
    file = sampled("x.csv", ["Invoice #", header], *(["1", value] for value in values))
    [record] = _file(file, x="invoices").records
    assert _by_field(record)["customer"].by == by


def test_a_file_left_out_by_hand_has_no_records() -> None:
    assert _file(JOBBER_CLIENTS, clients=None).records == ()


def test_the_platform_is_the_label_unless_one_is_given() -> None:
    detections = detect([JOBBER_CLIENTS, JOBBER_JOBS])
    assert propose(detections).source_label == "jobber"
    assert propose(detections, source_label="old shop").source_label == "old shop"
    assert propose(detect([sampled("x.csv", ["Name", "Phone"])])).source_label == "files"


def test_every_field_takes_one_column_and_every_column_one_field_of_a_record() -> None:
    catalog = load_catalog()
    for file in propose(detect([JOBBER_CLIENTS, JOBBER_JOBS])).files:
        for record in file.records:
            fields = [mapping.field for mapping in record.fields]
            columns = [mapping.column for mapping in record.fields if mapping.column is not None]
            assert len(set(fields)) == len(fields)
            assert len(set(columns)) == len(columns)
            assert set(fields) <= set(catalog[record.entity].fields)
            assert all(0 <= mapping.confidence <= 1 for mapping in record.fields)


JOBS_WITH_ADDRESS = sampled(
    "jobs.csv",
    ["Job #", "Customer Name", "Title", "Service Street", "Service City", "Service State", "Service Zip"],
    ["1", "Ann Smith", "AC repair", "1 Elm St", "Mesa", "AZ", "85201"],
    ["2", "Bob Hill", "Drain cleaning", "3 Oak Ave", "Tampa", "FL", "33601"],
)
CUSTOMERS = sampled(
    "customers.csv",
    ["Customer ID", "Customer Name", "Email"],
    ["7", "Ann Smith", "ann@example.com"],
    ["8", "Bob Hill", "bob@example.com"],
)


def test_a_jobs_service_address_is_its_own_and_names_no_property() -> None:
    fields = _by_field(_file(JOBS_WITH_ADDRESS).records[0])

    assert "property" not in fields
    assert [fields[part].header for part in ("street", "city", "state", "postal_code")] == [
        "Service Street",
        "Service City",
        "Service State",
        "Service Zip",
    ]


def test_a_column_called_property_names_one_even_by_its_street() -> None:
    fields = _by_field(_file(JOBBER_JOBS).records[0])

    assert (fields["property"].header, fields["property"].by) == ("Property", "name")


def test_a_street_in_invoices_names_a_property_only_where_there_may_be_some() -> None:
    invoices = sampled(
        "invoices.csv",
        ["Invoice #", "Customer name", "Total", "Service address"],
        ["1", "Ann Smith", "$5.00", "1 Elm St"],
        ["2", "Bob Hill", "$6.00", "3 Oak Ave"],
    )

    alone, beside_customers = _file(invoices), _file(CUSTOMERS, invoices)
    beside_properties = _file(JOBBER_CLIENTS, invoices)

    assert "property" in _by_field(alone.records[0])
    assert "property" not in _by_field(beside_customers.records[0])
    assert "property" in _by_field(beside_properties.records[0])


def test_columns_that_merely_mean_what_a_known_export_says_tell_no_platform() -> None:
    invented = sampled(
        "invoices.csv",
        ["Invoice Number", "Customer Name", "Customer Email", "Subject", "Issue Date", "Due Date", "Paid Date", "Total",
         "Balance", "Job Number"],
        ["1", "Ann Smith", "ann@example.com", "AC repair", "1/2/2026", "2/2/2026", "", "$5.00", "$5.00", "17"],
    )  # fmt: skip
    [detection] = detect([invented])

    assert (detection.entity, detection.platform) == ("invoices", None)


@pytest.mark.parametrize("extra", [[], ["CFT[Gate code]", "PFT[Panel]", "CFS[Colour]"]])
def test_an_export_is_known_by_its_spelling_whatever_fields_the_business_added(extra: list[str]) -> None:
    headers = ["J-ID", "Display Name", "E-mails", "Is Company?", "Main Phone #s", "Service Street 1", "Archived"]
    [detection] = detect([sampled("x.csv", [*headers, *extra])])

    assert detection.platform == "jobber"


def test_words_that_are_no_part_of_the_names_beside_them_are_no_last_names() -> None:
    file = sampled(
        "clients.csv",
        ["Client Name", "Xq77", "Email"],
        ["Ann Smith", "blue", "ann@example.com"],
        ["Bob Hill", "green", "bob@example.com"],
        ["Cy Jones", "red", "cy@example.com"],
    )
    [record] = _file(file, clients="customers").records
    assert set(_by_field(record)) == {"name", "email"}


def test_every_proposal_says_why_and_a_doubtful_one_what_else_it_could_be() -> None:
    for file in propose(detect([JOBBER_CLIENTS, JOBBER_JOBS])).files:
        for field in (field for record in file.records for field in record.fields):
            assert 1 <= len(field.reasons) <= 3
            assert field.runner_up != field.field


def test_of_two_columns_for_a_field_the_one_with_values_feeds_it() -> None:
    headers = ["Account number", "Customer number", "Customer name", "Email"]
    rows = [["", "4711", "Ann Smith", "ann@example.com"], ["", "4712", "Bob Hill", "bob@example.com"]]
    [record] = _file(sampled("customers.csv", headers, *rows)).records

    assert _by_field(record)["source_id"].header == "Customer number"


def test_an_address_comes_from_one_place_and_that_is_the_billing_address() -> None:
    headers = ["Customer name", "Street", "City", "Zip", "Billing Street", "Billing City", "Billing Zip"]
    rows = [
        ["Ann Smith", "1 Elm St", "Mesa", "85201", "9 Main St", "Tampa", "33601"],
        ["Bob Hill", "2 Oak Ave", "Mesa", "85201", "8 Main St", "Macon", "31201"],
    ]
    customer = _by_field(_file(sampled("customers.csv", headers, *rows)).records[0])

    assert [customer[field].header for field in ("street", "city", "postal_code")] == headers[4:]


def test_a_column_called_nothing_like_it_does_not_fill_a_required_field() -> None:
    file = sampled("people.csv", ["Colour", "Shape"], ["red", "round"], ["blue", "square"])
    [detection] = detect([file])

    document = propose_file(detection, load_scorer(), entity="customers", given=True)

    assert [field.field for record in document.records for field in record.fields if field.column is not None] == []
