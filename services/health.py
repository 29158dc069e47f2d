"""HTTP of the hub as a whole: whether its services run, and what a session's messages stumbled over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from fastapi import APIRouter
from pydantic import BaseModel

from services.dead_letters import DeadLetterDesk
from services.instances import living_instances
from shared.http.auth import Admin
from shared.messages.envelope import Clock
from shared.messages.topics import ENTITIES_DETECTED, SESSION_SAMPLED
from shared.runtime import Runtime
from shared.runtime.dead_letters import DeadLetterFilter
from shared.storage.documents import Documents

_LEAD_TO_MAPPING = frozenset({SESSION_SAMPLED.name, ENTITIES_DETECTED.name})


class FaultView(BaseModel):
    """A consumer that stopped and kept its place; it goes on after a restart."""

    service: str
    message: str
    next_step: str
    at: float


class MissingView(BaseModel):
    """A service of which no process runs. Its messages wait."""

    service: str
    message: str
    next_step: str


class GivenUpView(BaseModel):
    """A message of the session that was set aside."""

    topic: str
    code: str
    reason: str
    blocks_mapping: bool
    """Without this message the session never gets a mapping."""


class Health(BaseModel):
    """`stopped`: some service waits for the cure that `faults` and `missing` name. `given_up`: only with ?session=."""

    state: Literal["running", "stopped"]
    faults: list[FaultView]
    missing: list[MissingView]
    given_up: list[GivenUpView]


@dataclass(frozen=True)
class Standing:
    """What does not run."""

    faults: list[FaultView]
    missing: list[MissingView]


class Watch(Protocol):
    """Knows what does not run."""

    async def standing(self) -> Standing:
        """How the services are now."""
        ...


@dataclass(frozen=True)
class OneProcess:
    """All services in this process: none is missing."""

    runtime: Runtime

    async def standing(self) -> Standing:
        """The faults of this process."""
        return Standing(_faults_here(self.runtime), [])


@dataclass(frozen=True)
class ManyProcesses:
    """Services that run as processes of their own and say so in the store."""

    runtime: Runtime
    documents: Documents
    services: Sequence[str]
    clock: Clock

    async def standing(self) -> Standing:
        """The faults of all living processes, and the services without any."""
        living = await living_instances(self.documents, self.clock())
        faults = [FaultView(**fault.model_dump()) for instance in living for fault in instance.faults]
        running = {instance.service for instance in living}
        missing = [_missing(service) for service in sorted(self.services) if service not in running]
        return Standing(_faults_here(self.runtime) + faults, missing)


def make_health_router(watch: Watch, desk: DeadLetterDesk) -> APIRouter:
    """The route over the watch. For admins: a reason may name a customer's value."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health(principal: Admin, session: str | None = None) -> Health:
        """Whether everything runs, and with ?session= which of its messages could not be handled."""
        standing = await watch.standing()
        letters = await desk.listed(principal, DeadLetterFilter(session=session)) if session else []
        return Health(
            state="stopped" if standing.faults or standing.missing else "running",
            faults=standing.faults,
            missing=standing.missing,
            given_up=[
                GivenUpView(
                    topic=letter.topic,
                    code=letter.reason_code,
                    reason=letter.reason,
                    blocks_mapping=letter.topic in _LEAD_TO_MAPPING,
                )
                for letter in letters
            ],
        )

    return router


def _faults_here(runtime: Runtime) -> list[FaultView]:
    return [
        FaultView(service=fault.service, message=fault.message, next_step=fault.next_step, at=fault.at)
        for fault in runtime.faults()
    ]


def _missing(service: str) -> MissingView:
    return MissingView(
        service=service,
        message=f"No process of the service {service} is running; its messages wait.",
        next_step=f"Start one with `hub service {service}`.",
    )
