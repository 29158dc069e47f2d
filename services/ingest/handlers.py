"""Ingest's messages: acknowledgements of its runs, and mappings that were approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.landing import Landing
from services.ingest.model import ApprovedMapping
from services.ingest.runs import Runs
from services.ingest.sessions import Sessions
from shared.messages.control import (
    BatchLoaded,
    BatchStaged,
    FileReceived,
    FinalizePlanned,
    MappingApproved,
    ReferencesSettled,
    RunClosed,
    SealCompleted,
)
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import GivenUp


@dataclass
class IngestHandlers:
    """One short method per message."""

    runs: Runs
    sessions: Sessions
    landing: Landing

    async def file_received(self, delivery: Delivery) -> Sequence[Outgoing]:
        """A file waits to be landed."""
        message: FileReceived = delivery.message
        await self.landing.land(message.session, message.file)
        return []

    async def file_given_up(self, delivery: Delivery, given_up: GivenUp) -> Sequence[Outgoing]:
        """A file that cannot be landed is rejected with the reason. One without its message is asked for again."""
        message: FileReceived | None = delivery.message
        if message is not None:
            await self.landing.give_up(message.session, message.file, given_up)
        return []

    async def staged(self, delivery: Delivery) -> Sequence[Outgoing]:
        """A batch of the validating step is done."""
        message: BatchStaged = delivery.message
        return await self.runs.staged(message.run, message.batch, message.model_dump_json().encode())

    async def sealed(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The staged records are sealed, or cannot be."""
        message: SealCompleted = delivery.message
        return await self.runs.sealed(message.run, message.seal, message.failure)

    async def loaded(self, delivery: Delivery) -> Sequence[Outgoing]:
        """A batch of an importing step is done."""
        message: BatchLoaded = delivery.message
        body = message.model_dump_json().encode()
        return await self.runs.acknowledged(message.run, message.step, message.position, body)

    async def pages_planned(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Finalizing knows how much there is to look at."""
        message: FinalizePlanned = delivery.message
        return await self.runs.pages_planned(message.run, message.pages)

    async def settled(self, delivery: Delivery) -> Sequence[Outgoing]:
        """A page of open references is done."""
        message: ReferencesSettled = delivery.message
        body = message.model_dump_json().encode()
        return await self.runs.acknowledged(message.run, message.step, message.page, body)

    async def closed(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The run is cleaned up: its account is free."""
        message: RunClosed = delivery.message
        return await self.runs.closed(message.run)

    async def mapping_approved(self, delivery: Delivery) -> Sequence[Outgoing]:
        """A mapping may be run."""
        message: MappingApproved = delivery.message
        mapping = ApprovedMapping(
            version=message.version, mapping_version=message.mapping_version, address=message.mapping
        )
        await self.sessions.approved(message.session, mapping)
        return []
