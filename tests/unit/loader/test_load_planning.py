"""What a load writes: records, links, counts, money, and what is said about records that are not written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from services.loader.load_planning import AuditEntry, LoadInput, LoadOutcome, decompressed, plan_load
from shared.messages.batches import MappedStream, Problem
from shared.messages.plan import RunPlan, record_id
from tests.support.builders import Batches, File, Named, customer, job, make_plan, packed, reference, seal, stream_of


@dataclass
class Loaded:
    """A load's outcome, readable."""

    outcome: LoadOutcome

    @property
    def counts(self) -> dict[str, Any]:
        """The counts that are not zero."""
        return {name: value for name, value in json.loads(self.outcome.counts).items() if value}

    @property
    def slots(self) -> list[int]:
        return [record.id & 0xFFFFFFFF for record in self.outcome.records]

    @property
    def problems(self) -> list[tuple[str, str, int]]:
        return [(p.severity, p.code, p.line) for p in decompressed(self.outcome.problems)]

    @property
    def messages(self) -> list[str]:
        return [p.message for p in decompressed(self.outcome.problems)]

    @property
    def audit(self) -> list[AuditEntry]:
        raw = zstandard.decompress(self.outcome.audit) if self.outcome.audit else b"\x90"
        return msgspec.msgpack.decode(raw, type=list[AuditEntry])

    def links(self, record: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.outcome.records[record].links or b"{}")
        return found


@dataclass
class Loading:
    """A run whose batches are sealed."""

    folder: Path
    plan: RunPlan
    batches: Batches
    earlier: Sequence[Path] = ()
    sources: Sequence[tuple[int, int, str]] = ()

    def load(
        self,
        entity: str,
        batch: int = 0,
        *,
        parents: dict[str, list[Path]] | None = None,
        problems: Sequence[Problem] = (),
        absent: Sequence[int] = (),
    ) -> Loaded:
        path = self.folder / f"plan {self.plan.run}"
        path.write_bytes(self.plan.encode())
        streams = [stream for stream in self.batches[batch] if stream.entity == entity]
        work = LoadInput(
            plan=str(path),
            batch=batch,
            entity=entity,
            streams=[msgspec.msgpack.encode(stream) for stream in streams],
            problems=packed(list(problems)),
            own=str(self.seal(entity)),
            parents={name: [str(path) for path in paths] for name, paths in (parents or {}).items()},
            sources=list(self.sources),
            absent=list(absent),
        )
        encoded = plan_load(msgspec.msgpack.encode(work))
        return Loaded(msgspec.msgpack.decode(encoded, type=LoadOutcome))

    def seal(self, entity: str) -> Path:
        return seal(self.folder, self.plan, self.batches, entity, earlier=self.earlier)


def of_customers(folder: Path, *batches: MappedStream, **given: Any) -> Loading:
    """One file of customers, a stream per batch."""
    plan = make_plan(File("clients.csv", [stream.count for stream in batches]), run=given.pop("run", 1))
    return Loading(folder, plan, {i: [stream] for i, stream in enumerate(batches)}, **given)


# ---- records --------------------------------------------------------------------------------------------------


def test_records_have_ids_by_run_and_place_lines_and_bodies(tmp_path: Path) -> None:
    first = stream_of("customers", customer("1", "Ada"), customer("2", "Ben"))
    second = stream_of("customers", customer("3", "Cleo"), first=2)

    loaded = of_customers(tmp_path, first, second, run=7).load("customers", 1)

    [record] = loaded.outcome.records
    assert (record.id, record.line, record.open, record.links) == (record_id(7, 2), 4, 0, None)
    assert json.loads(record.body) == {"source_id": "3", "name": "Cleo"}
    assert loaded.counts == {"imported": 1}


def test_two_streams_of_one_type_are_written_by_id(tmp_path: Path) -> None:
    plan = make_plan(File("jobs.csv", [2], ["jobs", ("customers", 0), ("customers", 1)]))
    streams = [
        stream_of("customers", customer("c"), customer("d"), slot=1, primary=False),
        stream_of("customers", customer("a"), customer("b"), slot=0, primary=False),
    ]

    loaded = Loading(tmp_path, plan, {0: streams}).load("customers")

    assert loaded.slots == [2, 3, 4, 5]
    assert [json.loads(record.body)["source_id"] for record in loaded.outcome.records] == ["a", "b", "c", "d"]


def test_the_same_load_has_the_same_outcome(tmp_path: Path) -> None:
    loading = of_customers(tmp_path, stream_of("customers", customer("1", "Ada"), customer("1", "Ben")))

    assert loading.load("customers").outcome == loading.load("customers").outcome


# ---- what is skipped ------------------------------------------------------------------------------------------


def test_a_duplicate_is_skipped_and_its_row_names_the_first_one(tmp_path: Path) -> None:
    ada = customer("1", "Ada")
    loading = of_customers(tmp_path, stream_of("customers", customer("0"), ada), stream_of("customers", ada, first=2))

    loaded = loading.load("customers", 1)

    assert (loaded.slots, loaded.counts) == ([], {"skipped": 1})
    assert loaded.problems == [("skipped", "duplicate", 4)]
    assert "row 3 of clients.csv" in loaded.messages[0]
    assert loaded.audit == [AuditEntry(2, "skipped_duplicate", record_id(1, 1))]


def test_a_conflict_is_skipped_and_says_what_to_do(tmp_path: Path) -> None:
    loading = of_customers(tmp_path, stream_of("customers", customer("1", "Ada"), customer("1", "Alan")))

    loaded = loading.load("customers")

    assert loaded.slots == [0]
    assert loaded.problems == [("skipped", "conflict", 3)]
    assert "row 2 of clients.csv" in loaded.messages[0]
    assert "another id" in loaded.messages[0]
    assert loaded.audit == [AuditEntry(1, "skipped_conflict", record_id(1, 0))]


def test_a_winner_in_another_file_is_named_with_its_file(tmp_path: Path) -> None:
    plan = make_plan(File("a.csv", [1]), File("b.csv", [1]))
    batches = {batch: [stream_of("customers", customer("1"))] for batch in (0, 1)}

    loaded = Loading(tmp_path, plan, batches).load("customers", 1)

    assert "row 2 of a.csv" in loaded.messages[0]


def second_run(tmp_path: Path, *records: Any, **given: Any) -> Loading:
    """A run after one that imported customers 1 (Ada) and 2 (Ben)."""
    first = stream_of("customers", customer("1", "Ada", email="ada@x.co"), customer("2", "Ben"), label="files")
    index = seal(tmp_path, make_plan(File("old.csv", [2])), {0: [first]})
    return of_customers(
        tmp_path,
        stream_of("customers", *records),
        run=2,
        earlier=[index],
        sources=[(record_id(1, 0), record_id(1, 1), "old.csv")],
        **given,
    )


def test_what_an_earlier_run_imported_is_skipped_and_its_file_is_named(tmp_path: Path) -> None:
    loaded = second_run(tmp_path, customer("1", "Ada", email="ada@x.co"), customer("2", "Benno"), customer("3")).load(
        "customers"
    )

    assert (loaded.slots, loaded.counts) == ([2], {"imported": 1, "skipped": 2})
    assert loaded.problems == [("skipped", "existing", 2), ("skipped", "existing_conflict", 3)]
    assert all("from old.csv" in message for message in loaded.messages)
    assert [(entry.action, entry.other) for entry in loaded.audit] == [
        ("skipped_existing", record_id(1, 0)),
        ("skipped_existing", record_id(1, 1)),
    ]


def test_a_duplicate_of_a_record_that_exists_already_is_recorded_as_that_record(tmp_path: Path) -> None:
    ada = customer("1", "Ada", email="ada@x.co")

    loaded = second_run(tmp_path, ada, ada).load("customers")

    assert loaded.counts == {"skipped": 2}
    assert sorted((entry.slot, entry.action, entry.other) for entry in loaded.audit) == [
        (0, "skipped_existing", record_id(1, 0)),
        (1, "skipped_duplicate", record_id(1, 0)),
    ]


# ---- warnings -------------------------------------------------------------------------------------------------


def warning(record: int, *, slot: int = 0, entity: str = "customers", severity: Any = "warning") -> Problem:
    return Problem(
        severity=severity, code="unreadable_date", message="?", record=record, line=record + 2, entity=entity, slot=slot
    )


def test_warnings_are_told_of_imported_records_alone(tmp_path: Path) -> None:
    records = [customer("1"), customer("1"), customer("2"), customer("3")]
    told = [warning(0), warning(0), warning(1), warning(2, entity="jobs"), warning(3, severity="error")]

    loaded = of_customers(tmp_path, stream_of("customers", *records)).load("customers", problems=told)

    assert loaded.counts == {"imported": 3, "skipped": 1, "warnings": 1}
    assert loaded.problems == [("skipped", "duplicate", 3), *[("warning", "unreadable_date", 2)] * 2]


def test_a_shared_natural_key_warns_on_the_later_record_and_imports_both(tmp_path: Path) -> None:
    records = [customer("1", "Ada", email="ada@x.co"), customer("2", "Ada A", email="ada@x.co")]

    loaded = of_customers(tmp_path, stream_of("customers", *records)).load("customers")

    assert loaded.counts == {"imported": 2, "warnings": 1}
    assert loaded.problems == [("warning", "shared_natural_key", 3)]
    assert "row 2 of clients.csv" in loaded.messages[0]


# ---- money ----------------------------------------------------------------------------------------------------


def test_money_of_skipped_records_is_left_out(tmp_path: Path) -> None:
    plan = make_plan(File("jobs.csv", [3], ["jobs"]))
    records = [job("1", total=1_000), job("1", total=250), job("2", total=-30)]
    stream = stream_of("jobs", *records, money={"total": 1_220})

    loaded = Loading(tmp_path, plan, {0: [stream]}).load("jobs")

    assert loaded.counts == {"imported": 2, "skipped": 1, "money": {"total": 970}, "money_left_out": {"total": 250}}


# ---- references -----------------------------------------------------------------------------------------------


def jobs_and_customers(tmp_path: Path, *jobs: Any, references: Sequence[Any]) -> Loading:
    """A file of customers Ada, Ben and two Hopes, and one of jobs."""
    people = stream_of(
        "customers", customer("1", "Ada Abbot"), customer("2", "Ben Brand"), *(customer(i, "Hope Hobbs") for i in "34")
    )
    plan = make_plan(File("clients.csv", [4]), File("jobs.csv", [len(jobs)], ["jobs"]))
    return Loading(tmp_path, plan, {0: [people], 1: [stream_of("jobs", *jobs, references=references)]})


def test_links_and_open_references_are_written_and_counted(tmp_path: Path) -> None:
    column = reference("customer", "customers", Named("Ada Abbot"), Named("Hope Hobbs"), Named("Nobody", owner=3))
    loading = jobs_and_customers(tmp_path, job("1"), job("2"), job("3"), job("4"), references=[column])

    loaded = loading.load("jobs", 1, parents={"customers": [loading.seal("customers")]})

    assert loaded.counts == {"imported": 4, "references": 3, "linked": 1, "pending": 2}
    assert [record.open for record in loaded.outcome.records] == [0, 1, 0, 1]
    assert loaded.links(0) == {
        "customer": [{"text": "Ada Abbot", "id": record_id(1, 0), "method": "name", "confidence": 0.9}]
    }
    assert loaded.links(1)["customer"][0]["candidates"] == [record_id(1, 2), record_id(1, 3)]
    assert loaded.outcome.records[2].links is None
    assert loaded.links(3)["customer"][0]["status"] == "no_parent"
    assert loaded.outcome.linked_ids == [record_id(1, 0)]


def test_texts_of_links_survive_quotes_and_other_scripts(tmp_path: Path) -> None:
    text = 'Ada "the\n\\boss" Äbbot 🛠'
    column = reference("customer", "customers", Named("1", by="source_id"), Named(text))
    loading = jobs_and_customers(
        tmp_path, job("1"), job("2"), references=[msgspec.structs.replace(column, texts=[text, text])]
    )

    loaded = loading.load("jobs", 1, parents={"customers": [loading.seal("customers")]})

    assert [loaded.links(i)["customer"][0]["text"] for i in (0, 1)] == [text, text]


def test_several_parents_and_several_fields_of_one_record_keep_their_order(tmp_path: Path) -> None:
    columns = [
        reference("customer", "customers", Named("Ben Brand")),
        reference("technician", "customers", Named("Nobody", owner=0), Named("Ada Abbot", owner=0), many=True),
    ]
    loading = jobs_and_customers(tmp_path, job("1"), references=columns)

    loaded = loading.load("jobs", 1, parents={"customers": [loading.seal("customers")]})

    assert list(loaded.links(0)) == ["customer", "technician"]
    assert [link["text"] for link in loaded.links(0)["technician"]] == ["Nobody", "Ada Abbot"]
    assert loaded.outcome.records[0].open == 1
    assert loaded.counts == {"imported": 1, "references": 3, "linked": 2, "pending": 1}


def test_references_of_skipped_records_do_not_count(tmp_path: Path) -> None:
    column = reference("customer", "customers", Named("Ada Abbot"), Named("Ben Brand"), Named("Nobody"))
    loading = jobs_and_customers(tmp_path, job("1"), job("1"), job("1"), references=[column])

    loaded = loading.load("jobs", 1, parents={"customers": [loading.seal("customers")]})

    assert loaded.counts == {"imported": 1, "skipped": 2, "references": 1, "linked": 1}
    assert loaded.outcome.linked_ids == [record_id(1, 0)]


@pytest.mark.parametrize("is_empty_index_there", [False, True])
def test_a_type_that_is_nowhere_is_unresolved(tmp_path: Path, is_empty_index_there: bool) -> None:
    column = reference("customer", "employees", Named("Tess"), Named("Tom"))
    loading = jobs_and_customers(tmp_path, job("1"), job("1"), references=[column])
    parents = {"employees": [loading.seal("employees")]} if is_empty_index_there else {}

    loaded = loading.load("jobs", 1, parents=parents)

    assert loaded.counts == {"imported": 1, "skipped": 1, "references": 1, "pending": 1, "unresolved": 1}
    assert loaded.links(0)["customer"][0]["status"] == "unresolved"


def test_references_to_parents_that_were_not_stored_wait_for_them(tmp_path: Path) -> None:
    column = reference("customer", "customers", Named("Ada Abbot"), Named("Ben Brand"))
    loading = jobs_and_customers(tmp_path, job("1"), job("2"), references=[column])

    loaded = loading.load("jobs", 1, parents={"customers": [loading.seal("customers")]}, absent=[record_id(1, 0)])

    assert loaded.counts == {"imported": 2, "references": 2, "linked": 1, "pending": 1}
    assert [record.open for record in loaded.outcome.records] == [1, 0]
    assert loaded.links(0)["customer"][0]["status"] == "no_parent"
    assert loaded.outcome.linked_ids == [record_id(1, 1)]


def test_children_of_a_duplicate_belong_to_the_record_that_won(tmp_path: Path) -> None:
    people = stream_of("customers", customer("1", "Ada Abbot"), customer("1", "Ada Brand"))
    column = reference("customer", "customers", Named("Ada Brand"))
    plan = make_plan(File("clients.csv", [2]), File("jobs.csv", [1], ["jobs"]))
    loading = Loading(tmp_path, plan, {0: [people], 1: [stream_of("jobs", job("1"), references=[column])]})

    loaded = loading.load("jobs", 1, parents={"customers": [loading.seal("customers")]})

    assert loaded.links(0)["customer"][0]["id"] == record_id(1, 0)
