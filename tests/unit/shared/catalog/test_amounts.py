"""Amounts as decimal texts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalog.amounts import decimal_text


@pytest.mark.parametrize(
    ("minor", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (100, "1.00"), (-123_456_789, "-1234567.89")]
)
def test_minor_units_are_written_with_two_digits(minor: int, text: str) -> None:
    assert decimal_text(minor) == text


@given(st.integers(-(10**18), 10**18))
def test_an_amount_keeps_its_value(minor: int) -> None:
    assert Decimal(decimal_text(minor)) * 100 == minor
