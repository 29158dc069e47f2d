"""Counts of batches that are staged, cancelled or given up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from shared.messages.batches import CANCELLED, MappedBatch, MappedStream
from shared.messages.control import BatchStaged, EntityCounts

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
        given_up=mapped.given_up,
        content=_content(mapped),
        entities=entities,
    )
    return answer.model_dump_json().encode()


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
