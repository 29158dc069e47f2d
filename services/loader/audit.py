"""Audit documents: one per decision, compressed, beside the outcome they explain."""

from __future__ import annotations

from typing import Any

import msgspec
import zstandard
from pydantic import BaseModel

from services.loader.finalizing import LinkChange
from services.loader.load_planning import AuditEntry
from shared.connectors.destination import DecisionKey
from shared.messages.plan import record_id


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and when (seconds since the epoch)."""

    action: str
    """`load`, `dry_run`, `cancelled`, `given_up` or `settle`."""
    at: float
    entries: bytes
    """zstd of msgpack list[AuditEntry] (of a settlement: list[LinkChange]); empty where there is nothing to list."""


class AuditDocument(BaseModel):
    """One decision. Staged records of the batch that are not listed under `skipped` share the decision's action."""

    run: int
    step: int
    batch: int
    entity: str
    action: str
    at: float
    skipped: list[dict[str, Any]]
    """Records that were not created: id they would have had, action, and the record they equal."""
    linked: list[dict[str, Any]]
    """Links a settlement made: record, field, parent, and what stood there before."""


def stamped(entries: bytes, action: str, at: float) -> bytes:
    """The audit document of planned entries."""
    return msgspec.msgpack.encode(Audit(action=action, at=at, entries=entries))


def cancelled_audit(action: str, at: float) -> bytes:
    """The audit document of a batch of which nothing was written."""
    return stamped(b"", action, at)


def document_of(key: DecisionKey, body: bytes) -> AuditDocument:
    """A stored audit document, readable."""
    audit = msgspec.msgpack.decode(body, type=Audit)
    raw = zstandard.decompress(audit.entries) if audit.entries else b"\x90"
    skipped: list[dict[str, Any]] = []
    linked: list[dict[str, Any]] = []
    if audit.action == "settle":
        for change in msgspec.msgpack.decode(raw, type=list[LinkChange]):
            before = msgspec.to_builtins(change.before)
            linked.append({"record": change.record, "field": change.field, "parent": change.after, "before": before})
    else:
        for entry in msgspec.msgpack.decode(raw, type=list[AuditEntry]):
            skipped.append({"id": record_id(key.run, entry.slot), "action": entry.action, "same_as": entry.other})
    return AuditDocument(**key._asdict(), action=audit.action, at=audit.at, skipped=skipped, linked=linked)
