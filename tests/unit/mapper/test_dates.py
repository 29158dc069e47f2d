from __future__ import annotations

import pytest

from services.mapper.transforms.cells import NOTHING
from services.mapper.transforms.dates import CODE, date_parser, decide_excel_serials
from shared.catalog.date_order import DateOrder


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-15", "2026-01-15"),
        ("2026/1/5", "2026-01-05"),
        ("20260115", "2026-01-15"),
        ("1/15/2026", "2026-01-15"),
        ("01-15-2026", "2026-01-15"),
        ("Jan 15, 2026", "2026-01-15"),
        ("January 15 2026", "2026-01-15"),
        ("Sept. 3rd, 2024", "2024-09-03"),
        ("15-Jan-2026", "2026-01-15"),
        ("15-Jan-26", "2026-01-15"),
        ("2026-Jan-15", "2026-01-15"),
        ("15 janvier 2026", "2026-01-15"),
        ("1er août 2024", "2024-08-01"),
        ("15 de enero de 2026", "2026-01-15"),
        ("Friday, January 3, 2025", "2025-01-03"),
        ("mar. 3 mars 2026", "2026-03-03"),
        ("2/29/2024", "2024-02-29"),
        ("12/31/69", "2069-12-31"),
        ("12/31/70", "1970-12-31"),
        ("2026-01-15T10:30:00Z", "2026-01-15"),
        ("3/14/2024 9:00 AM", "2024-03-14"),
    ],
)
def test_date_is_read(text: str, day: str) -> None:
    assert date_parser(order=None, region="US", with_time=False)(text).value == day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("3/14/2024 9:00 AM", "2024-03-14T09:00:00"),
        ("3/14/2024 12:00 AM", "2024-03-14T00:00:00"),
        ("3/14/2024, 12:30pm", "2024-03-14T12:30:00"),
        ("Fri Jan 03, 2025 10:30 am", "2025-01-03T10:30:00"),
        ("2026-01-15 10:30", "2026-01-15T10:30:00"),
        ("2026-01-15T10:30:05.250-0500", "2026-01-15T10:30:05.25-05:00"),
        ("2026-01-15T10:30:00Z", "2026-01-15T10:30:00Z"),
        ("2026-01-15 10:30:00 UTC", "2026-01-15T10:30:00Z"),
        ("1/15/2026 9:00 AM EST", "2026-01-15T09:00:00-05:00"),
        ("Wed, 03 Jan 2024 10:30:00 +0000", "2024-01-03T10:30:00+00:00"),
        ("20260115T103000Z", "2026-01-15T10:30:00Z"),
        ("Jan 15, 2026 at 5pm", "2026-01-15T17:00:00"),
        ("Jan 15, 2026", "2026-01-15T00:00:00"),
    ],
)
def test_moment_is_read_with_the_offset_only_where_the_source_gave_one(text: str, moment: str) -> None:
    assert date_parser(order=None, region="US", with_time=True)(text).value == moment


@pytest.mark.parametrize(
    "text",
    [
        "2/29/2025",
        "4/31/2026",
        "13/13/2026",
        "1/15/0024",
        "Jan 2026",
        "2026",
        "45292",
        "9:00 AM - 11:00 AM",
        "9:00 AM",
        "Jan 15, 2026 9:00 AM - 11:00 AM",
        "3/14/2024 25:00",
        "3/14/2024 13:00 PM",
        "3/14/2024 9",
        "3/14-2024",
        "tomorrow",
        "Anytime",
        "1/2/3/4",
        "x" * 500,
    ],
)
def test_what_is_no_existing_date_is_a_problem(text: str) -> None:
    assert date_parser(order=None, region="US", with_time=True)(text).code == CODE


@pytest.mark.parametrize("text", ["00/00/0000", "0000-00-00", "0000-00-00 00:00:00", "0"])
def test_zero_date_is_empty(text: str) -> None:
    assert date_parser(order=None, region="US", with_time=False)(text) is NOTHING


@pytest.mark.parametrize(
    ("order", "region", "day"),
    [
        ("mdy", "GB", "2026-03-04"),
        ("dmy", "US", "2026-04-03"),
        (None, "US", "2026-03-04"),
        (None, "GB", "2026-04-03"),
    ],
)
def test_order_of_the_column_decides_then_the_region(order: DateOrder | None, region: str, day: str) -> None:
    assert date_parser(order=order, region=region, with_time=False)("03/04/2026").value == day


def test_a_day_above_twelve_in_the_month_place_is_never_turned_round() -> None:
    assert date_parser(order="mdy", region="US", with_time=False)("15.01.2026").code == CODE
    assert date_parser(order="dmy", region="US", with_time=False)("15.01.2026").value == "2026-01-15"


def test_two_digit_years_may_come_first() -> None:
    assert date_parser(order="ymd", region="US", with_time=False)("26/01/15").value == "2026-01-15"


def test_spreadsheet_days_count_where_the_column_holds_mostly_them() -> None:
    assert decide_excel_serials(["45292", "45293.5", "", "45300", "45301", "Jan 1, 2024"])
    assert not decide_excel_serials(["45292", "1/15/2026", "1/16/2026"])
    assert not decide_excel_serials(["99999", "12345"])
    assert not decide_excel_serials([])


def test_spreadsheet_day_is_read_where_the_mapping_says_so() -> None:
    parse = date_parser(order=None, region="US", with_time=True, excel_serials=True)

    assert parse("45292").value == "2024-01-01T00:00:00"
    assert parse("45292.75").value == "2024-01-01T18:00:00"
    assert parse("1/2/2024").value == "2024-01-02T00:00:00"
