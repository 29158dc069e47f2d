"""Audit documents: one per decision, compressed, beside the outcome they explain."""

from __future__ import annotations

import msgspec
import zstandard

from services.loader.load_planning import AuditEntry


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which records, and when (seconds since the epoch)."""

    action: str
    at: float
    entries: bytes
    """zstd of msgpack list[AuditEntry]; empty where the whole batch shares the action."""


def stamped(entries: bytes, action: str, at: float) -> bytes:
    """The audit document of planned entries."""
    return msgspec.msgpack.encode(Audit(action=action, at=at, entries=entries))


def cancelled_audit(action: str, at: float) -> bytes:
    """The audit document of a batch of which nothing was written."""
    return stamped(b"", action, at)


def audit_entries(document: bytes) -> tuple[Audit, list[AuditEntry]]:
    """An audit document and its entries."""
    audit = msgspec.msgpack.decode(document, type=Audit)
    if not audit.entries:
        return audit, []
    return audit, msgspec.msgpack.decode(zstandard.decompress(audit.entries), type=list[AuditEntry])
