"""Relatives, sister firms and neighbours: like a customer in name or phone, and somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.loader.linking import resolve
from services.loader.sealed_index import ParentIndex
from shared.catalog.identity import LinkKind, link_keys, normalise_street
from shared.messages.batches import ReferenceColumn
from tests.support.builders import Given, Named, customer, reference
from tests.unit.loader.test_linking import answer, people

PHONE, OTHER_PHONE = "+15125550101", "+15125550199"

# ---- the same phone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("Juan Garcia Lopez", "Maria Garcia Lopez"),
        ("John Van Dyke", "Mary Van Dyke"),
        ("North Austin Dental", "South Austin Dental"),
        ("St Mary Catholic Church", "St Mary Catholic School"),
        ("Sunrise Senior Living", "Sunset Senior Living"),
        ("Waywin Fitness", "Waywin Holdings"),
        ("Silva & Sons", "Silva Plumbing LLC"),
        ("Johnson Plumbing", "Johnson Electric"),
        ("Smith Plumbing LLC", "Smith Electric"),
        ("Acme Realty", "Acme Plumbing"),
        ("Park View Apartments", "Park View Plumbing"),
        ("Acme Realty", "ACME CARPET SERVICES"),
        ("Bob Lee", "Lee Plumbing"),
        ("Maria Garcia", "Maria Garcia y Lopez"),
        ("Maria Garcia", "Maria Garcia de la Cruz"),
        ("Eric Brand", "Erica Brand"),
        ("Robert Smith", "Robert Smith Jr"),
        ("John Smith Sr", "John Smith Jr"),
    ],
)
def test_whoever_shares_a_customers_phone_is_no_more_than_a_candidate(tmp_path: Path, stored: str, named: str) -> None:
    index = people(tmp_path, customer("1", stored, phone=PHONE))

    assert answer(index, Named(named, phone=PHONE)) == ("ambiguous", [0])


@pytest.mark.parametrize(
    ("stored", "named", "method"),
    [
        ("Smith", "Smith HVAC Repair", "name_in_text_with_evidence"),
        ("John Smith", "Smith HVAC Repair", "similar_name_with_evidence"),
        ("John Q. Smith", "John Smith Plumbing", "name_in_text_with_evidence"),
        ("Smith Plumbing LLC", "Smith plumbing job", "name_in_text_with_evidence"),
        ("Smith Plumbing", "Smith - Electric", "name_in_text_with_evidence"),
        ("Jon Hendersen", "Jonn Henderson Water Heater", "similar_name_with_evidence"),
    ],
)
def test_work_is_no_other_trade(tmp_path: Path, stored: str, named: str, method: str) -> None:
    index = people(tmp_path, customer("1", stored, phone=PHONE))

    assert answer(index, Named(named, phone=PHONE)) == (0, method)


def test_a_relative_at_the_same_street_is_nobody_known(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Jose de la Cruz", street="1 Oak St"))

    assert answer(index, Named("Ana de la Cruz", street="1 Oak St")) == ("no_parent", [])


def test_a_job_without_jr_and_with_the_phone_is_the_one_called_jr(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "John Q. Smith Jr.", phone=PHONE))

    assert answer(index, Named("John Smith", phone=PHONE)) == (0, "name_in_text_with_evidence")
    assert answer(index, Named("John Smith")) == ("ambiguous", [0])


def test_a_job_that_says_jr_is_not_the_father(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Robert Smith"))

    assert answer(index, Named("Robert Smith Jr")) == ("ambiguous", [0])
    assert answer(index, Named("Smith III, Robert - furnace repair")) == ("ambiguous", [0])


# ---- contacts that contradict -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("Jane Dodd", "Jane Dowd"),
        ("Robert Smith", "Bob Smith"),
        ("Garrison Heating LLC", "Garrison"),
        ("Ben Brand", "Ben Brand - HVAC repair"),
    ],
)
def test_a_name_that_is_nearly_right_with_a_phone_that_is_nobodys_stays_open(
    tmp_path: Path, stored: str, named: str
) -> None:
    index = people(tmp_path, customer("1", stored, phone=PHONE))

    assert answer(index, Named(named, phone=OTHER_PHONE)) == ("ambiguous", [0])


def test_an_exact_name_with_a_phone_that_is_nobodys_is_less_sure(tmp_path: Path) -> None:
    column = reference("customer", "customers", Named("Jane Dodd", phone=OTHER_PHONE), Named("Jane Dodd"))
    answers = resolve(column, people(tmp_path, customer("1", "Jane Dodd", phone=PHONE)))

    links = [answers.link(i) for i in range(2)]

    assert [(link.method, link.confidence) for link in links] == [("name_despite_contacts", 0.75), ("name", 0.9)]


# ---- first names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "named"),
    [("Eric Brand", "Erica Brand"), ("Paul Young", "Paula Young"), ("Carl Hansen", "Carla Hansen")],
)
def test_another_first_name_is_no_typing_error(tmp_path: Path, stored: str, named: str) -> None:
    assert answer(people(tmp_path, customer("1", stored)), Named(named)) == ("ambiguous", [0])


def test_a_misspelt_first_name_is_one(tmp_path: Path) -> None:
    assert answer(people(tmp_path, customer("1", "Erica Brand")), Named("Ercia Brand")) == (0, "similar_name")


@pytest.mark.parametrize(
    ("stored", "named"),
    [(("Robert Smith", "Bobb Smith"), "Bob Smith"), (("Jonathan Hill", "Joan Hill"), "Jon Hill")],
)
def test_a_nickname_that_may_be_somebodys_misspelt_name_stays_open(
    tmp_path: Path, stored: tuple[str, str], named: str
) -> None:
    index = people(tmp_path, *(customer(str(i), name) for i, name in enumerate(stored)))

    assert answer(index, Named(named)) == ("ambiguous", [0, 1])


def test_a_last_name_has_no_short_form(tmp_path: Path) -> None:
    assert answer(people(tmp_path, customer("1", "Rosemary Frank")), Named("Frank Rose")) == ("no_parent", [])


def test_a_short_form_of_what_may_be_the_last_name_needs_a_fact(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Martin Raymond", phone=PHONE))

    assert answer(index, Named("Ray Martin")) == ("ambiguous", [0])
    assert answer(index, Named("Ray Martin", phone=PHONE)) == (0, "nickname_with_evidence")


# ---- parts of names ---------------------------------------------------------------------------------------------


def test_a_last_name_of_several_customers_is_not_the_firm(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "John Smith"), customer("2", "Mary Smith"), customer("3", "Smith Plumbing"))

    assert answer(index, Named("Smith")) == ("ambiguous", [2])


@pytest.mark.parametrize("text", ["Johnson & Sons", "Johnson Holdings", "Johnson Electric LLC"])
def test_a_firm_called_like_a_customer_needs_a_fact(tmp_path: Path, text: str) -> None:
    index = people(tmp_path, customer("1", "Johnson", phone=PHONE))

    assert answer(index, Named(text)) == ("ambiguous", [0])
    assert answer(index, Named(text, phone=PHONE)) == (0, "name_in_text_with_evidence")


def test_partners_of_a_firm_are_no_couple(tmp_path: Path) -> None:
    assert answer(people(tmp_path, customer("1", "Baker & Hall Realty")), Named("Hall Realty")) == ("no_parent", [])


@pytest.mark.parametrize(
    "text",
    [
        "Tenant Ann Kay, landlord: Bob Lee",
        "Ann Kay / Bob Lee",
        "Referred by: Bob Lee",
        "referred by: Bob Lee",
        "Bob Lee (Lakeside Apartments)",
        "The Shops at Bob Lee",
        "Bob Lee's tenant",
        "Bob Lee tenant",
        "Bob Lee - new owner",
        "new tenant Bob Lee",
        "Bob Lee bathroom remodel - new owner",
        "Estate of Bob Lee",
    ],
)
def test_one_of_several_parties_needs_a_fact(tmp_path: Path, text: str) -> None:
    index = people(tmp_path, customer("1", "Bob Lee", phone=PHONE))

    assert answer(index, Named(text)) == ("ambiguous", [0])
    assert answer(index, Named(text, phone=PHONE)) == (0, "name_in_text_with_evidence")


def test_a_tenant_is_not_called_by_the_landlords_name(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Bob Lee's tenant", phone=PHONE), customer("2", "Kay & Son"))

    assert answer(index, Named("Bob Lee")) == ("no_parent", [])
    assert answer(index, Named("Bob Lee", phone=PHONE)) == (0, "similar_name_with_evidence")
    assert answer(index, Named("Kay")) == (1, "name_in_text")


def test_a_customer_is_not_called_by_the_place_behind_at(tmp_path: Path) -> None:
    assert answer(people(tmp_path, customer("1", "The Shops at Midtown")), Named("Midtown")) == ("no_parent", [])


@pytest.mark.parametrize(
    "text",
    [
        "Bob Lee bathroom remodel",
        "Bob Lee EV charger install",
        "Carpet cleaning Bob Lee",
        "Bob Lee radon mitigation",
        "Lee, Bob - radon mitigation",
    ],
)
def test_a_name_beside_work_is_found_without_a_dash(tmp_path: Path, text: str) -> None:
    assert answer(people(tmp_path, customer("1", "Bob Lee")), Named(text)) == (0, "name_in_text")


def test_a_short_form_beside_work_is_found(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Robert Hay"))

    assert answer(index, Named("Bob Hay sprinkler repair")) == (0, "nickname")


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("Maria Garcia", "Maria Garcia Lopez bathroom remodel"),
        ("Bob Lee", "Bob Lee Auto Body"),
        ("Bob Lee", "Bob Lee Radon Mitigation"),
    ],
)
def test_a_name_that_goes_on_needs_a_fact(tmp_path: Path, stored: str, named: str) -> None:
    index = people(tmp_path, customer("1", stored))

    assert answer(index, Named(named)) == ("ambiguous", [0])


@pytest.mark.parametrize(
    ("stored", "named", "method"),
    [
        ("Jorgen Sorensen", "Jørgen Sørensen", "name_in_text"),
        ("Łukasz Nowak", "Lukasz Nowak", "name"),
    ],
)
def test_letters_that_are_no_accents_are_found_in_plain_ones(
    tmp_path: Path, stored: str, named: str, method: str
) -> None:
    assert answer(people(tmp_path, customer("1", stored)), Named(named)) == (0, method)


# ---- houses -----------------------------------------------------------------------------------------------------


def house_answer(tmp_path: Path, stored: str, named: str) -> str:
    normal = normalise_street(stored)
    index: ParentIndex = people(tmp_path, Given("1", links=[(LinkKind.NAME, normal)]), entity="properties")
    asked = [normalise_street(named)]
    keys = link_keys("properties", LinkKind.NAME, asked).tobytes()
    column = ReferenceColumn(
        field="property", parent="properties", many=False, owner=bytes(4), texts=[named], by=b"\2", exact=keys,
        names=keys, normalised=asked, evidence=[[]],
    )  # fmt: skip
    link = resolve(column, index).link(0)
    return link.method or link.status


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("12 South Main St", "12 North Main Street"),
        ("100 Oak Ct", "100 Oak St"),
        ("12 Oak St Apt A", "12 Oak St Apt B"),
        ("12 Oak St", "12 Oak St - Apt B"),
        ("12 Oak St", "#4, 12 Oak St"),
        ("12 Elm St", "12 Elk St"),
        ("12 Lakeside Dr Unit North", "12 Lakeside Dr Unit Northe"),
    ],
)
def test_a_neighbours_house_is_no_typing_error(tmp_path: Path, stored: str, named: str) -> None:
    assert house_answer(tmp_path, stored, named) == "no_parent"


def test_a_misspelt_street_is_found(tmp_path: Path) -> None:
    assert house_answer(tmp_path, "12 Lakeside Dr", "12 Laekside Drive") == "similar_name"


def test_a_unit_behind_a_dash_belongs_to_the_house(tmp_path: Path) -> None:
    assert house_answer(tmp_path, "12 Oak St Apt B", "12 Oak St - Unit B - furnace") == "name_in_text"
