"""HTTP of the hub as a whole: whether its services run, and what a session's messages stumbled over."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from shared.http.auth import Admin
from shared.messages.topics import ENTITIES_DETECTED, SESSION_SAMPLED
from shared.runtime import Runtime
from shared.runtime.dead_letters import DeadLetterFilter

_LEAD_TO_MAPPING = frozenset({SESSION_SAMPLED.name, ENTITIES_DETECTED.name})


class FaultView(BaseModel):
    """A consumer that stopped and kept its place; it goes on after a restart."""

    service: str
    message: str
    next_step: str
    at: float


class GivenUpView(BaseModel):
    """A message of the session that was set aside."""

    topic: str
    code: str
    reason: str
    blocks_mapping: bool
    """Without this message the session never gets a mapping."""


class Health(BaseModel):
    """`stopped`: some service waits for the cure that `faults` names. `given_up`: only with ?session=."""

    state: Literal["running", "stopped"]
    faults: list[FaultView]
    given_up: list[GivenUpView]


def make_health_router(runtime: Runtime) -> APIRouter:
    """The route over the runtime. For admins: a reason may name a customer's value."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health(_: Admin, session: str | None = None) -> Health:
        """Whether everything runs, and with ?session= which of its messages could not be handled."""
        faults = [
            FaultView(service=fault.service, message=fault.message, next_step=fault.next_step, at=fault.at)
            for fault in runtime.faults()
        ]
        letters = await runtime.dead_letters(DeadLetterFilter(session=session)) if session else []
        return Health(
            state="stopped" if faults else "running",
            faults=faults,
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
