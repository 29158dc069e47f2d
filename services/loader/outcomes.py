"""Counts of batches that are staged, cancelled or given up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import zstandard

from shared.messages.batches import CANCELLED, MappedBatch, MappedStream, Problem
from shared.messages.control import BatchStaged, EntityCounts
from shared.messages.plan import RunPlan

_CANCELLED_TEXT = (
    "The run was cancelled before {} from this row on were imported. Import the file again to get them: "
    "what is imported already will not be doubled."
)
GIVEN_UP = "given_up"
"""Code of a batch that could not be mapped."""

_CODES_WITH_UNKNOWN_WORDS = frozenset({"undecodable_message", "unexpected_error"})

_SEAL_FAULT_TEXT = (
    "The records could not be compared with one another because of a fault of the hub. Nothing was imported. "
    "Start the import again; if it stays, look into the hub's log."
)

_GIVEN_UP_TEXT = (
    "{} from this row on could not be written: {} None of them was imported. "
    "Resume the session with its failed batches once the cause is removed."
)


def cancelled_rows(plan: RunPlan, mapped: MappedBatch) -> bytes:
    """What is said about a batch that was not mapped because its run was cancelled."""
    span = plan.span_of_batch(mapped.batch)
    return _packed(
        [
            Problem(
                severity="skipped",
                code="cancelled",
                message=_CANCELLED_TEXT.format(f"{count} rows"),
                record=span.first_record,
                line=span.line,
                entity=entity,
            )
            for entity, count in mapped.errored.items()
        ]
    )


def cancelled_records(streams: Sequence[MappedStream]) -> bytes:
    """What is said about staged records that were not loaded because their run was cancelled."""
    return _packed(
        [_of_stream(s, "skipped", "cancelled", _CANCELLED_TEXT.format(f"{s.count} records")) for s in streams]
    )


def given_up_records(streams: Sequence[MappedStream], reason: str) -> bytes:
    """What is said about staged records that could not be loaded."""
    return _packed(
        [_of_stream(s, "error", "batch_given_up", _GIVEN_UP_TEXT.format(f"{s.count} records", reason)) for s in streams]
    )


def _of_stream(stream: MappedStream, severity: Literal["error", "skipped"], code: str, message: str) -> Problem:
    return Problem(
        severity=severity,
        code=code,
        message=message,
        record=int(np.frombuffer(stream.numbers, "<u4")[0]),
        line=int(np.frombuffer(stream.lines, "<u4")[0]),
        entity=stream.entity,
        slot=stream.slot,
    )


def _packed(problems: Sequence[Problem]) -> bytes:
    return zstandard.compress(msgspec.msgpack.encode(problems), 1) if problems else b""


def staged_summary(mapped: MappedBatch) -> bytes:
    """The `BatchStaged` answer of a mapped batch as JSON: what is stored with it and sent for every copy of it."""
    entities: dict[str, EntityCounts] = {}
    valid: dict[str, int] = {}
    for stream in mapped.streams:
        valid[stream.entity] = valid.get(stream.entity, 0) + stream.count
    for entity in sorted({*valid, *mapped.errored}):
        rejected = mapped.errored.get(entity, 0)
        cancelled = mapped.given_up == CANCELLED
        entities[entity] = EntityCounts(
            valid=valid.get(entity, 0),
            errored=0 if cancelled else rejected,
            skipped=rejected if cancelled else 0,
            money_left_out=mapped.money_errored.get(entity, {}),
        )
    answer = BatchStaged(
        account=mapped.account,
        session=mapped.session,
        run=mapped.run,
        batch=mapped.batch,
        given_up=_public_code(mapped),
        content=_content(mapped),
        entities=entities,
    )
    return answer.model_dump_json().encode()


def _public_code(mapped: MappedBatch) -> str | None:
    """Why a batch was not mapped, as a code: its words may quote a cell, and this answer is public."""
    return mapped.given_up if mapped.given_up in (None, CANCELLED) else GIVEN_UP


def seal_failure(reason_code: str, message: str) -> str:
    """Why a run could not be sealed, for the public event: the hub's own words, never those of an unknown exception."""
    return _SEAL_FAULT_TEXT if reason_code in _CODES_WITH_UNKNOWN_WORDS else message


def given_up_counts(streams: Sequence[MappedStream]) -> EntityCounts:
    """Every valid record of a batch that could not be loaded is an error."""
    return EntityCounts(errored=_records(streams), money_left_out=_money(streams))


def cancelled_counts(streams: Sequence[MappedStream]) -> EntityCounts:
    """Every valid record of a batch that was not loaded because its run was cancelled is skipped."""
    return EntityCounts(skipped=_records(streams), money_left_out=_money(streams))


def _records(streams: Sequence[MappedStream]) -> int:
    return sum(stream.count for stream in streams)


def _money(streams: Sequence[MappedStream]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for stream in streams:
        for field, total in stream.money.items():
            totals[field] = totals.get(field, 0) + total
    return totals


def _content(mapped: MappedBatch) -> str:
    """Hash of what decides: the keys and contents of every stream, and how much was rejected."""
    digest = hashlib.sha256(str(sorted(mapped.errored.items())).encode())
    for stream in mapped.streams:
        digest.update(f"{stream.entity}/{stream.slot}/{stream.count}".encode())
        digest.update(stream.keys)
        digest.update(stream.contents)
    return digest.hexdigest()
