"""Records as they are given out: canonical fields, links, safe cells."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.loader.audit import document_of, stamped
from services.loader.exporting import columns_of, export_records, to_csv, to_jsonl
from services.loader.finalizing import LinkChange
from services.loader.linking import Link
from services.loader.load_planning import AuditEntry
from shared.catalog import load_catalog
from shared.connectors.destination import DecisionKey, RecordRow, Stored
from shared.messages.plan import record_id
from shared.storage.records import SqliteRecordStore, Stream
from shared.storage.sqlite import SqliteDatabase
from tests.support.builders import packed

JOBS = load_catalog()["jobs"]
STREAM = Stream(1, 0, 9, "main", "s1", "jobs", "jobs.csv")
ADA = RecordRow(record_id(1, 20), 2, 0, None, b'{"source_id":"C-1","name":"Ada"}')


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteRecordStore]:
    database = SqliteDatabase(tmp_path / "store.db", synchronous="NORMAL")
    store = SqliteRecordStore(database)
    await store.start()
    await store.decide(DecisionKey(1, 1, 0, "customers"), Stored(b"", b""), b"", [ADA])
    yield store
    await database.close()


async def exported(store: SqliteRecordStore, links: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    row = RecordRow(record_id(1, 0), 7, 0, json.dumps(links).encode() if links else None, json.dumps(body).encode())
    [record] = await export_records(store, JOBS, [(STREAM, row)])
    return record


async def test_a_record_says_where_it_came_from_and_has_every_field(store: SqliteRecordStore) -> None:
    record = await exported(store, title="Repair", total=-1_205)

    assert (record["id"], record["source_file"], record["source_row"]) == (record_id(1, 0), "jobs.csv", 7)
    assert (record["title"], record["total"], record["notes"]) == ("Repair", "-12.05", None)
    assert list(record) == columns_of(JOBS)


async def test_links_name_their_parent_by_id_and_source_id(store: SqliteRecordStore) -> None:
    linked = {"text": "Ada", "id": ADA.id, "method": "name", "confidence": 0.9}

    record = await exported(store, {"customer": [linked], "technician": [linked, {"text": "T", "status": "no_parent"}]})

    assert [record[f"customer{part}"] for part in ("", ".source_id", ".method", ".confidence")] == [
        ADA.id,
        "C-1",
        "name",
        0.9,
    ]
    assert (record["technician"], record["technician.source_id"]) == ([ADA.id, None], ["C-1", None])
    assert (record["property"], record["property.method"]) == (None, None)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|'/C calc'!A0", "'+cmd|'/C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("\tx", "'\tx"),
        ("-12.05", "-12.05"),
        ("+1 (512) 555.0101", "+1 (512) 555.0101"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (["ä", None], '["ä", null]'),
        ('He said "no",\nand left', 'He said "no",\nand left'),
    ],
)
def test_a_cell_is_read_back_as_text_and_never_runs_as_a_formula(value: Any, cell: str) -> None:
    text = to_csv(["a", "b"], [{"a": value, "b": "end"}], header=True)

    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], [cell, "end"]]


def test_a_later_page_has_no_header_row() -> None:
    assert to_csv(["a"], [{"a": 1}], header=False) == "1\n"


def test_json_lines_are_one_object_a_line() -> None:
    records: list[dict[str, Any]] = [{"a": "line\nbreak", "b": None}, {"a": "ü"}]

    text = to_jsonl(records)

    assert [json.loads(line) for line in text.splitlines()] == records
    assert "ü" in text


# ---- audit ----------------------------------------------------------------------------------------------------


def test_an_audit_document_lists_what_was_not_created() -> None:
    entries = packed([AuditEntry(3, "skipped_duplicate", record_id(1, 0)), AuditEntry(4, "skipped_existing", 7)])

    document = document_of(DecisionKey(1, 2, 0, "jobs"), stamped(entries, "load", 1_700_000_000.5))

    assert (document.action, document.at, document.linked) == ("load", 1_700_000_000.5, [])
    assert document.skipped == [
        {"id": record_id(1, 3), "action": "skipped_duplicate", "same_as": record_id(1, 0)},
        {"id": record_id(1, 4), "action": "skipped_existing", "same_as": 7},
    ]


def test_an_audit_document_of_a_settlement_says_what_stood_there_before() -> None:
    change = LinkChange(record_id(1, 0), "customer", 0, Link(text="Ada", status="no_parent"), ADA.id)

    document = document_of(DecisionKey(2, 5, 0, ""), stamped(packed([change]), "settle", 1.0))

    [made] = document.linked
    assert (made["record"], made["field"], made["parent"]) == (record_id(1, 0), "customer", ADA.id)
    assert (made["before"]["text"], made["before"]["status"]) == ("Ada", "no_parent")


def test_an_audit_document_of_a_batch_of_which_nothing_was_written_is_empty() -> None:
    document = document_of(DecisionKey(1, 2, 0, "jobs"), stamped(b"", "cancelled", 1.0))

    assert (document.action, document.skipped, document.linked) == ("cancelled", [], [])
