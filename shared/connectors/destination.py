"""The port of destinations: where migrated records go. The loader plans from what a destination declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True)
class Capabilities:
    """What a destination can do, as data; its name appears in its own adapter and in the registry, nowhere else.

    `records_per_write`: largest batch it takes. `is_transactional`: a decision and its records are stored together, so
    that no crash can come between. `keeps_given_ids`: records are written under the ids the loader chose, so a write
    after a timeout finds itself. `may_refuse`: it can refuse single records that passed validation.
    """

    name: str
    records_per_write: int
    is_transactional: bool
    keeps_given_ids: bool
    may_refuse: bool
    can_delete: bool
    can_find: bool


class RecordRow(NamedTuple):
    """One record as it is written. `links` and `body` are JSON; `open` counts its references without a parent yet."""

    id: int
    line: int
    open: int
    links: bytes | None
    body: bytes


class Settled(NamedTuple):
    """A written record whose open references were looked at again: its new links and how many are still open."""

    id: int
    open: int
    links: bytes


class DecisionKey(NamedTuple):
    """What a decision is about; the first one stored for a key is the one everybody executes."""

    run: int
    step: int
    batch: int
    entity: str


class Stored(NamedTuple):
    """What is stored of a decision: the answer that is sent (JSON) and the problems that go with it."""

    answer: bytes
    problems: bytes


class Destination(Protocol):
    """Where records go. Every call is idempotent; what returned is durable. An unreachable destination raises
    RetryableError and the run waits; a refused record is reported in the answer, never by an exception."""

    def describe(self) -> Capabilities:
        """What it can do."""

    async def check(self) -> None:
        """Raises ConfigurationError, with the cure, where it cannot be written to."""

    async def decided(self, key: DecisionKey) -> Stored | None:
        """The stored decision of a key."""

    async def write(self, key: DecisionKey, decision: Stored, audit: bytes, records: Sequence[RecordRow]) -> Stored:
        """Stores the decision unless there is one, writes its records by id, returns the stored one."""

    async def settle(self, key: DecisionKey, decision: Stored, audit: bytes, updates: Sequence[Settled]) -> Stored:
        """The same for links of records that are written already."""

    async def existing(self, ids: Sequence[int]) -> set[int]:
        """Which of these ids are written."""

    async def read(self, ids: Sequence[int]) -> list[RecordRow]:
        """The written records of these ids, by id."""
