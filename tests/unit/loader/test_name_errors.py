"""Typing errors that change the order of a name's words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loader.name_errors import misplaced_spaces, other_orders
from shared.catalog.identity import LinkKind, link_keys, near_hashes, normalise_name, salt_of


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

    near = {key for order in other_orders(normalise_name(written)) for key in near_hashes(order, salt).tolist()}

    assert int(wanted) in near


def test_long_company_names_are_left_alone() -> None:
    assert misplaced_spaces("big company four words") == other_orders("big company four words") == []


@settings(deadline=None)
@given(st.text(alphabet="abc ", max_size=12))
def test_answers_are_other_names_in_normal_order(text: str) -> None:
    name = " ".join(sorted(text.split()))

    for other in misplaced_spaces(name):
        assert other != name
        assert other.split() == sorted(other.split())
