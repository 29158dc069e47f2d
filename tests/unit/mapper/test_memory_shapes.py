"""A file's shape is known again when its columns moved, were renamed, came or went."""

from __future__ import annotations

from typing import get_args

import pytest

from services.mapper.kind_words import in_words
from services.mapper.memory_shapes import (
    Shape,
    ShapeColumn,
    align,
    changes,
    header_counts,
    likeness_max,
    likeness_of_names,
    shape_id,
)
from shared.messages.analysis import ColumnType

BEFORE = "Client Name:name|Phone:phone|E-mail:email|Street:street|City:city|Notes:text"


def shape(text: str) -> tuple[ShapeColumn, ...]:
    """'Header:kind|Header:kind'"""
    return tuple(ShapeColumn(header=h, kind=k) for h, _, k in (part.partition(":") for part in text.split("|")))


def test_the_same_columns_in_another_order_and_spelling_are_the_same_shape() -> None:
    moved = shape("notes:text|E-Mail:email|CLIENT_NAME:name|street:street|phone:phone|City:city")

    found = align(shape(BEFORE), moved)

    assert found.same == {0: 2, 1: 4, 2: 1, 3: 3, 4: 5, 5: 0}
    assert (found.renamed, found.gone, found.added, found.likeness) == ({}, (), (), 1.0)
    assert shape_id("customers", shape(BEFORE)) == shape_id("customers", moved)


def test_columns_that_came_and_went_are_named() -> None:
    now = shape("Client Name:name|Phone:phone|Street:street|City:city|Notes:text|Loyalty points:integer")

    found = align(shape(BEFORE), now)

    assert (found.gone, found.added) == ((2,), (5,))
    assert list(changes(shape(BEFORE), now, found)) == [
        "No longer there: “E-mail”.",
        "New, so not remembered: “Loyalty points”.",
    ]


def test_a_renamed_column_is_known_by_its_words_values_and_neighbours() -> None:
    now = shape("Client Name:name|Telephone Number:phone|E-mail:email|Street:street|City:city|Notes:text")

    found = align(shape(BEFORE), now)

    assert found.renamed == {1: 1}
    assert list(changes(shape(BEFORE), now, found)) == ["“Phone” is now called “Telephone Number”."]


def test_another_column_in_the_same_place_is_no_renamed_one() -> None:
    now = shape("Client Name:name|Birthday:date|E-mail:email|Street:street|City:city|Notes:text")

    found = align(shape(BEFORE), now)

    assert (found.renamed, found.gone, found.added) == ({}, (1,), (1,))


def test_two_columns_of_the_same_name_keep_their_order() -> None:
    twice = shape("Name:name|Phone:phone|Phone:phone")

    assert align(twice, shape("Phone:phone|Phone:phone|Name:name")).same == {0: 2, 1: 0, 2: 1}


def test_without_headers_the_kinds_in_their_order_are_the_shape() -> None:
    bare = shape(":name|:phone|:email")

    assert align(bare, shape(":name|:phone|:email")).likeness == 1.0
    assert align(bare, shape(":name|:phone|:text")).likeness == 0.0
    assert align(bare, shape(":name|:phone|:email|:city")).likeness == 0.0
    assert shape_id("customers", bare) != shape_id("customers", shape(":email|:phone|:name"))


def test_another_kind_of_file_is_not_alike() -> None:
    invoices = shape("Invoice #:id|Client Name:name|Total:money|Due Date:date|Status:text|Notes:text")

    assert align(shape(BEFORE), invoices).likeness < 0.5


def quick(a: Shape, b: Shape) -> float:
    return likeness_max(header_counts(a), header_counts(b))


SHAPES = [
    shape(BEFORE),
    shape("Client Name:name|Telephone Number:phone|E-mail:email|Street:street|City:city|Notes:text"),
    shape("Client Name:name|Phone:phone|E-mail:email|Loyalty:integer"),
    shape("Name:name|Phone:phone|Phone:phone"),
    shape(":name|:phone"),
]


def test_the_quick_look_never_promises_less_than_the_closer_look_finds() -> None:
    found = [(align(a, b).likeness, quick(a, b)) for a in SHAPES for b in SHAPES]

    assert [(close, most) for close, most in found if most and close > most + 1e-9] == []


def test_a_file_of_which_most_columns_are_named_otherwise_is_another_one() -> None:
    assert quick(shape("A:text|B:text|C:text|D:text|E:text"), shape("A:text|B:text|X:text|Y:text|Z:text")) == 0


def test_a_column_that_holds_other_values_is_named() -> None:
    now = shape("Client Name:name|Phone:email|E-mail:phone|Street:street|City:city|Notes:text")

    assert list(changes(shape(BEFORE), now, align(shape(BEFORE), now))) == [
        "“Phone” now holds e-mail addresses.",
        "“E-mail” now holds phone numbers.",
    ]


def test_every_kind_of_values_has_a_word_for_people() -> None:
    assert [kind for kind in get_args(ColumnType) if kind != "empty" and in_words(kind) == "other values"] == []


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("clients.csv", "Clients (2).xlsx", 1.0),
        ("clients.csv", "clients_march.csv", 0.5),
        ("clients.csv", "leads.csv", 0.0),
        ("2025.csv", "2026.csv", 1.0),
        ("", "leads.csv", 0.0),
    ],
)
def test_names_of_files_are_alike_by_their_words(one: str, other: str, likeness: float) -> None:
    assert likeness_of_names(one, other) == likeness
