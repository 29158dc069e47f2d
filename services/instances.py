"""Which processes of the cluster live, and what they stumbled over: one small document each, renewed while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from shared.errors import ConflictError, RetryableError
from shared.messages.envelope import Clock
from shared.observability.events import UPKEEP_FAILED, emit
from shared.runtime import Fault
from shared.security.principal import DEFAULT_ACCOUNT
from shared.storage.documents import Documents

INSTANCES = "instances"
SEEN_SECONDS = 10.0
"""How often a process says that it lives. A fault is told at once."""
LOST_SECONDS = 60.0
"""One that was not seen for so long is taken for dead: several tries of a slow store lie within."""
LOOK_SECONDS = 1.0
_FORGOTTEN_SECONDS = 3_600.0


class InstanceFault(BaseModel):
    """A consumer of the process that stopped and kept its place."""

    service: str
    message: str
    next_step: str
    at: float


class Instance(BaseModel):
    """One process of one service. Times are seconds since the epoch."""

    id: str
    service: str
    started_at: float
    seen_at: float
    faults: list[InstanceFault]


@dataclass
class Heartbeat:
    """Keeps the document of this process: made at `start`, renewed every SEEN_SECONDS, removed at `stop`.

    A store that is away for a while is no fault of the process: the next turn tries again.
    """

    documents: Documents
    service: str
    faults: Callable[[], Sequence[Fault]]
    clock: Clock
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    _started_at: float = 0.0
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Says that the process lives. RetryableError where the store is away."""
        self._started_at = self.clock()
        await self._beat()
        self._task = asyncio.create_task(self._keep_on(), name="heartbeat")

    async def stop(self) -> None:
        """Removes the document; where the store is away it is ignored after LOST_SECONDS."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            with contextlib.suppress(RetryableError, ConflictError):
                await self.documents.delete(INSTANCES, self.id)

    async def _keep_on(self) -> None:
        told, waited = 0, 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
            if waited < SEEN_SECONDS and len(self.faults()) == told:
                continue
            told, waited = len(self.faults()), 0.0
            try:
                await self._beat()
            except (RetryableError, ConflictError):
                pass
            except Exception as fault:  # told, and tried again: without a heartbeat the process looks dead
                emit(UPKEEP_FAILED, exc_info=fault)

    async def _beat(self) -> None:
        now = self.clock()
        instance = Instance(
            id=self.id,
            service=self.service,
            started_at=self._started_at,
            seen_at=now,
            faults=[
                InstanceFault(service=fault.service, message=fault.message, next_step=fault.next_step, at=fault.at)
                for fault in self.faults()
            ],
        )
        body = instance.model_dump_json().encode()
        await self.documents.put(INSTANCES, self.id, body, account=DEFAULT_ACCOUNT, expected_revision=None)
        for old in await _all(self.documents):
            if old.seen_at < now - _FORGOTTEN_SECONDS:
                await self.documents.delete(INSTANCES, old.id)


async def living_instances(documents: Documents, now: float) -> list[Instance]:
    """Processes that were seen within LOST_SECONDS, by service and start."""
    found = [instance for instance in await _all(documents) if instance.seen_at >= now - LOST_SECONDS]
    return sorted(found, key=lambda instance: (instance.service, instance.started_at, instance.id))


async def _all(documents: Documents) -> list[Instance]:
    found: list[Instance] = []
    cursor: str | None = None
    while True:
        page = await documents.find(INSTANCES, after=cursor)
        found += [Instance.model_validate_json(document.body) for document in page.documents]
        if (cursor := page.cursor) is None:
            return found
