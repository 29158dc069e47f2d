"""Which record a reference means: by which evidence it is linked, and when nobody can say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.loader.linking import Link, Resolved, reopened, resolve
from services.loader.name_search import CANDIDATES_MAX
from services.loader.sealed_index import ParentIndex, SealedIndex
from shared.catalog.identity import LinkKind
from shared.messages.plan import record_id
from tests.support.builders import File, Given, Named, customer, make_plan, reference, seal, stream_of


def people(tmp_path: Path, *records: Given, run: int = 1, entity: str = "customers") -> ParentIndex:
    """The sealed records; the id of the first one has slot 0."""
    plan = make_plan(File("parents.csv", [len(records)], [entity]), run=run)
    return ParentIndex([SealedIndex(seal(tmp_path, plan, {0: [stream_of(entity, *records)]}, entity))])


def slots(ids: list[int]) -> list[int]:
    return [id_ - record_id(1, 0) for id_ in ids]


def answer(index: ParentIndex, named: Named, parent: str = "customers") -> tuple[Any, ...]:
    """(slot, method) of a link, or (status, slots of the candidates)."""
    link = resolve(reference("customer", parent, named), index).link(0)
    return (link.status, slots(link.candidates)) if link.id is None else (*slots([link.id]), link.method)


ADA = customer("C-1", "Ada Abbot", email="ada@x.co", phone="+15125550101", street="1 Main St")
BEN = customer("C-2", "Ben Brand", email="ben@x.co", phone="+15125550102", street="2 Oak Ave")
SMITH = customer("C-3", "Smith", email="smith@x.co")
HOBBS_1 = customer("C-4", "Hope Hobbs", email="hope1@x.co", phone="+15125550104", street="4 Elm St")
HOBBS_2 = customer("C-5", "Hope Hobbs", email="hope2@x.co", phone="+15125550105", street="5 Elm St")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> ParentIndex:
    """ADA 0, BEN 1, SMITH 2, HOBBS 3 and 4."""
    return people(tmp_path_factory.mktemp("known"), ADA, BEN, SMITH, HOBBS_1, HOBBS_2)


# ---- plain ways -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "method"),
    [
        (Named("C-2", by="source_id"), "source_id"),
        (Named("Ben Brand"), "name"),
        (Named("BRAND, ben"), "name"),
        (Named("ben@x.co", by="email"), "email"),
        (Named("+15125550102", by="phone"), "phone"),
        (Named("Ben Brand", email="ben@x.co"), "name_with_evidence"),
        (Named("Ben Brand", street="2 Oak Avenue"), "name_with_evidence"),
    ],
)
def test_a_plain_reference_is_linked(known: ParentIndex, named: Named, method: str) -> None:
    assert answer(known, named) == (1, method)


def test_a_number_finds_its_job(tmp_path: Path) -> None:
    jobs = people(tmp_path, Given("J1", links=[(LinkKind.NUMBER, "1042")]), entity="jobs")

    assert answer(jobs, Named("1042", by="number"), "jobs") == (0, "number")


def test_a_record_of_the_same_row_is_found_by_its_key(tmp_path: Path) -> None:
    owners = people(tmp_path, Given("x", links=[(LinkKind.ROW, "ab12")]))

    assert answer(owners, Named("ab12", by="row")) == (0, "row")


def test_an_id_is_case_sensitive_and_of_its_own_label(known: ParentIndex) -> None:
    elsewhere = reference("customer", "customers", Named("C-1", by="source_id"), label="jobber")

    assert answer(known, Named("c-1", by="source_id")) == ("no_parent", [])
    assert resolve(elsewhere, known).link(0).status == "no_parent"


def test_an_id_that_two_labels_use_leads_to_the_record_of_the_label(tmp_path: Path) -> None:
    paths = []
    for run, label in enumerate(("jobber", "files"), start=1):
        streams = {0: [stream_of("customers", customer("1", f"Name {label}"), label=label)]}
        paths.append(seal(tmp_path, make_plan(File("a.csv", [1]), run=run, label=label), streams))
    index = ParentIndex([SealedIndex(path) for path in paths])

    found = resolve(reference("customer", "customers", Named("1", by="source_id"), label="files"), index)

    assert found.ids.tolist() == [record_id(2, 0)]


# ---- namesakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "slot"),
    [
        ({"email": "hope2@x.co"}, 4),
        ({"email": "hope1@x.co"}, 3),
        ({"phone": "+15125550105"}, 4),
        ({"street": "4 elm street"}, 3),
    ],
)
def test_evidence_decides_among_namesakes(known: ParentIndex, fact: dict[str, str], slot: int) -> None:
    assert answer(known, Named("Hope Hobbs", **fact)) == (slot, "name_with_evidence")  # type: ignore[arg-type]


def test_namesakes_without_evidence_stay_open_with_both_as_candidates(known: ParentIndex) -> None:
    assert answer(known, Named("Hope Hobbs")) == ("ambiguous", [3, 4])


def test_evidence_that_fits_no_namesake_does_not_decide(known: ParentIndex) -> None:
    assert answer(known, Named("Hope Hobbs", email="unknown@x.co")) == ("ambiguous", [3, 4])


def test_evidence_for_both_namesakes_does_not_decide(known: ParentIndex) -> None:
    assert answer(known, Named("Hope Hobbs", email="hope1@x.co", phone="+15125550105")) == ("ambiguous", [3, 4])


def test_evidence_that_points_to_somebody_else_keeps_a_reference_open(known: ParentIndex) -> None:
    assert answer(known, Named("Ben Brand", email="ada@x.co")) == ("ambiguous", [1, 0])


def test_evidence_for_the_named_one_outweighs_a_phone_of_somebody_else(known: ParentIndex) -> None:
    assert answer(known, Named("Ben Brand", email="ben@x.co", phone="+15125550101")) == (1, "name_with_evidence")


def test_a_shared_phone_decides_with_the_name_only(tmp_path: Path) -> None:
    household = people(
        tmp_path, customer("1", "Ada Abbot", phone="+15125550101"), customer("2", "Alan Abbot", phone="+15125550101")
    )

    assert answer(household, Named("+15125550101", by="phone")) == ("ambiguous", [0, 1])
    assert answer(household, Named("+15125550101", by="phone", name="Alan Abbot")) == (1, "phone")


def test_a_namesake_of_an_earlier_run_counts(tmp_path: Path) -> None:
    first = seal(tmp_path, make_plan(File("a.csv", [1])), {0: [stream_of("customers", HOBBS_1)]})
    plan = make_plan(File("b.csv", [1]), run=2)
    second = seal(tmp_path, plan, {0: [stream_of("customers", HOBBS_2)]}, earlier=[first])
    index = ParentIndex([SealedIndex(second), SealedIndex(first)])

    found = resolve(reference("customer", "customers", Named("Hope Hobbs")), index).link(0)

    assert (found.status, found.candidates) == ("ambiguous", [record_id(1, 0), record_id(2, 0)])


def test_candidates_are_listed_up_to_a_limit(tmp_path: Path) -> None:
    crowd = people(tmp_path, *(customer(str(n), "Hope Hobbs") for n in range(CANDIDATES_MAX + 5)))

    assert answer(crowd, Named("Hope Hobbs")) == ("ambiguous", list(range(CANDIDATES_MAX)))


# ---- ids that are nowhere -------------------------------------------------------------------------------------


def test_an_unknown_id_is_not_linked_by_the_name_alone(known: ParentIndex) -> None:
    assert answer(known, Named("C-99", by="source_id", name="Ben Brand")) == ("no_parent", [])


def test_an_unknown_id_is_linked_by_the_name_with_evidence(known: ParentIndex) -> None:
    assert answer(known, Named("C-99", by="source_id", name="Ben Brand", email="ben@x.co")) == (1, "name_with_evidence")


def test_an_unknown_name_with_a_known_e_mail_stays_open_with_its_owner_as_candidate(known: ParentIndex) -> None:
    assert answer(known, Named("Nobody Known", email="ben@x.co")) == ("ambiguous", [1])


def test_what_is_nowhere_waits_for_its_parent(known: ParentIndex) -> None:
    assert answer(known, Named("Nobody Known")) == ("no_parent", [])


def test_a_type_that_is_nowhere_is_unresolved() -> None:
    answers = resolve(
        reference("customer", "customers", Named("Ada Abbot"), Named("C-1", by="source_id")), ParentIndex([])
    )

    assert [answers.link(i).status for i in range(2)] == ["unresolved", "unresolved"]


# ---- names that are nearly right ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "slot"),
    [("Smith HVAC Repair", 2), ("Smith - annual furnace tune-up 2024", 2), ("Ben Brand AC install", 1)],
)
def test_a_name_inside_a_job_title_is_found(known: ParentIndex, text: str, slot: int) -> None:
    assert answer(known, Named(text)) == (slot, "name_in_text")


def test_a_person_is_found_in_the_name_of_a_company_of_the_trade(tmp_path: Path) -> None:
    company = people(tmp_path, customer("1", "Garrison Heating & Cooling LLC"))

    assert answer(company, Named("Garrison")) == (0, "name_in_text")


@pytest.mark.parametrize("text", ["Bem Brand", "Ben Brnd", "Ben Brandt", "Ben Brnad"])
def test_one_typing_error_is_forgiven(known: ParentIndex, text: str) -> None:
    assert answer(known, Named(text)) == (1, "similar_name")


def test_a_typing_error_with_evidence_is_surer(known: ParentIndex) -> None:
    assert answer(known, Named("Ben Brandt", email="ben@x.co")) == (1, "similar_name_with_evidence")
    assert answer(known, Named("Hope Hobs", email="hope2@x.co")) == (4, "similar_name_with_evidence")


def test_a_typing_error_between_two_names_stays_open(tmp_path: Path) -> None:
    two = people(tmp_path, customer("1", "Marta Keller"), customer("2", "Marla Keller"))

    assert answer(two, Named("Mara Keller")) == ("ambiguous", [0, 1])


def test_two_typing_errors_are_another_name(known: ParentIndex) -> None:
    assert answer(known, Named("Bem Brend")) == ("no_parent", [])


def test_a_letter_makes_another_name_of_a_short_one(tmp_path: Path) -> None:
    short = people(tmp_path, customer("1", "Lee"), customer("2", "Ann O"))

    assert answer(short, Named("Les")) == ("no_parent", [])
    assert answer(short, Named("Annx O")) == (1, "similar_name")
    assert answer(short, Named("Ana O")) == ("no_parent", [])


def test_an_exact_name_goes_before_similar_ones(tmp_path: Path) -> None:
    two = people(tmp_path, customer("1", "Marta Keller"), customer("2", "Marla Keller"))

    assert answer(two, Named("Marla Keller")) == (1, "name")


@pytest.mark.parametrize("text", ["Priscill aWhitbrook", "PriscillaWhitbrook", "Prisci lla Whitbrook"])
def test_a_misplaced_space_is_forgiven(tmp_path: Path, text: str) -> None:
    index = people(tmp_path, customer("1", "Priscilla Whitbrook", email="p@x.co"))

    assert answer(index, Named(text)) == (0, "similar_name")
    assert answer(index, Named(text, email="p@x.co")) == (0, "similar_name_with_evidence")


# ---- whole columns --------------------------------------------------------------------------------------------


def test_a_column_is_answered_as_its_entries_one_by_one(known: ParentIndex) -> None:
    entries = [
        Named("C-2", by="source_id"),
        Named("Hope Hobbs"),
        Named("Ben Brandt"),
        Named("Nobody Known"),
        Named("Hope Hobbs", email="hope2@x.co"),
        Named("Smith HVAC Repair"),
        Named("ada@x.co", by="email"),
        Named("C-99", by="source_id", name="Ben Brand"),
        Named("Ben Brand", email="ada@x.co"),
        Named("Ada Abbot"),
    ]

    together = resolve(reference("customer", "customers", *entries), known)

    alone = [resolve(reference("customer", "customers", entry), known).link(0) for entry in entries]
    assert [together.link(i) for i in range(len(entries))] == alone


def test_several_parents_of_one_record_are_answered_each(known: ParentIndex) -> None:
    column = reference("assigned_to", "customers", Named("Ada Abbot", owner=0), Named("Hope Hobbs", owner=0), many=True)

    answers = resolve(column, known)

    assert [(answers.link(i).text, answers.link(i).status) for i in range(2)] == [
        ("Ada Abbot", "linked"),
        ("Hope Hobbs", "ambiguous"),
    ]


def test_an_empty_column_has_no_answers(known: ParentIndex) -> None:
    assert resolve(reference("customer", "customers"), known).ids.tolist() == []


def test_links_that_are_taken_back_wait_for_their_parent(known: ParentIndex) -> None:
    answers = resolve(reference("customer", "customers", Named("Ada Abbot"), Named("Ben Brand")), known)

    answers.reopen([1])

    assert [answers.link(i).status for i in range(2)] == ["linked", "no_parent"]
    assert answers.ids.tolist() == [record_id(1, 0), 0]


# ---- open links are looked at again ---------------------------------------------------------------------------

OPEN = [
    Named("C-7", by="source_id", name="Cleo Crane", email="cleo@x.co"),
    Named("Cleo Crane"),
    Named("cleo@x.co", by="email"),
    Named("Cleo Crame", email="cleo@x.co"),
    Named("Cleo HVAC Crane"),
]


def stored(answers: Resolved) -> list[Link]:
    """The links as they come out of the store."""
    text = msgspec.json.encode([answers.link(i) for i in range(len(answers.column.texts))])
    return msgspec.json.decode(text, type=list[Link])


def test_open_links_make_the_column_they_came_from(known: ParentIndex) -> None:
    column = reference("customer", "customers", *OPEN)
    links = stored(resolve(column, known))

    assert {link.status for link in links} == {"no_parent"}
    assert reopened("customer", links) == column


def test_open_links_are_settled_when_their_parent_has_come(known: ParentIndex, tmp_path: Path) -> None:
    links = stored(resolve(reference("customer", "customers", *OPEN), known))
    later = people(tmp_path, customer("C-7", "Cleo Crane", email="cleo@x.co"))

    answers = resolve(reopened("", links), later)

    assert [answers.link(i).method for i in range(len(OPEN))] == [
        "source_id",
        "name",
        "email",
        "similar_name_with_evidence",
        "name_in_text",
    ]
    assert set(answers.ids.tolist()) == {record_id(1, 0)}
