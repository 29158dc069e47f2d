"""What very many records share: it says nothing about who is meant, and costs no more for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.loader import name_search
from services.loader.linking import reopened, resolve
from services.loader.name_errors import BYTES_MAX, error_spans, misplaced_spaces
from services.loader.name_parts import Sought
from services.loader.name_search import CANDIDATES_MAX, HOLDERS_MAX, search
from services.loader.sealed_index import ParentIndex, SealedIndex
from shared.catalog.identity import LinkKind, Spans, near_hashes_of
from shared.messages.plan import record_id
from tests.support.builders import File, Given, Named, customer, make_plan, reference, seal, stream_of
from tests.unit.loader.test_linking import answer, people

OFFICE = "+15125550100"
MANY = HOLDERS_MAX + 1


def crowd(count: int, first: int = 0) -> list[Given]:
    return [customer(f"c{i}", f"Person{i} Ofmany", phone=OFFICE) for i in range(first, first + count)]


def in_runs(tmp_path: Path, *runs: Sequence[Given]) -> ParentIndex:
    """Sealed one after the other, each run knowing the earlier ones."""
    paths: list[Path] = []
    for run, records in enumerate(runs, start=1):
        plan = make_plan(File("a.csv", [len(records)], ["customers"]), run=run)
        paths.append(seal(tmp_path, plan, {0: [stream_of("customers", *records)]}, earlier=list(paths)))
    return ParentIndex([SealedIndex(path) for path in paths])


# ---- names of very many -----------------------------------------------------------------------------------------


def test_of_very_many_namesakes_the_one_with_the_e_mail_is_linked(tmp_path: Path) -> None:
    cash = [customer(str(i), "Cash Customer", email=f"c{i}@x.co") for i in range(MANY)]
    index = people(tmp_path, *cash)

    assert answer(index, Named("Cash Customer", email="c150@x.co")) == (150, "name_with_evidence")
    assert answer(index, Named("Cash Customer")) == ("ambiguous", list(range(CANDIDATES_MAX)))


def test_only_so_many_namesakes_are_held_in_memory(tmp_path: Path) -> None:
    index = people(tmp_path, *(customer(str(i), "Cash Customer") for i in range(MANY)))

    answers = resolve(reference("customer", "customers", Named("Cash Customer")), index)

    assert len(answers.open[0][1]) == CANDIDATES_MAX


def test_of_very_many_who_share_a_part_of_the_name_the_one_with_the_phone_is_linked(tmp_path: Path) -> None:
    stores = [customer(str(i), f"Midtown Store {i}", phone=f"+1512555{i:04}") for i in range(MANY)]

    found = answer(people(tmp_path, *stores), Named("Midtown Store", phone="+15125550150"))

    assert found == (150, "name_in_text_with_evidence")


def test_one_phone_of_very_many_and_a_short_form_of_the_name(tmp_path: Path) -> None:
    index = people(tmp_path, *crowd(MANY), customer("x", "Robert Smith", phone=OFFICE))

    assert answer(index, Named("Bob Smith", phone=OFFICE)) == (MANY, "nickname")


def test_an_unknown_e_mail_beside_the_phone_of_very_many_contradicts(tmp_path: Path) -> None:
    index = people(tmp_path, *crowd(MANY), customer("x", "Robert Smith", phone=OFFICE))

    assert answer(index, Named("Bob Smith", phone=OFFICE, email="nobody@x.co")) == ("ambiguous", [MANY])


# ---- several runs -----------------------------------------------------------------------------------------------


def test_those_who_share_a_phone_are_counted_over_all_runs(tmp_path: Path) -> None:
    half = MANY // 2 + 1
    index = in_runs(tmp_path, crowd(half), [*crowd(half, first=half), customer("x", "Carla Jones")])

    found = resolve(reference("customer", "customers", Named("Carla Jones", phone=OFFICE)), index).link(0)

    assert (found.id, found.method) == (record_id(2, half), "name")


def test_namesakes_of_two_runs_are_not_told_apart_by_a_phone_of_very_many(tmp_path: Path) -> None:
    one, two = (customer(f"r{i}", "Robert Smith", phone=OFFICE) for i in (1, 2))
    index = in_runs(tmp_path, [*crowd(MANY), one], [two])

    found = resolve(reference("customer", "customers", Named("Bobby Smith", phone=OFFICE)), index).link(0)

    assert (found.status, found.candidates) == ("ambiguous", [record_id(1, MANY), record_id(2, 0)])


def test_records_that_every_run_brings_again_are_counted_once(tmp_path: Path) -> None:
    some = crowd(HOLDERS_MAX - 1)
    index = in_runs(tmp_path, some, some, some)

    found = resolve(reference("customer", "customers", Named("Person5 Ofmany", phone=OFFICE)), index).link(0)

    assert (found.id, found.method) == (record_id(1, 5), "name_with_evidence")


def test_words_that_only_a_later_run_knows_speak_for_the_record(tmp_path: Path) -> None:
    ben, marta = customer("1", "Ben Brand", email="ben@x.co"), customer("2", "Erica Brandt", email="e@x.co")
    old = [
        Given(one.key, one.cells, one.naturals, [link for link in one.links if link[0] is not LinkKind.NAME_WORD])
        for one in (ben, marta)
    ]
    index = in_runs(tmp_path, old, [ben, marta])

    found = resolve(
        reference("customer", "customers", Named("Benn Brannd", email="ben@x.co"), Named("Benn Brand")), index
    )

    assert [found.link(i).method for i in range(2)] == ["similar_name_with_evidence", "similar_name"]


# ---- contacts ---------------------------------------------------------------------------------------------------


def test_an_old_reference_without_street_keys_does_not_take_its_street_for_a_contact(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Robert Smith", email="r@x.co", street="1 Oak St"))
    told = reference("customer", "customers", Named("Bob Smith", street="9 Elm St"))
    column = msgspec.structs.replace(told, streets=b"", contacts=b"")

    assert resolve(column, index).link(0).method == "nickname"


def test_unknown_ids_are_no_unknown_contact(tmp_path: Path) -> None:
    index = people(tmp_path, customer("1", "Robert Smith"))
    told = reference("customer", "customers", Named("Robert Smith"))
    column = msgspec.structs.replace(told, evidence=[[7, 8]])

    assert resolve(column, index).link(0).method == "name"
    assert resolve(msgspec.structs.replace(column, contacts=b"\1"), index).link(0).method == "name_despite_contacts"


def test_what_an_old_open_link_did_not_count_is_guessed_from_its_facts(tmp_path: Path) -> None:
    column = reference("customer", "customers", Named("Robert Smith", phone="+15125550199"))
    link = resolve(column, ParentIndex([])).link(0)
    old = msgspec.structs.replace(link, contacts=None)

    again = resolve(reopened("customer", [link, old]), people(tmp_path, customer("1", "Robert Smith")))

    assert link.contacts == 1
    assert [again.link(i).method for i in range(2)] == ["name_despite_contacts"] * 2


# ---- very long names --------------------------------------------------------------------------------------------


def test_errors_are_not_looked_for_in_very_long_names() -> None:
    name = "x" * (BYTES_MAX + 1)

    assert error_spans(name) == []
    assert misplaced_spaces(name) == []


def test_errors_of_many_names_are_looked_for_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(spans: Spans, salt: int) -> Any:
        sizes.append(sum(end - first for _, first, end in spans))
        return near_hashes_of(spans, salt)

    monkeypatch.setattr(name_search, "near_hashes_of", measured)
    names = [f"{'ab' * 25}{chr(97 + i % 26)}" for i in range(200)]

    search([Sought(i, "customers", name, name, has_unknown_contact=False) for i, name in enumerate(names)],
           people(tmp_path, customer("1", "Ben Brand")))  # fmt: skip

    assert sum(sizes) == 200 * 51
    assert max(sizes) < 2048 + BYTES_MAX
