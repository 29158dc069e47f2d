"""The built-in destination: the hub's own record store. A decision, its records and audit are one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.connectors.destination import Capabilities, DecisionKey, RecordRow, Settled, Stored
from shared.storage.records import RecordStore

CAPABILITIES = Capabilities(
    name="hub",
    records_per_write=5_000,
    is_transactional=True,
    keeps_given_ids=True,
    may_refuse=False,
    can_delete=True,
    can_find=True,
)


@dataclass
class HubDestination:
    """Implements `Destination` on the record store."""

    records: RecordStore

    def describe(self) -> Capabilities:
        return CAPABILITIES

    async def check(self) -> None:
        """The store is opened, or refused, when the hub starts: here one read shows that it answers."""
        await self.records.existing([])

    async def decided(self, key: DecisionKey) -> Stored | None:
        return await self.records.outcome(key)

    async def write(self, key: DecisionKey, decision: Stored, audit: bytes, records: Sequence[RecordRow]) -> Stored:
        return await self.records.decide(key, decision, audit, records)

    async def settle(self, key: DecisionKey, decision: Stored, audit: bytes, updates: Sequence[Settled]) -> Stored:
        return await self.records.settle(key, decision, audit, updates)

    async def existing(self, ids: Sequence[int]) -> set[int]:
        return await self.records.existing(ids)

    async def read(self, ids: Sequence[int]) -> list[RecordRow]:
        return await self.records.rows(ids)
