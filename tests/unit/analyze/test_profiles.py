from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyze.profiles import profile_columns
from services.analyze.value_kinds import kinds_of


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a@example.com", "b@example.org"], "email"),
        (["(602) 555-0101", "+1 602-555-0102 x12"], "phone"),
        (["06 12 34 56 78", "01.23.45.67.89"], "phone"),
        (["089 123456", "(0171) 2345678"], "phone"),
        (["03-5550143", "03/5550144"], "phone"),
        (["01234-5678", "02139-4307"], "postal_code"),
        (["1/15/2026", "2/1/2026"], "date"),
        (["Fri Jan 03, 2025 10:30 am", "Mon Jan 06, 2025 9:00 am"], "datetime"),
        (["2026-01-15T10:30:00Z"], "datetime"),
        (["$1,234.56", "(12.00)", "-$5"], "money"),
        (["12", "7"], "integer"),
        (["1041", "1042", "1043", "J1044"], "id"),
        ([*map(str, range(100)), "total"], "integer"),
        (["12.5", "7.25", "0.125"], "money"),
        (["0.125", "3.5"], "decimal"),
        (["12.5%", "3%"], "percent"),
        (["Yes", "no"], "boolean"),
        (["0", "1", "1"], "boolean"),
        (["03301", "97402"], "postal_code"),
        (["AZ", "FL"], "state"),
        (["12 N Main St", "Calle Reforma 5"], "street"),
        (["12 Main St, Mesa, AZ 85201"], "address"),
        (["Ann Smith", "Smith, Carl"], "name"),
        (["Acme LLC", "Riverside Property Management"], "company"),
        (["For services rendered: Drain cleaning", "For services rendered: Outlet repair"], "text"),
        (["FLT-16251", "PEX-12R"], "id"),
        (["www.example.com"], "url"),
        (["", " ", "-", "N/A"], "empty"),
        (['[{"a": 1}]'], "json"),
    ],
)
def test_the_type_of_a_column(values: list[str], kind: str) -> None:
    [profile] = profile_columns(["x"], [[value] for value in values], len(values))
    assert profile.type == kind


@pytest.mark.parametrize(("header", "kind"), [("Customer ID", "integer"), ("Phone Number", "phone"), ("", "phone")])
def test_ten_bare_digits_are_what_the_header_says(header: str, kind: str) -> None:
    [profile] = profile_columns([header], [["6025550101"], ["4805550102"]], 2)
    assert profile.type == kind


@pytest.mark.parametrize(
    ("header", "kind"), [("Part no", "id"), ("Item code", "id"), ("Mobile", "phone"), ("", "phone")]
)
def test_grouped_digits_that_begin_with_0_are_no_phones_where_the_header_says_id(header: str, kind: str) -> None:
    [profile] = profile_columns([header], [["03-5550143"], ["03-5550144"]], 2)
    assert profile.type == kind


@pytest.mark.parametrize("value", ["012-34-5678", "00-1234", "0.12345678", "01-02-2024 08:00", "0123456789012"])
def test_other_digits_that_begin_with_0_are_no_phones(value: str) -> None:
    assert "phone" not in kinds_of(value)


def test_figures_of_a_column() -> None:
    [profile] = profile_columns(["Status"], [["Open"], ["Paid"], ["Open"], [""]], 4)
    assert (profile.fill, profile.distinct, profile.min_length, profile.max_length) == (0.75, 2, 4, 4)
    assert profile.frequent == (("Open", 2), ("Paid", 1))
    assert profile.pattern == "Aa"


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["1/2/2026", "13/2/2026"], "dmy"),
        (["1/2/2026", "2/13/2026"], "mdy"),
        (["2026-02-01"], "ymd"),
        (["1/2/2026"], None),
        (["01/02/2026", "01/15/2026 9:00 AM"], "mdy"),
        (["2026-01-15", "15.01.2026"], "dmy"),
        (["13/2/2026", "2/13/2026"], None),
    ],
)
def test_one_telling_date_decides_the_order(values: list[str], order: str | None) -> None:
    [profile] = profile_columns(["Date"], [[value] for value in values], len(values))
    assert profile.date_order == order


def test_one_telling_amount_decides_the_decimal_mark() -> None:
    [profile] = profile_columns(["Total"], [["1.234,50 €"], ["12"]], 2)
    assert profile.decimal_mark == ","


def test_short_rows_and_no_rows_have_profiles_too() -> None:
    assert [p.type for p in profile_columns(["a", "b"], [["1"]], 1)] == ["integer", "empty"]
    assert [p.type for p in profile_columns(["a", "b"], [], 0)] == ["empty", "empty"]


@given(st.text(min_size=1, max_size=80).filter(lambda text: text == text.strip()))
def test_any_value_has_kinds_without_failing(value: str) -> None:
    assert len(set(kinds_of(value))) == len(kinds_of(value))
