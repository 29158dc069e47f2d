"""Enums, booleans, e-mails, web addresses, tags, JSON."""

from __future__ import annotations

import msgspec
import pytest

from services.mapper.transforms.cells import NOTHING
from services.mapper.transforms.enums import (
    _tables,
    boolean_parser,
    enum_parser,
    fold_value,
    known_values,
    propose_values,
)
from services.mapper.transforms.texts import parse_email, parse_json, parse_url, tags_parser
from shared.catalog.model import FieldType, load_catalog


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes", True),
        ("FALSE", False),
        ("1", True),
        ("Sí", True),
        ("non", False),
        ("Inactive", False),
        ("Archived", False),
    ],
)
def test_boolean_spellings(text: str, value: bool) -> None:
    assert boolean_parser("active")(text).value is value


@pytest.mark.parametrize(("text", "value"), [("true", False), ("No", True), ("Archived", False), ("Active", True)])
def test_inverted_column_turns_answers_round_but_not_words_for_the_state(text: str, value: bool) -> None:
    assert boolean_parser("active", invert=True)(text).value is value


@pytest.mark.parametrize("text", ["maybe", "2", "yes and no"])
def test_what_is_neither_yes_nor_no_is_a_problem(text: str) -> None:
    assert boolean_parser("active")(text).code == "unreadable_boolean"


@pytest.mark.parametrize(
    ("entity", "text", "value"),
    [
        ("jobs", "In Progress", "in_progress"),
        ("jobs", "complete unrated", "completed"),
        ("jobs", "Done pending approval", "completed"),
        ("jobs", "Cancelled", "canceled"),
        ("invoices", "awaiting_payment", "sent"),
        ("invoices", "bad_debt", "void"),
        ("invoices", "past_due", "overdue"),
        ("estimates", "Sold", "approved"),
        ("memberships", "Deleted", "canceled"),
        ("leads", "Dismissed", "lost"),
    ],
)
def test_platform_statuses_are_known(entity: str, text: str, value: str) -> None:
    parse, _ = enum_parser(entity, "status", {})

    assert parse(text).value == value


def test_mapping_has_the_last_word_on_values() -> None:
    parse, _ = enum_parser("jobs", "status", {"Done": "invoiced", "parked": None})

    assert parse("done").value == "invoiced"
    assert parse("Parked") == (None, "", None, None)
    assert parse("elsewhere").code == "unknown_value"


def test_none_is_a_value_where_the_catalogue_says_so() -> None:
    parse, empty_forms = enum_parser("contacts", "preferred_channel", {})

    assert parse("None").value == "none"
    assert "none" not in empty_forms
    assert "" in empty_forms


def test_proposed_values_leave_unknown_ones_to_a_person() -> None:
    proposed = propose_values("jobs", "status", ["Done", "In Progress", "done", "Waiting on Bob"])

    assert proposed == {"done": "completed", "inprogress": "in_progress"}


def test_synonyms_name_only_allowed_values_and_each_spelling_once() -> None:
    catalog = load_catalog()
    for where, table in _tables()["enums"].items():
        entity, field = where.split(".")
        spellings = [fold_value(str(text)) for texts in table.values() for text in texts]

        assert set(table) <= set(catalog[entity].fields[field].values), where
        assert len(spellings) == len(set(spellings)), where


def test_every_enum_of_the_catalogue_has_synonyms() -> None:
    for entity in load_catalog().entities.values():
        for field in entity.fields.values():
            if field.type is FieldType.ENUM:
                assert len(known_values(entity.name, field.name)) > len(field.values), (entity.name, field.name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ann@Example.COM", "Ann@example.com"),
        ("mailto:ann@example.com", "ann@example.com"),
        ("Ann Lee <ann@example.com>", "ann@example.com"),
        ("ann@example.com, bob@example.com", "ann@example.com"),
        ("ann.o'neil+x@mail.example.co.uk", "ann.o'neil+x@mail.example.co.uk"),
    ],
)
def test_email_is_read(text: str, value: str) -> None:
    assert parse_email(text).value == value


@pytest.mark.parametrize("text", ["ann@", "ann.example.com", "ann@example", "a@b@example.com", "none@x..com", "@"])
def test_what_is_no_email_is_a_problem(text: str) -> None:
    assert parse_email(text).code == "unreadable_email"


@pytest.mark.parametrize(
    ("text", "value"),
    [("example.com", "https://example.com"), ("http://example.com/a?b=1", "http://example.com/a?b=1")],
)
def test_url_is_read(text: str, value: str) -> None:
    assert parse_url(text).value == value


@pytest.mark.parametrize("text", ["javascript:alert(1)", "no site", "ftp://example.com", "example"])
def test_what_is_no_url_is_a_problem(text: str) -> None:
    assert parse_url(text).code == "unreadable_url"


def test_tags_are_distinct_and_in_order() -> None:
    assert tags_parser(None)("VIP; landlord, VIP").value == ["VIP", "landlord"]
    assert tags_parser("/")("a, b / c").value == ["a, b", "c"]
    assert tags_parser(None)(" ; ,") is NOTHING


def test_json_keeps_its_numbers_and_other_text_stays_text() -> None:
    stored = parse_json('[ {"price": 1.10000000000000000001} ]').value

    assert isinstance(stored, msgspec.Raw)
    assert bytes(stored) == b'[{"price":1.10000000000000000001}]'
    assert parse_json("2 x filter").value == "2 x filter"
    assert parse_json("[not json").value == "[not json"
