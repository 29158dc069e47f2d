"""How values are read that can be read in several ways, and that it is said."""

from __future__ import annotations

import pytest

from services.analyze.entity_detection import detect
from services.mapper.proposals import propose
from shared.messages.analysis import SampledFile
from shared.messages.mapping import FieldMapping
from tests.support.sampled import sampled
from tests.unit.mapper.builders import bodies, compiled, field, mapped, record, stream

_NAMES = ("Ann Smith", "Bob Hill", "Cy Jones", "Dora Weber")


def _fields(*files: SampledFile, region: str = "US", of: int = -1) -> dict[str, FieldMapping]:
    return {field.field: field for field in propose(detect(files), region=region).files[of].records[0].fields}


def _invoices(
    name: str, issued: list[str], paid: list[str], totals: tuple[str, ...] = ("10", "20", "30", "40")
) -> SampledFile:
    rows = [[str(1000 + at), *row] for at, row in enumerate(zip(_NAMES, issued, paid, totals, strict=True))]
    return sampled(name, ["Invoice No", "Customer", "Invoice date", "Paid date", "Total"], *rows)


DAY_FIRST = ["14/04/2024", "16/03/2024", "17/02/2024", "08/05/2024"]
MONTH_FIRST = ["04/14/2024", "03/16/2024", "02/17/2024", "05/08/2024"]
OPEN = ["05/06/2024", "07/04/2024", "03/03/2024", "06/09/2024"]
OPEN_LATER = ["06/07/2024", "08/05/2024", "04/04/2024", "07/10/2024"]


@pytest.mark.parametrize(
    ("issued", "order", "said"),
    [
        (DAY_FIRST, "dmy", "“05/06/2024” is read as day first, like the other dates of the file."),
        (MONTH_FIRST, "mdy", "“05/06/2024” is read as month first, like the other dates of the file."),
    ],
)
def test_dates_that_do_not_tell_their_order_are_read_like_the_others(issued: list[str], order: str, said: str) -> None:
    paid = _fields(_invoices("invoices.csv", issued, OPEN))["paid_on"]
    assert (paid.options.date_order, paid.reasons[-1]) == (order, said)
    assert len(paid.reasons) <= 3


def test_a_file_whose_dates_do_not_tell_is_read_like_the_other_files() -> None:
    told, open_ = _invoices("a.csv", DAY_FIRST, DAY_FIRST), _invoices("invoices.csv", OPEN, OPEN_LATER)
    paid = _fields(told, open_)["paid_on"]
    assert paid.options.date_order == "dmy"
    assert paid.reasons[-1] == "“06/07/2024” is read as day first, like the other dates of the session."


@pytest.mark.parametrize(("region", "which"), [("US", "month"), ("GB", "day")])
def test_where_nothing_tells_the_region_does_and_it_is_said(region: str, which: str) -> None:
    paid = _fields(_invoices("invoices.csv", OPEN, OPEN_LATER), region=region)["paid_on"]
    assert paid.options.date_order is None
    assert paid.reasons[-1] == (
        f"“06/07/2024” is read as {which} first: no date tells the day from the month. Correct it if that is wrong."
    )


def test_dates_that_contradict_each_other_leave_it_to_the_region() -> None:
    file = _invoices("invoices.csv", DAY_FIRST, MONTH_FIRST)
    headers = (*file.headers, "Due date")
    rows = [[*row, due] for row, due in zip(file.rows, OPEN, strict=True)]
    due = _fields(sampled("invoices.csv", headers, *rows))["due_on"]
    assert due.options.date_order is None
    assert "read as month first: no date tells" in due.reasons[-1]


def test_nothing_is_said_of_dates_that_can_be_read_in_one_way_only() -> None:
    paid = _fields(_invoices("invoices.csv", DAY_FIRST, ["2024-05-06", "", "6 Jul 2024", "06/06/2024"]))["paid_on"]
    assert not any("read as" in reason for reason in paid.reasons)


def _quotes(subtotals: list[str], totals: list[str]) -> SampledFile:
    rows = [[str(1000 + at), *row] for at, row in enumerate(zip(_NAMES, subtotals, totals, strict=True))]
    return sampled("invoices.csv", ["Invoice No", "Customer", "Subtotal", "Total"], *rows)


def test_a_decimal_mark_that_does_not_show_is_that_of_the_other_numbers() -> None:
    fields = _fields(_quotes(["1.200", "2.400", "1.100", "3.000"], ["1.245,50", "2.445,50", "1.145,50", "3.045,50"]))
    assert fields["subtotal"].options.decimal_mark == ","
    assert fields["subtotal"].reasons[-1] == "“1.200” is read with a decimal comma, like the other numbers of the file."


def test_what_a_point_parts_is_said_where_no_number_tells() -> None:
    fields = _fields(_quotes(["1.200", "2.400", "1.100", "3.000"], ["1.300", "2.500", "1.200", "3.100"]))
    assert fields["subtotal"].options.decimal_mark is None
    assert fields["subtotal"].reasons[-1] == ("“1.200” is read as 1.2: no other number tells what its point parts.")


def test_commas_between_thousands_are_not_worth_a_word() -> None:
    fields = _fields(_quotes(["1,200", "2,400", "1,100", "3,000"], ["1,245.50", "2,445.50", "1,145.50", "3,045.50"]))
    assert not any("read" in reason for reason in fields["subtotal"].reasons)


def _visits(*columns: tuple[str, list[str]]) -> SampledFile:
    rows = [[str(1000 + at), name] for at, name in enumerate(_NAMES)]
    rows = [[*row, *(cells[at] for _, cells in columns)] for at, row in enumerate(rows)]
    return sampled("jobs.csv", ["Job #", "Customer", *(header for header, _ in columns)], *rows)


DAYS = ("Start Date", MONTH_FIRST)
STATUS = ("Status", ["Completed", "Scheduled", "Completed", "Canceled"])


@pytest.mark.parametrize(
    ("header", "unit"), [("Duration (min)", "minutes"), ("Duration (hrs)", "hours"), ("Duration", "hours")]
)
def test_what_the_header_counts_is_converted_to_hours(header: str, unit: str) -> None:
    labor = _fields(_visits(DAYS, (header, ["120", "90", "60", "45"]), STATUS))["labor_hours"]
    assert (labor.header, labor.options.time_unit) == (header, unit)
    said = "Its header counts minutes: “120” is read as 2 hours."
    assert (said in labor.reasons) == (unit == "minutes")


def test_minutes_are_stored_as_hours_and_kept_as_written() -> None:
    plan = compiled("Job #|Min", record("jobs", field("number", 0), field("labor_hours", 1, time_unit="minutes")))
    [job] = bodies(stream(mapped(plan, ("7", "100")), "jobs"))
    assert (job["labor_hours"], job["_original"]) == ("1.6667", {"labor_hours": "100"})


@pytest.mark.parametrize("header", ["Duration (days)", "Labor ($)", "Labor time (lbs)"])
def test_what_counts_no_hours_is_not_taken_for_hours(header: str) -> None:
    assert "labor_hours" not in _fields(_visits(DAYS, (header, ["120", "90", "60", "45"]), STATUS))


def test_times_of_day_that_no_field_takes_are_told() -> None:
    ends = ("End Date", ["04/15/2024", "03/17/2024", "02/18/2024", "05/09/2024"])
    times = ("Start Time", ["8:00 AM", "9:00 AM", "1:30 PM", "8:00 AM"])
    fields = _fields(_visits(DAYS, times, ends, STATUS))
    said = "The times in “Start Time” are not taken over: the field takes one column."
    assert said in fields["scheduled_start"].reasons
    assert said not in fields["scheduled_end"].reasons


@pytest.mark.parametrize("amounts", [["100", "50", "20", "70"], ["75", "75", "45", "45"]])
def test_the_total_of_an_invoice_is_not_the_amount_of_its_line(amounts: list[str]) -> None:
    rows = [
        [number, "Ann Smith", "2024-04-14", item, amount, total]
        for number, item, amount, total in zip(
            ("7", "7", "8", "8"), ("LAB", "MAT", "LAB", "MAT"), amounts, ("150", "150", "90", "90"), strict=True
        )
    ]
    headers = ["Invoice #", "Customer", "Date", "Item", "Amount", "Invoice Total"]
    total = _fields(sampled("invoices.csv", headers, *rows))["total"]
    assert total.header == "Invoice Total"
    assert "It is the same in all rows of one number." in total.reasons


@pytest.mark.parametrize(
    "spelling", ["Ship To {}", "Shipping {}", "ship-to_{}", "ShipTo{}", "Delivery {}", "Service {}", "Job Site {}"]
)
def test_where_things_are_sent_or_done_is_a_property(spelling: str) -> None:
    parts = ["Street", "City", "Zip"]
    headers = ["Customer name", "Email", *(f"Billing {part}" for part in parts), *map(spelling.format, parts)]
    rows = [
        ["Ann Smith", "ann@example.com", "9 Main St", "Tampa", "33601", "1 Elm St", "Mesa", "85201"],
        ["Bob Hill", "bob@example.com", "8 Main St", "Macon", "31201", "2 Oak Ave", "Mesa", "85201"],
    ]
    customer, place = propose(detect([sampled("customers.csv", headers, *rows)])).files[0].records
    assert [field.header for field in customer.fields if field.field in ("street", "city", "postal_code")] == headers[
        2:5
    ]
    assert (place.entity, [field.header for field in place.fields][1:]) == ("properties", headers[5:])


def test_beside_a_service_address_the_shipping_address_is_no_property() -> None:
    parts = ["Street", "City", "Zip"]
    headers = ["Customer name", "Email", *(f"{kind} {part}" for kind in ("Shipping", "Service") for part in parts)]
    row = ["Ann Smith", "ann@example.com", "9 Main St", "Tampa", "33601", "1 Elm St", "Mesa", "85201"]
    [_, place] = propose(detect([sampled("customers.csv", headers, row)])).files[0].records
    assert [field.header for field in place.fields][1:] == headers[5:]
