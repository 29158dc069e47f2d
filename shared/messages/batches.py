"""Batch messages between ingest, mapper and loader: structures of arrays, so that no hop loops over records.

All arrays are little-endian numpy buffers; `n` is the number of records of the stream in this batch. A record's number
is its 0-based number in its file; the physical line travels beside it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CANCELLED = "cancelled"
"""`MappedBatch.given_up` of a batch that was not mapped because its run was cancelled: its rows are skipped."""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to say about one record: why it errored, was skipped, or was imported with a value missing."""

    severity: Literal["error", "warning", "skipped"]
    code: str
    """Stable code, e.g. `missing_required`, `unreadable_date`, `duplicate`, `conflict`, `extra_cells`."""
    message: str
    """In words a business owner understands, with what to do."""
    record: int
    line: int
    entity: str
    slot: int = 0
    field: str | None = None
    column: int | None = None
    value: str | None = None


class StreamKey(msgspec.Struct, frozen=True, array_like=True):
    """A stream: the records one file makes for one (entity type, slot)."""

    entity: str
    slot: int
    primary: bool


class MappedStream(msgspec.Struct, frozen=True, kw_only=True):
    """The valid records of one stream in one batch, in source order."""

    entity: str
    slot: int
    primary: bool
    count: int
    numbers: bytes
    """u32[n]: record numbers in the file."""
    lines: bytes
    """u32[n]: physical lines."""
    keys: bytes
    """u64[n][2]: 128-bit hash of the record key (see `shared.catalog.identity`)."""
    contents: bytes
    """u64[n]: hash of the source cells that feed the record."""
    keyed_by: bytes
    """u8[n]: 0 source id, 1 natural key, 2 row's primary key and content, 3 content and file."""
    naturals: bytes
    """(u64 hash, u32 index into the stream)[]: natural keys that are completely filled, for every record."""
    link_keys: bytes
    """(u64 hash, u32 index into the stream)[]: everything by which a child may name this record."""
    warned: bytes
    """u8[n]: 1 where the mapper warned about the record."""
    bodies: bytes
    """zstd of msgpack list[bytes]: per record a JSON object of canonical fields in storage form, references left out;
    `_original` holds the source text of values that were converted."""
    references: bytes
    """zstd of msgpack list[ReferenceColumn]."""
    money: dict[str, int]
    """Sum in minor units per money field over these records."""


class ReferenceColumn(msgspec.Struct, frozen=True, kw_only=True):
    """All references of one ref field in one stream and batch, flattened: one entry per named parent."""

    field: str
    parent: str
    many: bool
    owner: bytes
    """u32[m]: index of the child in the stream, ascending."""
    texts: list[str]
    """The parent as the source names it."""
    by: bytes
    """u8[m]: 0 source_id, 1 number, 2 name, 3 email, 4 phone, 5 row."""
    exact: bytes
    """u64[m]: link key of `by` (see `shared.catalog.identity`), 0 where there is none."""
    names: bytes
    """u64[m]: link key of the normalised name, 0 where no name is known."""
    normalised: list[str]
    """The normalised name ("" where no name is known), for the search by similarity."""
    evidence: list[list[int]]
    """Per entry the link keys (u64) of further facts: name with phone, name with e-mail, phone, e-mail ..."""
    streets: bytes = b""
    """u64[m]: link key of the street line alone, 0 where none is known; empty where the file tells none. It may
    confirm a name, but speaks for nobody by itself: work is done at streets of others too."""
    contacts: bytes = b""
    """u8[m]: number of e-mail addresses and phones among the further facts; empty where it was not counted."""


class RawBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Ingest -> mapper: map this span of a landed file. A claim check: the text stays in the landed file."""

    account: str
    session: str
    run: int
    batch: int
    file: int
    """Rank of the file in the plan."""
    plan: str
    """Address of the plan artifact, which holds files, spans and the mapping."""
    cancelled: bool = False
    """True: do not map it; its rows are skipped because the run was cancelled."""


class MappedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Mapper -> loader: one raw batch mapped, or given up (then every row is an error of the primary entity type)."""

    account: str
    session: str
    run: int
    batch: int
    file: int
    plan: str
    given_up: str | None
    streams: list[MappedStream]
    errored: dict[str, int]
    """Records rejected per entity type."""
    money_errored: dict[str, dict[str, int]]
    """Per entity type and money field the readable minor units of rejected records."""
    problems: bytes
    """zstd of msgpack list[Problem], errors and warnings."""
    claim: str = ""
    """Set where the batch is too large for a message: address of the file that holds it encoded (a claim check)."""
