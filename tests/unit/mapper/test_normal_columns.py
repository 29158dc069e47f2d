"""Whole columns are normalised to the letter as each text by itself."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mapper.normal_columns import normalised
from services.mapper.normal_forms import Normaliser, normalise_email, normalise_postal_code
from shared.catalog.identity import (
    fold,
    normalise_id,
    normalise_name,
    normalise_number,
    normalise_street,
)

_WRITTEN = [
    "Smith, John", "The LLC", "O'Brien's Plumbing Co.", "Bob` s", "12 North Main Street, Apt. 5", "#1042", " inv 1 ",
    "62701-1234", "627011234", "a  b", "a_b", "--", "Müller & Söhne", "x\ny", "\0", "\x7f", "", " ",
    "Smith HVAC Repair", "7",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(_WRITTEN), st.text(max_size=10), st.text(string.ascii_letters + " '#-.,&_07", max_size=16)
)


@pytest.mark.parametrize(
    "normalise",
    [
        fold,
        normalise_id,
        normalise_number,
        normalise_name,
        normalise_street,
        normalise_email,
        normalise_postal_code,
        str,
    ],
)
@given(column=st.lists(texts, max_size=8))
@settings(max_examples=150, deadline=None)
def test_column_gives_what_each_text_gives(normalise: Normaliser, column: list[str]) -> None:
    assert normalised(column, normalise) == [normalise(text) if text else "" for text in column]


def test_missing_value_has_no_normal_form() -> None:
    assert normalised([None, "Ann", None], normalise_name) == ["", "ann", ""]
