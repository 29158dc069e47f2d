"""Opaque cursors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInputError
from shared.http.pagination import decode_cursor, encode_cursor


@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_gives_its_position_back(text: str, number: int) -> None:
    assert decode_cursor(encode_cursor(text, number), str, int) == (text, number)


@given(st.text())
def test_arbitrary_text_is_bad_input_or_a_position(text: str) -> None:
    try:
        position = decode_cursor(text, int)
    except BadInputError:
        return
    assert isinstance(position[0], int)


def test_a_cursor_of_another_list_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="cursor"):
        decode_cursor(encode_cursor("a", 1), int)
