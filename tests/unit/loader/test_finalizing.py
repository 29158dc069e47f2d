"""Open references of earlier runs are settled when their parents have come."""

from __future__ import annotations

from pathlib import Path

import msgspec
import zstandard

from services.loader.finalizing import FinalizeInput, FinalizeOutcome, LinkChange, settle_page
from services.loader.linking import Link, Links, resolve
from services.loader.sealed_index import ParentIndex
from shared.messages.plan import record_id
from tests.support.builders import File, Given, Named, customer, make_plan, reference, seal, stream_of

JOB_1, JOB_2 = record_id(1, 0), record_id(1, 1)


def open_links(*named: Named, parent: str = "customers") -> list[Link]:
    """References for which nobody has come yet."""
    answers = resolve(reference("", parent, *named), ParentIndex([]))
    return [answers.link(i) for i in range(len(named))]


def row(id_: int, links: Links, entity: str = "jobs") -> tuple[int, str, bytes]:
    return id_, entity, msgspec.json.encode(links)


def arrived(tmp_path: Path, *records: Given, entity: str = "customers") -> str:
    """The index of the run that brings the parents."""
    plan = make_plan(File("parents.csv", [len(records)], [entity]), run=2)
    return str(seal(tmp_path, plan, {0: [stream_of(entity, *records)]}, entity))


def settle(rows: list[tuple[int, str, bytes]], parents: dict[str, list[str]], absent: list[int]) -> FinalizeOutcome:
    work = FinalizeInput(rows=rows, parents=parents, absent=absent)
    return msgspec.msgpack.decode(settle_page(msgspec.msgpack.encode(work)), type=FinalizeOutcome)


def links_of(outcome: FinalizeOutcome) -> dict[int, Links]:
    return {update.id: msgspec.json.decode(update.links, type=Links) for update in outcome.updates}


def test_a_reference_is_linked_and_the_others_of_its_record_stay(tmp_path: Path) -> None:
    ada, nobody = open_links(Named("Ada Abbot"), Named("Nobody"))
    parents = {"customers": [arrived(tmp_path, customer("1", "Ada Abbot"))]}

    outcome = settle([row(JOB_1, {"customer": [ada], "technician": [nobody]})], parents, [])

    [update] = outcome.updates
    assert (update.id, update.open, update.linked_ids) == (JOB_1, 1, [record_id(2, 0)])
    assert links_of(outcome)[JOB_1] == {
        "customer": [Link(text="Ada Abbot", id=record_id(2, 0), method="name", confidence=0.9)],
        "technician": [nobody],
    }
    assert outcome.counts == {"jobs": 1}


def test_a_record_for_which_nobody_has_come_is_not_written(tmp_path: Path) -> None:
    parents = {"customers": [arrived(tmp_path, customer("1", "Ada Abbot"))]}

    outcome = settle([row(JOB_1, {"customer": open_links(Named("Nobody"))})], parents, [])

    assert outcome == FinalizeOutcome(updates=[], counts={}, audit=b"")


def test_namesakes_that_have_come_stay_open(tmp_path: Path) -> None:
    parents = {"customers": [arrived(tmp_path, customer("1", "Hope Hobbs"), customer("2", "Hope Hobbs"))]}

    assert settle([row(JOB_1, {"customer": open_links(Named("Hope Hobbs"))})], parents, []).updates == []


def test_references_to_several_types_from_several_records_are_settled_in_one_page(tmp_path: Path) -> None:
    to_ada, to_ben = open_links(Named("Ada Abbot"), Named("Ben Brand"))
    [to_tess] = open_links(Named("Tess Tanner"), parent="employees")
    parents = {
        "customers": [arrived(tmp_path, customer("1", "Ada Abbot"), customer("2", "Ben Brand"))],
        "employees": [arrived(tmp_path, customer("9", "Tess Tanner"), entity="employees")],
    }
    settled = Link(text="x", id=5, method="name", confidence=0.9)
    rows = [
        row(JOB_2, {"customer": [to_ben], "technician": [settled, to_tess]}),
        row(JOB_1, {"customer": [to_ada]}, "invoices"),
    ]

    outcome = settle(rows, parents, [])

    assert [(update.id, update.open) for update in outcome.updates] == [(JOB_1, 0), (JOB_2, 0)]
    assert outcome.counts == {"jobs": 2, "invoices": 1}
    assert links_of(outcome)[JOB_2]["technician"][0] == settled
    assert links_of(outcome)[JOB_2]["technician"][1].id == record_id(2, 0)


def test_a_parent_that_is_not_stored_settles_nothing(tmp_path: Path) -> None:
    parents = {"customers": [arrived(tmp_path, customer("1", "Ada Abbot"), customer("2", "Ben Brand"))]}
    rows = [row(JOB_1, {"customer": open_links(Named("Ada Abbot"), Named("Ben Brand"))})]

    outcome = settle(rows, parents, [record_id(2, 0)])

    assert [link.id for link in links_of(outcome)[JOB_1]["customer"]] == [None, record_id(2, 1)]
    assert outcome.updates[0].open == 1


def test_what_stood_there_before_is_kept_for_undoing_it(tmp_path: Path) -> None:
    [ada] = open_links(Named("Ada Abbot", email="ada@x.co"))
    parents = {"customers": [arrived(tmp_path, customer("1", "Ada Abbot"))]}

    outcome = settle([row(JOB_1, {"customer": [Link(text="x", id=5), ada]})], parents, [])
    [change] = msgspec.msgpack.decode(zstandard.decompress(outcome.audit), type=list[LinkChange])

    assert change == LinkChange(JOB_1, "customer", 1, ada, record_id(2, 0))
