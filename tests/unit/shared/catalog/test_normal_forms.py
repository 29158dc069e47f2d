"""Normal forms: which writings of an id, number, name and street are the same one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalog.identity import (
    LEGAL_WORDS,
    STREET_WORDS,
    fold,
    normalise_id,
    normalise_name,
    normalise_number,
    normalise_street,
)

FORMS: dict[str, Callable[[str], str]] = {
    "fold": fold,
    "id": normalise_id,
    "number": normalise_number,
    "name": normalise_name,
    "street": normalise_street,
}
# Words of the tables among all kinds of letters: what a rule does to one must not meet another rule again.
WORDS = st.sampled_from(
    ["Smith", "O'Brien", "and", "&", "LLC", "Co.", "Müller", "Ñandú", "North", "Street", "#", "'s", "İ"]
)
TEXTS = st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=6).map(" ".join))


@pytest.mark.parametrize("form", FORMS)
@given(text=TEXTS)
@settings(max_examples=80, deadline=None)
def test_a_normal_form_is_its_own_normal_form(form: str, text: str) -> None:
    normalise = FORMS[form]

    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize("form", FORMS)
@given(text=TEXTS)
@settings(max_examples=50, deadline=None)
def test_white_space_around_a_text_is_not_part_of_it(form: str, text: str) -> None:
    assert FORMS[form](f" \t{text}\n ") == FORMS[form](text)


@pytest.mark.parametrize(
    ("writings", "normal"),
    [
        (["John Smith", "Smith, John", "JOHN  SMITH", "john smith ", "Mr. John Smith"], "john smith"),
        (["Müller & Sons LLC", "Muller and Sons", "MULLER SONS, Inc.", "Müller Sons GmbH"], "muller sons"),
        (["O'Brien", "OBrien", "O’Brien"], "obrien"),
        (["Bob's Diner", "Bob Diner", "BOB’S DINER", "Bob`s Diner"], "bob diner"),
        (["The Company", "the company"], "company the"),
        (["José Nuñez", "Jose Nunez"], "jose nunez"),
        (["李 小龙", "小龙 李"], "小龙 李"),
        (["", "  ", "---"], ""),
    ],
)
def test_writings_of_a_name_are_one(writings: list[str], normal: str) -> None:
    assert {normalise_name(writing) for writing in writings} == {normal}


def test_a_name_keeps_what_tells_people_apart() -> None:
    names = ["John Smith", "John Smith Jr", "Jon Smith", "John A Smith", "John Smythe"]

    assert len({normalise_name(name) for name in names}) == len(names)


@given(st.permutations(["ana", "maria", "de", "la", "cruz"]))
def test_the_order_of_words_does_not_matter(words: list[str]) -> None:
    assert normalise_name(" ".join(words)) == "ana cruz de la maria"


@pytest.mark.parametrize(
    ("writings", "normal"),
    [
        (["12 North Main Street", "12 N. Main St", "12 n main st."], "12 n main st"),
        (["5 Oak Avenue, Suite 3", "5 OAK AVE STE 3", "5 Oak Av. Suite #3"], "5 oak ave ste 3"),
        (["7 Elm Rd Apartment 2", "7 Elm Road Apt 2", "7 elm road unit 2"], "7 elm rd apt 2"),
    ],
)
def test_writings_of_a_street_are_one(writings: list[str], normal: str) -> None:
    assert {normalise_street(writing) for writing in writings} == {normal}


@pytest.mark.parametrize(
    ("writings", "normal"),
    [
        (["1042", "#1042", " # 1042 "], "1042"),
        (["INV-7", "inv-7", "Inv - 7"], "inv-7"),
        (["007"], "007"),
    ],
)
def test_writings_of_a_number_are_one(writings: list[str], normal: str) -> None:
    assert {normalise_number(writing) for writing in writings} == {normal}


def test_an_id_keeps_its_case_its_zeros_and_its_signs() -> None:
    ids = ["a-1", "A-1", "a-01", "#a-1", "a -1"]

    assert [normalise_id(f" {id_} ") for id_ in ids] == ids


def test_tables_hold_words_in_normal_form() -> None:
    for word in LEGAL_WORDS | set(STREET_WORDS) | set(STREET_WORDS.values()):
        assert fold(word) == word
    assert not set(STREET_WORDS.values()) & set(STREET_WORDS)
