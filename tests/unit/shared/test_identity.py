"""Polynomial hashes: those of joined texts are put together from their parts; long texts are cut the same way."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalog.identity import (
    SEPARATOR,
    TEXT_BYTES_MAX,
    HashedTexts,
    Keys,
    LinkKind,
    hash_table,
    hash_texts,
    hashed,
    joined_polynomials,
    link_keys,
    natural_hashes,
    natural_salt,
    salt_of,
)

SALT = 77
# Lengths around the limit, where joined texts are cut; characters of one byte and of several.
texts = st.one_of(
    st.text(max_size=12),
    st.integers(TEXT_BYTES_MAX - 3, TEXT_BYTES_MAX + 3).map(lambda size: "x" * size),
    st.integers(500, 520).map(lambda size: "é" * size),
)


def hash_by_definition(text: str) -> int:
    """The hash of one text, worked out with whole numbers, byte by byte."""
    base = 0x9E3779B97F4A7C15
    data = text.encode("utf-8", "surrogatepass")[:TEXT_BYTES_MAX]
    mixed = (sum((code + 1) * base**place for place, code in enumerate(data)) + SALT) % 2**64
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
    return max(mixed ^ mixed >> 31, 1) if data else 0


@given(column=st.lists(st.text(max_size=12), max_size=6))
@settings(max_examples=60, deadline=None)
def test_hash_of_a_text_does_not_depend_on_its_neighbours(column: list[str]) -> None:
    assert hash_texts(column, SALT).tolist() == [hash_by_definition(text) for text in column]


def test_column_above_the_size_of_a_block_is_hashed_in_parts() -> None:
    column = [f"{'name ' * 100}{i}" for i in range(300)]

    assert hash_texts(column, SALT).tolist() == [int(hash_texts([text], SALT)[0]) for text in column]


@given(rows=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=6), parts=st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_polynomial_put_together_from_parts_is_that_of_the_joined_text(
    rows: list[tuple[str, str, str]], parts: int
) -> None:
    columns = [HashedTexts(list(column)) for column in list(zip(*rows, strict=True))[:parts]]
    joined = [SEPARATOR.join(row[:parts]) if all(row[:parts]) else "" for row in rows]

    found = hashed(joined_polynomials(columns), SALT)

    assert found.tolist() == hash_texts(joined, SALT).tolist()


def test_keys_of_joined_texts_are_those_of_the_text_itself() -> None:
    names, emails = HashedTexts(["ann lee", "bob", ""]), HashedTexts(["a@x.co", "", "c@x.co"])

    both = joined_polynomials((names, emails))
    kinds = salt_of("customers", LinkKind.NAME_EMAIL), natural_salt("customers", ("name", "email"))
    table = hash_table([Keys(both, salt) for salt in kinds])

    written = ["ann lee\x1fa@x.co", "", ""]
    assert np.array_equal(table[:, 0], link_keys("customers", LinkKind.NAME_EMAIL, written))
    assert np.array_equal(table[:, 1], natural_hashes("customers", ("name", "email"), written))
