"""Indexes that were sealed before the words of names were among their keys: what cannot be told stays open."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.loader.linking import resolve
from services.loader.sealed_index import ParentIndex, SealedIndex
from shared.catalog.identity import LinkKind
from shared.messages.plan import record_id
from tests.support.builders import File, Given, Named, customer, make_plan, reference, seal, stream_of
from tests.unit.loader.test_linking import answer, people

PHONE = "+15125550101"


def wordless(one: Given) -> Given:
    """The record as it was sealed before there were words."""
    return Given(one.key, one.cells, one.naturals, [link for link in one.links if link[0] is not LinkKind.NAME_WORD])


def old(tmp_path: Path, *names: str) -> ParentIndex:
    return people(tmp_path, *(wordless(customer(str(i), name, phone=PHONE)) for i, name in enumerate(names)))


def in_two_runs(tmp_path: Path, earlier: list[Given], later: list[Given]) -> ParentIndex:
    indexes = []
    for run, records in enumerate((earlier, later), start=1):
        (directory := tmp_path / str(run)).mkdir()
        plan = make_plan(File("c.csv", [len(records)], ["customers"]), run=run)
        indexes.append(SealedIndex(seal(directory, plan, {0: [stream_of("customers", *records)]}, "customers")))
    return ParentIndex(indexes)


@pytest.mark.parametrize(
    ("stored", "named"),
    [("Eric Brand", "Erica Brand"), ("Ann Lee", "Anna Lee"), ("John A Smithson", "John B Smithson")],
)
def test_another_first_name_or_initial_is_somebody_else_even_with_the_phone(
    tmp_path: Path, stored: str, named: str
) -> None:
    index = old(tmp_path, stored)

    assert answer(index, Named(named)) == ("ambiguous", [0])
    assert answer(index, Named(named, phone=PHONE)) == ("ambiguous", [0])


@pytest.mark.parametrize("named", ["Eric Brandt", "Erci Brand", "Brnad, Eric"])
def test_a_typing_error_needs_a_fact(tmp_path: Path, named: str) -> None:
    index = old(tmp_path, "Eric Brand")

    assert answer(index, Named(named)) == ("ambiguous", [0])
    assert answer(index, Named(named, phone=PHONE)) == (0, "similar_name_with_evidence")


def test_a_last_name_that_others_may_have_is_not_the_firm(tmp_path: Path) -> None:
    index = old(tmp_path, "John Smith", "Mary Smith", "Smith Plumbing LLC")

    assert answer(index, Named("Smith")) == ("ambiguous", [2])


def test_the_father_may_be_a_customer_too(tmp_path: Path) -> None:
    assert answer(old(tmp_path, "John Smith Jr"), Named("John Smith")) == ("ambiguous", [0])


@pytest.mark.parametrize(
    ("named", "method"),
    [("Eric Brand - HVAC repair", "name_in_text"), ("Eric Brand", "name"), ("Ricky Stone", "nickname")],
)
def test_what_needs_no_words_is_found_as_before(tmp_path: Path, named: str, method: str) -> None:
    assert answer(old(tmp_path, "Eric Brand", "Richard Stone"), Named(named))[1] == method


def test_names_of_an_earlier_run_may_be_those_of_a_family(tmp_path: Path) -> None:
    family = [customer("1", "John Smith"), customer("2", "Mary Smith")]
    firm = [customer("3", "Smith Plumbing LLC")]
    column = reference("customer", "customers", Named("Smith"))

    found = resolve(column, in_two_runs(tmp_path, list(map(wordless, family)), firm)).link(0)

    assert (found.status, found.candidates) == ("ambiguous", [record_id(2, 0)])


def test_a_few_odd_names_are_known_by_their_words(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Garrisonix"), customer("2", "Wexlow Zed"))

    assert answer(index, Named("Garisonix")) == (0, "similar_name")
    assert answer(index, Named("Wexlw Zed")) == (1, "similar_name")


def test_a_space_in_another_place_proves_nobody_else(tmp_path: Path) -> None:
    index = old(tmp_path, "Maryann Whit")

    assert answer(index, Named("Mary Ann Whit"))[0] == "ambiguous"
    assert answer(index, Named("Mary Ann Whit", phone=PHONE)) == (0, "similar_name_with_evidence")
