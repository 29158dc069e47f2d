"""The frozen plan of a run: an immutable artifact, named by its content hash in every batch message of the run.

It holds everything that must not change while the run goes on: files by content hash with their rank, batch boundaries,
the mapping, the policies. Whoever is given its address may read it and the landed files it names.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import msgspec

from shared.messages.landing import Reading, Span

RunKind = Literal["preflight", "import"]


class PlannedStream(msgspec.Struct, frozen=True, kw_only=True):
    """The records one file makes for one (entity type, slot), with the range of record slots they own in this run.

    A record's id is run * 2**32 + first_slot + its number in the file: deterministic and sequential.
    """

    entity: str
    slot: int
    primary: bool
    first_slot: int
    order: int
    """Place among the streams of its file: decides between two records of one row that share a key."""


class PlannedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the plan. `rank` is its place by (file name, content hash)."""

    rank: int
    name: str
    sha256: str
    records: int
    reading: Reading
    spans: tuple[Span, ...]
    first_batch: int
    """Number of this file's first batch in the run; its k-th span is batch first_batch + k."""
    mapping: bytes
    """FileMapping as JSON."""
    streams: tuple[PlannedStream, ...]


class RunPlan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The whole plan. `batches` is the number of batches over all files."""

    account: str
    session: str
    run: int
    kind: RunKind
    catalog_version: int
    source_label: str
    region: str
    strict: bool
    files: tuple[PlannedFile, ...]
    batches: int
    only_batches: tuple[int, ...] | None = None
    """Set where a run repeats only the failed batches of an earlier one."""

    def file_of_batch(self, batch: int) -> PlannedFile:
        """The file a batch belongs to."""
        for file in self.files:
            if file.first_batch <= batch < file.first_batch + len(file.spans):
                return file
        raise IndexError(f"run {self.run} has no batch {batch}")

    def span_of_batch(self, batch: int) -> Span:
        """Where a batch lies in its file."""
        file = self.file_of_batch(batch)
        return file.spans[batch - file.first_batch]

    @cached_property
    def entities(self) -> frozenset[str]:
        """The entity types this run may make records of."""
        return frozenset(stream.entity for file in self.files for stream in file.streams)

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """The batches of the validating step, in order."""
        return self.only_batches if self.only_batches is not None else tuple(range(self.batches))

    def encode(self) -> bytes:
        """The artifact's bytes; equal plans have equal bytes."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def decode(body: bytes) -> RunPlan:
        """The plan of an artifact."""
        return msgspec.msgpack.decode(body, type=RunPlan)


RECORD_SLOTS_BITS = 32
"""A run has room for 2**32 records; with run numbers below 2**21 every id fits exactly in a JSON number (2**53)."""


def record_id(run: int, slot: int) -> int:
    """The id of a record in the hub store."""
    return (run << RECORD_SLOTS_BITS) | slot
