"""Names as people write them: shorter forms, nicknames and typing errors, and what may not be taken for either."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.loader.name_parts import Sought
from services.loader.name_search import search
from services.loader.nicknames import other_first_names
from services.loader.sealed_index import ParentIndex
from tests.support.builders import Named, customer
from tests.unit.loader.test_linking import answer, people

# ---- nicknames --------------------------------------------------------------------------------------------------


@pytest.fixture
def robert(tmp_path: Path) -> ParentIndex:
    return people(
        tmp_path,
        customer("1", "Robert Smith", email="r@x.co", phone="+15125550101", street="1 Main St"),
        customer("2", "Carla Jones", phone="+15125550102"),
    )


@pytest.mark.parametrize("text", ["Bob Smith", "SMITH, BOB", "Rob Smith - HVAC Repair"])
def test_a_short_form_of_the_first_name_is_found(robert: ParentIndex, text: str) -> None:
    assert answer(robert, Named(text)) == (0, "nickname")
    assert answer(robert, Named(text, email="r@x.co")) == (0, "nickname_with_evidence")


def test_a_full_name_finds_a_short_one(tmp_path: Path) -> None:
    assert answer(people(tmp_path, customer("1", "Liz Brown")), Named("Elizabeth Brown")) == (0, "nickname")


def test_a_short_form_with_a_phone_that_is_nobodys_stays_open(robert: ParentIndex) -> None:
    assert answer(robert, Named("Bob Smith", phone="+15125550199")) == ("ambiguous", [0])


def test_a_short_form_of_two_customers_names_stays_open(tmp_path: Path) -> None:
    two = people(tmp_path, customer("1", "Christopher Hay"), customer("2", "Christina Hay", email="tina@x.co"))

    assert answer(two, Named("Chris Hay")) == ("ambiguous", [0, 1])
    assert answer(two, Named("Chris Hay", email="tina@x.co")) == (1, "nickname_with_evidence")


def test_the_name_as_written_goes_before_short_forms(tmp_path: Path) -> None:
    two = people(tmp_path, customer("1", "Robert Smith"), customer("2", "Bob Smith"))

    assert answer(two, Named("Bob Smith")) == (1, "name")


def test_two_full_names_with_one_short_form_are_two_people() -> None:
    assert "alexandra hay" not in other_first_names("alexander hay", {"alexander"})


def test_only_a_word_that_stands_where_first_names_do_is_changed() -> None:
    found = other_first_names("frank rose", {"frank"})

    assert found[:3] == ["francis rose", "francisco rose", "franklin rose"]
    assert all("rose" in name.split() for name in found)


# ---- shorter forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "named", "method"),
    [
        ("Acme S.A. de C.V.", "Acme", "name"),
        ("Acme L.L.C.", "Acme Inc.", "name"),
        ("Müller & Sons", "Muller", "name_in_text"),
        ("John & Mary Smith", "Mary Smith", "name_in_text"),
        ("John Q. Smith", "John Smith", "name_in_text"),
        ("Lindwall Heating", "Lindwall Heating HVAC Repair", "name_in_text"),
        ("Ben Brand", "Plumbing job: Brand, Ben", "name_in_text"),
        ("Ben Brand", "Ben Brand (water heater, second visit)", "name_in_text"),
        ("Ben Brand", "Furnace tune-up for Ben Brand", "name_in_text"),
    ],
)
def test_a_part_that_says_nothing_about_who_it_is_does_not_count(
    tmp_path: Path, stored: str, named: str, method: str
) -> None:
    assert answer(people(tmp_path, customer("1", stored)), Named(named)) == (0, method)


def test_father_and_son_stay_open(tmp_path: Path) -> None:
    both = people(tmp_path, customer("1", "John Smith Sr"), customer("2", "John Smith Jr"))

    assert answer(both, Named("John Smith")) == ("ambiguous", [0, 1])
    assert answer(both, Named("Smith Jr., John")) == (1, "name")


# ---- typing errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["indwall, Ingrid", "Ingird Lindwall", "Ingrid Lindwal - repair", "Nigrid Lindwall"])
def test_an_error_is_found_wherever_it_is(tmp_path: Path, text: str) -> None:
    index = people(tmp_path, customer("1", "Ingrid Lindwall"))

    assert answer(index, Named(text)) == (0, "similar_name")


def test_a_word_of_somebody_elses_name_is_no_error(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Marta Keller"), customer("2", "Carl Heller", email="c@x.co"))

    assert answer(index, Named("Marta Heller")) == ("ambiguous", [0])
    assert answer(index, Named("Marta Zeller")) == (0, "similar_name")


def test_another_initial_is_no_error(tmp_path: Path) -> None:
    assert answer(people(tmp_path, customer("1", "John A Smith")), Named("John B Smith"))[0] == "ambiguous"


def test_another_number_is_no_error(tmp_path: Path) -> None:
    store = people(tmp_path, customer("1", "Midtown Store 12"))

    assert answer(store, Named("Midtown Store 112")) == ("ambiguous", [0])


def test_errors_in_every_word_need_evidence(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Robert Lindwall", email="r@x.co", street="1 Main St"))

    assert answer(index, Named("Robbert Lindwal")) == ("no_parent", [])
    assert answer(index, Named("Robbert Lindwal", email="r@x.co")) == (0, "similar_name_with_evidence")
    assert answer(index, Named("Robbert Lindwal", street="1 Main Street")) == (0, "similar_name_with_evidence")


# ---- families and streets ---------------------------------------------------------------------------------------


def test_a_family_member_with_the_same_phone_is_somebody_else(robert: ParentIndex) -> None:
    assert answer(robert, Named("Mary Smith", phone="+15125550101")) == ("ambiguous", [0])


def test_a_family_member_at_the_same_street_is_somebody_else(robert: ParentIndex) -> None:
    assert answer(robert, Named("Mary Smith", street="1 Main St")) == ("no_parent", [])


def test_a_street_decides_among_namesakes_called_by_a_short_form(tmp_path: Path) -> None:
    two = people(tmp_path, customer("1", "Robert Smith", street="1 Oak St"), customer("2", "Robert Smith"))

    assert answer(two, Named("Bob Smith", street="1 Oak Street")) == (0, "nickname_with_evidence")


def test_a_street_of_somebody_else_does_not_speak_against_a_name(robert: ParentIndex) -> None:
    assert answer(robert, Named("Carla Jones", street="1 Main St")) == (1, "name")


def test_a_phone_that_hundreds_share_says_nothing(tmp_path: Path) -> None:
    office = "+15125550100"
    crowd = [customer(str(i), f"Person{i} Ofmany", phone=office) for i in range(201)]
    index = people(tmp_path, *crowd, customer("x", "Carla Jones"))

    assert answer(index, Named("Carla Jones", phone=office)) == (201, "name")


def test_what_is_found_does_not_depend_on_what_is_sought_beside_it(robert: ParentIndex) -> None:
    sought = [
        Sought(i, "customers", text, normalised, has_unknown_contact=False)
        for i, (text, normalised) in enumerate(
            [
                ("Bob Smith", "bob smith"),
                ("Carla Jomes", "carla jomes"),
                ("Nobody", "nobody"),
                ("Smith HVAC", "hvac smith"),
            ]
        )
    ]

    together = search(sought, robert)

    alone = [search([one], robert) for one in sought]
    assert together == {entry: found for some in alone for entry, found in some.items()}
