"""/live, /ready and /metrics: what an orchestrator and Prometheus get to see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NoReturn

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from shared.errors import RetryableError
from shared.http.probes import Check, make_metrics_router, make_probe_router
from shared.messages.topics import LOAD_REQUESTED, consumer_group
from shared.observability.metrics import Metrics
from shared.runtime.service import Fault, Lag

GROUP = consumer_group("loader", LOAD_REQUESTED)


async def well() -> None:
    """A part that answers."""


async def away() -> NoReturn:
    raise RetryableError("mongo-1.internal:27017 does not answer.", next_step="Start the store.")


async def broken() -> NoReturn:
    raise KeyError("Ana Ruiz")


async def hanging() -> None:
    await asyncio.Event().wait()


async def get(router: APIRouter, path: str) -> httpx2.Response:
    app = FastAPI()
    app.include_router(router)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://hub") as client:
        return await client.get(path)


async def ready(checks: Mapping[str, Check], metrics: Metrics | None = None) -> httpx2.Response:
    return await get(make_probe_router(checks, metrics=metrics, seconds_max=0.05), "/ready")


async def test_a_process_lives_whatever_its_parts_do() -> None:
    answer = await get(make_probe_router({"store": away}), "/live")

    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_process_is_ready_when_all_parts_are() -> None:
    answer = await ready({"bus": well, "store": well})

    assert answer.status_code == 200
    assert answer.json()["state"] == "ready"
    assert {name: part["state"] for name, part in answer.json()["parts"].items()} == {
        "bus": "ready",
        "store": "ready",
    }


@pytest.mark.parametrize(
    ("check", "code", "next_step"),
    [(away, "retryable", "Start the store."), (broken, "KeyError", ""), (hanging, "no_answer_in_time", "")],
    ids=["away", "broken", "hanging"],
)
async def test_a_part_that_is_not_ready_is_named_with_code_and_cure(check: Check, code: str, next_step: str) -> None:
    answer = await ready({"bus": well, "store": check})

    assert answer.status_code == 503
    assert answer.json()["state"] == "not_ready"
    assert answer.json()["parts"]["store"] == {"state": "not_ready", "code": code, "next_step": next_step}
    assert answer.json()["parts"]["bus"]["state"] == "ready"


async def test_an_answer_shows_no_message_of_an_error() -> None:
    answer = await ready({"store": away, "workers": broken})

    assert "internal" not in answer.text
    assert "Ana" not in answer.text


async def test_checks_run_side_by_side() -> None:
    """Each waits for the other: one after the other, neither would end."""
    first, second = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        first.set()
        await second.wait()

    async def other() -> None:
        second.set()
        await first.wait()

    answer = await get(make_probe_router({"bus": one, "store": other}, seconds_max=10.0), "/ready")

    assert answer.status_code == 200


async def test_what_a_check_found_is_in_the_metrics() -> None:
    metrics = Metrics("1.0")

    await ready({"bus": well, "store": away}, metrics)

    text = metrics.render()[0].decode()
    assert 'hub_process_part_up{part="bus"} 1.0' in text
    assert 'hub_process_part_up{part="store"} 0.0' in text


async def test_metrics_are_text_for_prometheus_with_the_lag_of_this_moment() -> None:
    behind = [4, 1]

    async def lag() -> Sequence[Lag]:
        return [Lag(LOAD_REQUESTED.name, GROUP, 0, 0, behind.pop(0))]

    router = make_metrics_router(Metrics("1.0"), lag)
    texts = [(await get(router, "/metrics")).text for _ in range(2)]

    line = f'hub_runtime_lag_messages{{group="{GROUP}",topic="{LOAD_REQUESTED.name}"}} '
    assert [line + "4.0" in texts[0], line + "1.0" in texts[1]] == [True, True]
    assert (await get(make_metrics_router(Metrics("1.0")), "/metrics")).headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("error", [RetryableError("The broker is away."), OSError("reset"), None])
async def test_metrics_are_told_without_lag_while_the_log_is_away(error: Exception | None) -> None:
    async def lag() -> Sequence[Lag]:
        if error is not None:
            raise error
        await asyncio.Event().wait()
        return []

    answer = await get(make_metrics_router(Metrics("1.0"), lag, seconds_max=0.05), "/metrics")

    assert answer.status_code == 200
    assert "hub_build_info" in answer.text
    assert "hub_runtime_lag_messages{" not in answer.text


async def test_stopped_consumers_are_in_the_metrics() -> None:
    fault = Fault("loader", LOAD_REQUESTED.name, GROUP, 3, 17, "ConfigurationError", "x", "Restart.", 1.0)

    answer = await get(make_metrics_router(Metrics("1.0"), faults=lambda: [fault]), "/metrics")

    assert 'hub_runtime_stopped_consumers{service="loader"} 1.0' in answer.text
