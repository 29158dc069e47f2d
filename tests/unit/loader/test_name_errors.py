"""Typing errors that change the order of a name's words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loader.name_errors import reordered_names
from shared.catalog.identity import normalise_name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Ingrid indwall", "Ingrid Lindwall"),
        ("Priscill aWhitbrook", "Priscilla Whitbrook"),
        ("Felix oCldward", "Felix Coldward"),
        ("EliasCrestbrook", "Elias Crestbrook"),
        ("Aingrid Lindwall", "Ingrid Lindwall"),
        ("Mary Ann Whit", "Maryann Whit"),
    ],
)
def test_an_error_at_a_words_edge_is_seen(written: str, meant: str) -> None:
    assert normalise_name(meant) in reordered_names(normalise_name(written))


def test_long_company_names_are_left_alone() -> None:
    assert reordered_names("a big company with five words") == []


@settings(deadline=None)
@given(st.text(alphabet="abc ", max_size=12))
def test_answers_are_other_names_in_normal_order(text: str) -> None:
    name = " ".join(sorted(text.split()))

    for other in reordered_names(name):
        assert other != name
        assert other.split() == sorted(other.split())
