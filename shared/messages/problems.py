"""Loader -> status: what there is to say about single records. Internal: it carries cell values."""

from __future__ import annotations

import msgspec


class ProblemsFound(msgspec.Struct, frozen=True, kw_only=True):
    """The problems of one (run, batch, entity type, stage). Repeats are equal and harmless."""

    account: str
    session: str
    run: int
    batch: int
    entity: str
    """Entity type of a load, "" for the problems of staging."""
    stage: str
    """`staged` (errors) or `loaded` (warnings of imported records, skips, references to look at)."""
    count: int
    problems: bytes
    """zstd of msgpack list[Problem]."""
