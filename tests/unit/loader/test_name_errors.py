"""Typing errors that change the order of a name's words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loader.name_errors import error_spans, misplaced_spaces, other_orders, spans_of_word, street_error_spans
from shared.catalog.identity import LinkKind, link_keys, near_hashes_of, normalise_name, salt_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Priscill aWhitbrook", "Priscilla Whitbrook"),
        ("Elia sAshcombe", "Elias Ashcombe"),
        ("EliasCrestbrook", "Elias Crestbrook"),
        ("KevinxDalecroft", "Kevin Dalecroft"),
        ("Mary Ann Whit", "Maryann Whit"),
    ],
)
def test_an_error_at_a_space_is_seen(written: str, meant: str) -> None:
    assert normalise_name(meant) in misplaced_spaces(normalise_name(written))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Ingrid indwall", "Ingrid Lindwall"),
        ("Felix oCldward", "Felix Coldward"),
        ("Gvin Glenward", "Gavin Glenward"),
        ("Claudia Cralville", "Claudia Carlville"),
    ],
)
def test_an_error_that_changes_the_order_is_near_in_another_order(written: str, meant: str) -> None:
    salt = salt_of("customers", LinkKind.NAME)
    [wanted] = link_keys("customers", LinkKind.NAME, [normalise_name(meant)])

    near, _ = near_hashes_of(other_orders(normalise_name(written)), salt)

    assert int(wanted) in near.tolist()


def test_long_company_names_are_left_alone() -> None:
    assert misplaced_spaces("big company four words") == []
    assert other_orders("a big company five words") == []


def test_numbers_are_no_place_for_typing_errors() -> None:
    assert error_spans("12 lake unit2") == [("12 lake unit2", 3, 7), ("lake 12 unit2", 0, 2), ("12 unit2 lake", 9, 11)]


def test_errors_in_a_street_are_looked_for_in_its_name_alone() -> None:
    assert street_error_spans("12 n lakeside dr apt north") == [("12 n lakeside dr apt north", 5, 13)]


def test_short_names_have_no_typing_errors() -> None:
    assert error_spans("lee o") == []


def test_only_the_letters_that_decide_the_order_are_looked_at() -> None:
    assert other_orders("anna annie") == [("annie anna", 6, 10), ("annie anna", 0, 5)]


@settings(deadline=None)
@given(st.text(alphabet="abc ", max_size=12))
def test_answers_are_other_names_in_normal_order(text: str) -> None:
    name = " ".join(sorted(text.split()))

    for other in misplaced_spaces(name):
        assert other != name
        assert other.split() == sorted(other.split())


def test_errors_in_one_word_of_a_name_are_looked_for_in_every_order() -> None:
    assert list(spans_of_word("ann lee", "ann")) == [("ann lee", 0, 3), ("lee ann", 4, 7)]
    assert list(spans_of_word("é b", "b")) == [("b é", 0, 1), ("é b", 3, 4)]
