"""Headers as strangers may see them: nothing that may be a customer's value."""

from __future__ import annotations

import pytest

from services.mapper.told_headers import masked, told_headers


def told(*headers: str, kinds: tuple[str, ...] = ()) -> tuple[str, ...]:
    return told_headers(headers, kinds or ("text",) * len(headers))


def test_the_headers_of_a_header_row_are_told_word_by_word() -> None:
    headers = ("Client Name", "Email", "jobLeadSource2", "Phones of the techs", "City", "Xq77", "Sigma Notes")

    assert told(*headers) == (*headers[:5], "Ax99", "Axxxx Notes")


@pytest.mark.parametrize(
    ("header", "mask"),
    [
        ("Ann Smith", "Axx Axxxx"),
        ("Bob Lee hours", "Axx Axx hours"),
        ("Gate code 4711 Oak", "Gate code 9999 Axx"),
        ("Dr. Miller cancer note", "Ax. Axxxxx xxxxxx note"),
        ("Customer Smith", "Customer Axxxx"),
        ("smithJob", "xxxxxAxx"),
        ("Lakeside Manor", "Axxxxxxx Axxxx"),
    ],
)
def test_a_name_or_a_note_among_headers_is_not_told_whatever_stands_below_it(header: str, mask: str) -> None:
    assert told("Name", "Email", "City", header, "Hours") == ("Name", "Email", "City", mask, "Hours")


def test_a_record_is_no_row_of_headers_for_its_states_and_choices() -> None:
    record = ("Oak Street Bakery", "Austin", "TX", "Active", "Email", "Web", "No", "VIP", "Open", "N/A")

    assert told(*record)[:2] == ("Axx Axxxxx Axxxxx", "Axxxxx")


def test_a_row_of_nothing_but_choices_is_no_row_of_headers() -> None:
    assert told("Residential", "Open", "TX", "Smith job")[3] == "Axxxx xxx"


def test_of_a_record_taken_for_the_header_row_only_shapes_are_told() -> None:
    assert told("Ann Smith", "Oak Hill", "Blue Door", "Call first") == (
        "Axx Axxxx",
        "Axx Axxx",
        "Axxx Axxx",
        "Axxx xxxxx",
    )


def test_a_usual_name_of_a_field_is_told_wherever_it_stands() -> None:
    assert told("Ann Smith", "Oak Hill", "Blue Door", "Email") == ("Axx Axxxx", "Axx Axxx", "Axxx Axxx", "Email")


@pytest.mark.parametrize(
    ("header", "kind", "mask"),
    [
        ("Ann Smith", "name", "Axx Axxxx"),
        ("ann@example.com", "email", "xxx@xxxxxxx.xxx"),
        ("(602) 555-0101", "phone", "(999) 999-9999"),
        ("12 Elm Street", "street", "99 Axx Axxxxx"),
    ],
)
def test_a_header_of_the_kind_of_its_column_is_a_value(header: str, kind: str, mask: str) -> None:
    assert told("Name", "Email", "City", header, kinds=("name", "email", "city", kind))[3] == mask


def test_a_header_that_stands_among_the_values_of_its_column_is_one() -> None:
    headers = ("Name", "Email", "Austin")

    assert told_headers(headers, ("name", "email", "city"), ((), (), {"Austin", "Waco"})) == ("Name", "Email", "Axxxxx")


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        ("Elm St 12", "Axx Ax 99"),
        ("(602) 555-0101", "(999) 999-9999"),
        ("José Núñez", "Axxx Axxxx"),
        ("日本 ½", "xx 9"),
        ("a" * 100, "x" * 40),
    ],
)
def test_a_mask_keeps_the_shape_and_nothing_else(value: str, mask: str) -> None:
    assert masked(value, 40) == mask
