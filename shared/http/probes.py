"""What an orchestrator asks a process: does it live, may it get work, what does it measure. No token is needed.

The routes answer codes, counts and the names of parts; never an id, an address or a customer's value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from shared.errors import HubError
from shared.observability.metrics import Metrics
from shared.runtime.service import Fault, Lag

Check = Callable[[], Awaitable[None]]
"""Raises, soon, where a part cannot be used: a HubError with the cure, or whatever its driver raises."""

CHECK_SECONDS_MAX = 3.0
"""Below the usual 5 s after which an orchestrator gives up: the answer names the part that is slow."""

LAG_SECONDS_MAX = 5.0
"""Half of Prometheus' usual 10 s for a scrape; without the lag the other metrics are still worth having."""


class PartState(BaseModel):
    """A part of the process. `code` and `next_step` say why it is not ready; no message: those may name addresses."""

    state: Literal["ready", "not_ready"]
    code: str = ""
    next_step: str = ""


class Readiness(BaseModel):
    """Whether the process may get work; it may once all its parts are ready."""

    state: Literal["ready", "not_ready"]
    parts: dict[str, PartState]


def make_probe_router(
    checks: Mapping[str, Check], *, metrics: Metrics | None = None, seconds_max: float = CHECK_SECONDS_MAX
) -> APIRouter:
    """`/live` (204 while the process answers) and `/ready` (200, or 503 naming each part that is not ready).

    The checks run side by side, each within `seconds_max`; their results go to `metrics`.
    """
    router = APIRouter(tags=["probes"], include_in_schema=False)

    @router.get("/live")
    async def live() -> Response:
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.get("/ready")
    async def ready() -> Response:
        states = await asyncio.gather(*(_state(check, seconds_max) for check in checks.values()))
        parts = dict(zip(checks, states, strict=True))
        if metrics is not None:
            for name, part in parts.items():
                metrics.set_part(name, part.state == "ready")
        is_ready = all(part.state == "ready" for part in states)
        answer = Readiness(state="ready" if is_ready else "not_ready", parts=parts)
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(answer.model_dump(), status_code=status)

    return router


async def _state(check: Check, seconds_max: float) -> PartState:
    try:
        async with asyncio.timeout(seconds_max):
            await check()
    except TimeoutError:
        return PartState(state="not_ready", code="no_answer_in_time")
    except HubError as error:
        return PartState(state="not_ready", code=error.code, next_step=error.next_step)
    except Exception as error:
        return PartState(state="not_ready", code=type(error).__name__)
    return PartState(state="ready")


def make_metrics_router(
    metrics: Metrics,
    lag: Callable[[], Awaitable[Sequence[Lag]]] | None = None,
    faults: Callable[[], Sequence[Fault]] | None = None,
    *,
    seconds_max: float = LAG_SECONDS_MAX,
) -> APIRouter:
    """`/metrics` for Prometheus. Lag and stopped consumers are looked up at each scrape; unreadable lag is left out."""
    router = APIRouter(tags=["probes"], include_in_schema=False)

    @router.get("/metrics")
    async def measured() -> Response:
        if lag is not None:
            metrics.set_lag(await _lag(lag, seconds_max))
        if faults is not None:
            metrics.set_faults(faults())
        body, content_type = metrics.render()
        return Response(body, media_type=content_type)

    return router


async def _lag(read: Callable[[], Awaitable[Sequence[Lag]]], seconds_max: float) -> Sequence[Lag] | None:
    """Where the groups stand; None while the log is away: a scrape must tell then what it can."""
    try:
        async with asyncio.timeout(seconds_max):
            return await read()
    except (HubError, OSError):  # TimeoutError is an OSError
        return None
