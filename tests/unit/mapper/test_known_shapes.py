"""Where a file comes from: amounts in cents, and how far presets reach into files that only lie beside theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from services.analyze.entity_detection import detect
from services.mapper.known_shapes import informed_proposal
from shared.messages.analysis import SampledFile
from shared.messages.mapping import FieldMapping
from tests.support.sampled import JOBBER_CLIENTS, sampled

CASES = Path(__file__).parents[3] / "benchmarks" / "mapping" / "cases.json"


def fields(
    *files: SampledFile, entity: str | None = None, label: str | None = None, place: int = -1
) -> dict[str, FieldMapping]:
    """Field -> mapping of the main record of one file of a session, the last one where no place is given."""
    chosen = {files[place].file: entity} if entity else {}
    document = informed_proposal(detect(files), entities=chosen, source_label=label).document
    return {field.field: field for field in document.files[place].records[0].fields}


def headers(found: dict[str, FieldMapping]) -> dict[str, str | None]:
    return {name: field.header for name, field in found.items()}


def dumped_jobs(prefix: str = "job_") -> SampledFile:
    """Jobs as Housecall Pro's interface writes them, in a file that does not say so. `prefix`: what ids begin with."""
    content = json.loads(CASES.read_text(encoding="utf-8"))
    cases = content if isinstance(content, list) else content["cases"]
    case = next(case for case in cases if case["id"] == "d-job-hcpstyle")
    columns = case["columns"]
    columns[0]["samples"] = [text.replace("job_", prefix) for text in columns[0]["samples"]]
    rows = zip(*(column["samples"] for column in columns), strict=True)
    return sampled(case["file_name"], [column["header"] for column in columns], *(list(row) for row in rows))


INVOICE_HEADERS = ["id", "job_id", "invoice_number", "status", "amount", "subtotal", "due_amount", "due_at", "paid_at"]


def invoices(*amounts: str, name: str = "housecall_pro_invoices.csv") -> SampledFile:
    rows = [
        [f"invoice_{at}", f"job_{at}", str(1000 + at), "open", amount, amount, "0", "2024-01-02", ""]
        for at, amount in enumerate(amounts)
    ]
    return sampled(name, INVOICE_HEADERS, *rows)


def test_amounts_of_an_interface_that_counts_in_cents_are_read_as_cents_and_it_is_said() -> None:
    total = fields(dumped_jobs())["total"]

    assert (total.header, total.options.money_unit) == ("total_amount", "minor")
    assert total.reasons[0] == (
        "Its amounts are cents, as Housecall Pro writes them (API jobs): 13032 is read as 130.32."
    )


def test_columns_called_alike_in_another_program_are_not_in_cents() -> None:
    assert fields(dumped_jobs(prefix=""))["total"].options.money_unit == "major"


def test_every_amount_of_such_a_file_is_in_cents() -> None:
    found = fields(invoices("12050", "9900", "150000"))

    assert {name: found[name].options.money_unit for name in ("total", "subtotal", "balance")} == {
        "total": "minor",
        "subtotal": "minor",
        "balance": "minor",
    }


def test_an_amount_with_a_decimal_point_says_that_nothing_is_in_cents() -> None:
    file = sampled(
        "housecall_pro_invoices.csv",
        INVOICE_HEADERS,
        ["invoice_1", "job_1", "1001", "open", "120.50", "120", "0", "2024-01-02", ""],
        ["invoice_2", "job_2", "1002", "open", "99.00", "99", "0", "2024-01-03", ""],
    )

    assert {field.options.money_unit for field in fields(file).values()} == {"major"}


@pytest.mark.parametrize(
    ("names", "row"),
    [
        (["Invoice #", "Customer name", "Invoice amount", "Invoice status"], ["7", "Ann Smith", "150", "Open"]),
        (["number", "customer", "amount", "status"], ["7", "Ann Smith", "150", "open"]),
    ],
    ids=["the list export", "a list by hand"],
)
def test_other_files_of_the_same_platform_are_not_in_cents(names: Sequence[str], row: Sequence[str]) -> None:
    found = fields(sampled("invoices.csv", names, row), entity="invoices", label="Housecall Pro")

    assert found["total"].options.money_unit == "major"


def listed(name: str, headers: str, *amounts: int) -> SampledFile:
    """A list by hand: headers, then the cells of a row with $ for its amount and @ for its number."""
    rows = [
        [text.replace("@", str(at)).replace("$", str(amount)) for text in headers.split(";")[1].split(",")]
        for at, amount in enumerate(amounts, start=1)
    ]
    return sampled(name, headers.split(";")[0].split(","), *rows)


PLAIN_DOLLARS = {
    "invoices by id": listed(
        "invoices.csv",
        "id,job_id,invoice_number,status,amount,due_at;@,5@,100@,paid,$,2024-01-0@",
        120, 240, 360,
    ),
    "invoices": listed(
        "bills.csv",
        "Invoice Number,Job ID,Status,Amount,Due At,Customer,Terms;100@,5@,paid,$,2024-01-0@,Ann Kay,Net 30",
        120, 240, 360,
    ),
    "jobs": listed(
        "old jobs.csv",
        "Invoice Number,Description,Notes,Tags,Lead Source,Total Amount,Created At,Customer;"
        "100@,Fix sink,call,vip,web,$,2024-01-0@,Ann Kay",
        120, 240, 360,
    ),
    "price list": listed(
        "price list.csv",
        "Name,Description,Price,Cost,Taxable,Unit of Measure,Part Number;Filter @,Nice,$,1$,true,ea,P@",
        485, 320, 45,
    ),
    "price list spelled alike": listed(
        "price list.csv",
        "name,description,price,cost,taxable,unit_of_measure,part_number;Filter @,Nice,$,1$,true,ea,P@",
        485, 320, 45,
    ),
}  # fmt: skip
HOUSECALL_JOBS = sampled(
    "jobs.csv",
    ["Job #", "Customer name", "Customer email", "Customer phone", "Job description", "Job status", "Job created date",
     "Job scheduled start date", "Job amount", "Due amount", "Assigned employees"],
    ["101", "Ann Kay", "ann@example.com", "(602) 555-0101", "Fix sink", "Completed", "01/02/2026", "01/03/2026",
     "$120.50", "$0.00", "Bob Hill"],
    ["102", "Cy Low", "cy@example.com", "(602) 555-0102", "Tune-up", "Scheduled", "01/02/2026", "01/03/2026",
     "$99.00", "$9.00", "Bob Hill"],
)  # fmt: skip


@pytest.mark.parametrize("how", ["beside", "label", "name"])
@pytest.mark.parametrize("which", PLAIN_DOLLARS)
def test_lists_by_hand_are_in_dollars_wherever_the_name_of_a_platform_stands(which: str, how: str) -> None:
    file = PLAIN_DOLLARS[which]
    beside = [HOUSECALL_JOBS] if how == "beside" else []
    assert how != "beside" or detect(beside)[0].platform == "housecall_pro"
    if how == "name":
        file = msgspec.structs.replace(file, file=f"housecall pro {file.file}")

    found = fields(*beside, file, label="Housecall Pro" if how == "label" else None)

    assert {"total", "unit_price"} & found.keys()
    assert {field.options.money_unit for field in found.values()} == {"major"}


def test_a_header_that_speaks_of_cents_is_believed_and_it_is_said() -> None:
    file = sampled(
        "bills.csv", ["Invoice #", "Client", "Balance Due Cents"], ["7", "Ann Kay", "12050"], ["8", "Cy", "990"]
    )

    balance = fields(file, entity="invoices")["balance"]

    assert balance.options.money_unit == "minor"
    assert balance.reasons[0] == "Its amounts are cents, as its header says: 12050 is read as 120.50."


BY_HAND = sampled(
    "old customers.csv",
    ["Name", "Title", "Home", "Work", "E-mails", "City", "State"],
    ["Ann Smith", "Mrs", "555-201-3000", "555-201-4000", "ann@example.com", "Austin", "TX"],
    ["Bob Jones", "Mr", "555-201-3001", "555-201-4001", "bob@example.com", "Austin", "TX"],
    ["Cy Low", "Mr", "555-201-3002", "555-201-4002", "cy@example.com", "Austin", "TX"],
)


@pytest.mark.parametrize("label", [None, "Jobber"], ids=["beside a known export", "under its label"])
def test_a_list_by_hand_loses_no_column_to_the_preset_of_another_export(label: str | None) -> None:
    alone = headers(fields(BY_HAND))

    beside = headers(fields(JOBBER_CLIENTS, BY_HAND, label=label))

    assert (alone["phone"], alone["mobile_phone"]) == ("Home", "Work")
    assert beside == alone


def test_the_name_of_a_platform_in_the_file_name_is_not_enough_for_a_file_with_other_columns() -> None:
    file = sampled(
        "fieldedge people.csv",
        ["Name", "Phone", "Address", "Colour", "Shoe size", "Mood"],
        ["Ann Smith", "555-201-3000", "1 Elm St", "blue", "38", "fine"],
        ["Bob Jones", "555-201-3001", "2 Elm St", "red", "42", "fine"],
    )

    assert not any("preset" in field.reasons[0] for field in fields(file, entity="customers").values())


def test_phones_and_mails_that_feed_nothing_still_say_which_customer_is_meant() -> None:
    quotes = sampled(
        "fieldedge quotes.csv",
        ["Customer", "Quote #", "Date", "Status", "Amount", "Sales Person", "Primary Phone", "Primary Email", "Task"],
        ["Smith, Ann", "101", "3/14/2024", "Open", "$9.50", "Bob Hill", "(512) 555-0192", "ann@example.com", "Tune-up"],
        ["Jones, Cy", "102", "3/15/2024", "Sold", "$8.50", "Bob Hill", "(512) 555-0193", "cy@example.com", "Install"],
    )

    assert fields(quotes)["customer"].evidence == {"phone": 6, "email": 7}
