from __future__ import annotations

import pytest

from services.mapper.transforms.numbers import (
    DecimalMark,
    decimal_parser,
    default_decimal_mark,
    integer_parser,
    money_parser,
)
from shared.catalog.amounts import decimal_text
from shared.messages.mapping import TimeUnit


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("$1,234.56", 123456),
        ("1234.5", 123450),
        ("1234", 123400),
        ("0", 0),
        (".5", 50),
        ("(12.00)", -1200),
        ("$ (12.00)", -1200),
        ("($12.00)", -1200),
        ("-$5", -500),
        ("$-5", -500),
        ("5-", -500),
        ("USD 5", 500),
        ("5 usd", 500),
        ("12.5000", 1250),
        ("1'234.50", 123450),
        ("1,234,567.89", 123456789),
    ],
)
def test_amount_is_read_to_exact_cents(text: str, minor: int) -> None:
    assert money_parser(mark=".")(text).value == minor


@pytest.mark.parametrize(
    ("text", "mark", "code"),
    [
        ("12.345", ".", "too_precise_amount"),
        ("12,34", ".", "unreadable_amount"),
        ("1,23,456.00", ".", "unreadable_amount"),
        ("1.234,56", ".", "unreadable_amount"),
        ("1,234.56", ",", "unreadable_amount"),
        ("1,234", None, "ambiguous_amount"),
        ("1.234", None, "ambiguous_amount"),
        ("12.5%", ".", "percentage_not_amount"),
        ("free", ".", "unreadable_amount"),
        ("--5", ".", "unreadable_amount"),
        ("(5", ".", "unreadable_amount"),
        ("-(5)", ".", "unreadable_amount"),
        ("1e5", ".", "unreadable_amount"),
        ("12 hrs", ".", "unreadable_amount"),
        ("9" * 40, ".", "unreadable_amount"),
        ("$", ".", "unreadable_amount"),
    ],
)
def test_what_is_no_exact_amount_is_a_problem(text: str, mark: DecimalMark | None, code: str) -> None:
    assert money_parser(mark=mark)(text).code == code


@pytest.mark.parametrize(("text", "minor"), [("1.234,56 €", 123456), ("12,5", 1250), ("1 234,56", 123456)])
def test_comma_is_the_mark_where_the_column_says_so(text: str, minor: int) -> None:
    assert money_parser(mark=",")(text).value == minor


@pytest.mark.parametrize(("text", "minor"), [("1,234.56", 123456), ("1.234,56", 123456), ("12,34", 1234), ("$5", 500)])
def test_without_a_mark_only_what_can_be_one_amount_is_read(text: str, minor: int) -> None:
    assert money_parser(mark=None)(text).value == minor


def test_source_may_write_whole_cents() -> None:
    parse = money_parser(mark=".", unit="minor")

    assert parse("123456").value == 123456
    assert parse("123456").text == "123456"
    assert parse("12.50").code == "too_precise_amount"


@pytest.mark.parametrize(
    ("text", "stored"),
    [("1,234.50", "1234.50"), ("007", "7"), ("+5", "5"), (".5", "0.5"), ("-0.0", "0.0"), ("40.7127761", "40.7127761")],
)
def test_decimal_keeps_its_digits(text: str, stored: str) -> None:
    assert decimal_parser(mark=".")(text).value == stored


def test_a_point_is_a_decimal_mark_even_in_an_undecided_column_but_a_comma_is_not() -> None:
    assert decimal_parser(mark=None)("1.234").value == "1.234"
    assert decimal_parser(mark=None)("1,234").code == "ambiguous_number"


@pytest.mark.parametrize(("text", "value"), [("12", 12), ("12.0", 12), ("1,200", 1200), ("-3", -3)])
def test_integer_is_read(text: str, value: int) -> None:
    assert integer_parser(mark=".")(text).value == value


@pytest.mark.parametrize("text", ["12.5", "twelve", "9" * 30])
def test_what_is_no_whole_number_is_a_problem(text: str) -> None:
    assert integer_parser(mark=".")(text).code == "unreadable_number"


@pytest.mark.parametrize(
    ("text", "unit", "hours"),
    [
        ("120", "minutes", "2"),
        ("45", "minutes", "0.75"),
        ("100", "minutes", "1.6667"),
        ("-30", "minutes", "-0.5"),
        ("0", "minutes", "0"),
        ("5400", "seconds", "1.5"),
        ("1.5", "days", "36"),
        ("2.50", "hours", "2.50"),
    ],
)
def test_what_is_not_counted_in_hours_is_converted(text: str, unit: TimeUnit, hours: str) -> None:
    assert decimal_parser(mark=".", unit=unit)(text).value == hours


def test_region_decides_where_a_column_gives_no_evidence() -> None:
    assert default_decimal_mark("US") == "."
    assert default_decimal_mark("DE") is None


@pytest.mark.parametrize(("minor", "text"), [(123456, "1234.56"), (-5, "-0.05"), (0, "0.00")])
def test_minor_units_are_written_with_two_digits(minor: int, text: str) -> None:
    assert decimal_text(minor) == text
