from __future__ import annotations

import random

import phonenumbers
import pytest

from services.mapper.transforms.cells import NOTHING
from services.mapper.transforms.phones import CODE, area_codes, phone_parser


@pytest.mark.parametrize(
    ("text", "number", "extension"),
    [
        ("(212) 555-0142", "+12125550142", None),
        ("212.555.0142", "+12125550142", None),
        ("2125550142", "+12125550142", None),
        ("1-212-555-0142", "+12125550142", None),
        ("+1 212 555 0142", "+12125550142", None),
        ("+12125550142", "+12125550142", None),
        ("212-555-0142 x12", "+12125550142", "12"),
        ("(212) 555-0142 ext. 12", "+12125550142", "12"),
        ("212-555-0142 #12", "+12125550142", "12"),
        ("212-555-0142 Extension 7", "+12125550142", "7"),
        ("+44 20 7946 0958", "+442079460958", None),
        ("787-555-0123", "+17875550123", None),
        ("(212) 555-0142; (303) 555-0199", "+12125550142", None),
        ("212-555-0142 / 303-555-0199", "+12125550142", None),
        ("n/a, 303-555-0199", "+13035550199", None),
    ],
)
def test_number_is_read_to_e164_with_its_extension(text: str, number: str, extension: str | None) -> None:
    parsed = phone_parser("US")(text)

    assert (parsed.value, parsed.extension, parsed.code) == (number, extension, None)


@pytest.mark.parametrize("text", ["555-0142", "123", "call the office", "(111) 555-0142", "+2125550142", "9" * 300])
def test_what_is_no_number_is_a_problem(text: str) -> None:
    assert phone_parser("US")(text) == (None, "", CODE, None)


def test_first_of_several_numbers_must_be_readable() -> None:
    assert phone_parser("US")("555-01; 212-555-0142").code == CODE


def test_cell_of_empty_forms_is_empty() -> None:
    assert phone_parser("US")("n/a / none") is NOTHING


def test_region_decides_on_numbers_without_country_code() -> None:
    assert phone_parser("GB")("020 7946 0958").value == "+442079460958"
    assert phone_parser("GB")("212-555-0142").code == CODE
    assert phone_parser("GB")("+1 212-555-0142").value == "+12125550142"


def test_area_codes_that_are_not_wholly_valid_go_to_the_library() -> None:
    assert not area_codes() & {"523", "524", "983", "787", "242", "555"}
    assert {"212", "303", "416", "800"} <= area_codes()


def test_fast_path_agrees_with_the_library_on_random_numbers() -> None:
    parse, source = phone_parser("US"), random.Random(3)
    for _ in range(3000):
        text = f"({source.randrange(200, 1000)}) {source.randrange(200, 1000)}-{source.randrange(10_000):04}"
        number = phonenumbers.parse(text, "US")
        expected = phonenumbers.format_number(number, 0) if phonenumbers.is_valid_number(number) else None
        assert parse(text).value == expected, text
