"""What every adapter of `ProgressStore` must do. Subclass with a fixture `open_store`; not collected by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from shared.storage.progress import ProgressStore

OpenStore = Callable[[], AbstractAsyncContextManager[ProgressStore]]


class ProgressContract:
    """Every call of the fixture `open_store` opens the same store once more."""

    async def test_the_first_acknowledgement_of_a_position_stays(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.acknowledge(1, 0, 5, b"first")
            await store.acknowledge(1, 0, 5, b"second")

            assert await store.payloads(1, 0) == [(5, b"first")]
            assert await store.count(1, 0) == 1

    async def test_callers_at_the_same_moment_are_counted_once(self, open_store: OpenStore) -> None:
        async with open_store() as one, open_store() as other:
            await asyncio.gather(*(store.acknowledge(1, 0, n % 4, b"x") for n in range(12) for store in (one, other)))

            assert await one.count(1, 0) == await other.count(1, 0) == 4

    async def test_payloads_come_by_position_whatever_the_order_they_came_in(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for position in (10, 2, 0, 300):
                await store.acknowledge(1, 0, position, b"%d" % position)

            assert await store.payloads(1, 0) == [(0, b"0"), (2, b"2"), (10, b"10"), (300, b"300")]
            assert await store.positions(1, 0) == {0, 2, 10, 300}

    async def test_steps_and_runs_are_counted_apart(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for run, step, position in ((1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 7)):
                await store.acknowledge(run, step, position, b"")

            assert [await store.count(run, step) for run, step in ((1, 0), (1, 1), (2, 0), (2, 1))] == [2, 1, 1, 0]
            assert await store.positions(2, 0) == {7}
            assert await store.payloads(2, 1) == []

    async def test_purge_forgets_one_run_alone_and_may_be_repeated(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for run in (1, 2):
                for step in (0, 1):
                    await store.acknowledge(run, step, 0, b"")

            await store.purge(1)
            await store.purge(1)

            assert [await store.count(run, step) for run in (1, 2) for step in (0, 1)] == [0, 0, 1, 1]

    async def test_acknowledgements_survive_closing_the_store(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.acknowledge(1, 0, 0, b"kept")

        async with open_store() as store:
            await store.acknowledge(1, 0, 0, b"later")
            assert await store.payloads(1, 0) == [(0, b"kept")]
