"""A log per test, and runtimes opened on it one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from shared.errors import HubError
from shared.runtime import Runtime, Service
from tests.contract.runtime.runtimes import KINDS, new_address, open_runtime

Start = Callable[..., Awaitable[Runtime]]


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest) -> str:
    """Where the log of this test is."""
    return new_address(request.param, request)


@pytest.fixture
async def start(address: str) -> AsyncIterator[Start]:
    """`await start(service, ..., members=1)`: a started runtime on the log of this test, stopped at its end."""
    running: list[Runtime] = []

    async def start_runtime(*services: Service, members: int = 1) -> Runtime:
        runtime = open_runtime(address)
        for service in services:
            runtime.add(service, members)
        await runtime.start()
        running.append(runtime)
        return runtime

    yield start_runtime
    for runtime in running:
        with suppress(HubError):
            await runtime.stop(timeout_seconds=5)
