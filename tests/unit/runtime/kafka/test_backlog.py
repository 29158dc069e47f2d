"""How far the groups of a process are behind its own messages."""

from __future__ import annotations

import asyncio

import pytest

from shared.runtime.kafka.backlog import Backlog


async def _passes(backlog: Backlog, bytes_max: int) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await backlog.wait_below("t", bytes_max)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(("bytes_max", "passes"), [(99, False), (100, True)])
async def test_the_bound_holds_at_its_edge(bytes_max: int, passes: bool) -> None:
    backlog = Backlog()
    backlog.assign("g", "t", 0)
    backlog.assign("g", "t", 1)

    backlog.published("t", 0, 7, 60)
    backlog.published("t", 1, 3, 40)

    assert await _passes(backlog, bytes_max) is passes


async def test_a_commit_makes_room() -> None:
    backlog = Backlog()
    backlog.assign("g", "t", 0)
    backlog.published("t", 0, 7, 60)
    backlog.published("t", 0, 8, 40)

    backlog.committed("g", "t", 0, 8)

    assert await _passes(backlog, 40)
    assert not await _passes(backlog, 39)


async def test_the_slowest_group_counts() -> None:
    backlog = Backlog()
    for group in ("quick", "slow"):
        backlog.assign(group, "t", 0)
    backlog.published("t", 0, 7, 60)

    backlog.committed("quick", "t", 0, 8)

    assert not await _passes(backlog, 59)


async def test_what_is_read_elsewhere_does_not_count() -> None:
    backlog = Backlog()
    backlog.assign("g", "t", 0)
    backlog.published("t", 0, 7, 60)
    backlog.published("t", 1, 7, 60)

    backlog.forget("g", "t", 0)

    assert await _passes(backlog, 0)
