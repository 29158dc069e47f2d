"""What every adapter of `StagingStore` must do. Subclass with a fixture `open_store`; not collected by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec

from shared.messages.batches import MappedStream
from shared.storage.staging import KeysReader, StagedKeys, StagingStore
from tests.support.builders import Given, customer, job, stream_of

OpenStore = Callable[[], AbstractAsyncContextManager[StagingStore]]


async def stage(store: StagingStore, run: int, batch: int, *streams: MappedStream, summary: bytes = b"{}") -> bytes:
    """Stages a batch without problems."""
    return await store.stage(run, batch, summary, b"", list(streams))


async def staged_keys(store: StagingStore, run: int, entity: str) -> list[StagedKeys]:
    """All staged keys of one entity type in the order they are read."""
    return await store.with_keys(run, entity, lambda reader: list(reader()))


def some(entity: str, count: int, *, slot: int = 0, first: int = 0) -> MappedStream:
    records = (Given(f"{entity} {i}", f"cells {i}") for i in range(first, first + count))
    return stream_of(entity, *records, slot=slot, first=first)


class StagingContract:
    """Every call of the fixture `open_store` opens the same store once more."""

    async def test_the_first_copy_of_a_batch_is_kept_and_answered_to_all_later_ones(
        self, open_store: OpenStore
    ) -> None:
        async with open_store() as store:
            first = await store.stage(1, 0, b"first", b"problems 1", [some("customers", 2)])
            second = await store.stage(1, 0, b"second", b"problems 2", [some("customers", 5), some("jobs", 1)])

            assert (first, second) == (b"first", b"first")
            assert await store.summary(1, 0) == b"first"
            assert await store.problems(1, 0) == b"problems 1"
            assert [keys.count for keys in await staged_keys(store, 1, "customers")] == [2]
            assert await staged_keys(store, 1, "jobs") == []

    async def test_of_callers_at_the_same_moment_one_wins_as_a_whole(self, open_store: OpenStore) -> None:
        async with open_store() as one, open_store() as other:
            answers = await asyncio.gather(
                *(
                    store.stage(1, 0, b"%d" % n, b"problems %d" % n, [some("customers", n)])
                    for n, store in enumerate([one, other] * 4, start=1)
                )
            )

            assert len(set(answers)) == 1
            won = int(answers[0])
            assert await one.summary(1, 0) == b"%d" % won
            assert await other.problems(1, 0) == b"problems %d" % won
            assert [keys.count for keys in await staged_keys(one, 1, "customers")] == [won]

    async def test_what_is_not_staged_is_nothing(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await stage(store, 1, 0, some("customers", 1))

            assert await store.summary(1, 1) is None
            assert await store.summary(2, 0) is None
            assert await store.problems(1, 1) == b""
            assert await store.contents(2) == []
            assert await store.part(1, 1, "customers") == ([], b"")
            assert await staged_keys(store, 2, "customers") == []

    async def test_a_batch_without_records_is_staged_too(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.stage(1, 0, b"nothing", b"all rows are wrong", [some("customers", 0)])

            assert await store.contents(1) == [(0, b"nothing")]
            assert await store.part(1, 0, "customers") == ([], b"all rows are wrong")
            assert await staged_keys(store, 1, "customers") == []

    async def test_summaries_are_listed_by_batch_whatever_the_order_they_came_in(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for batch in (10, 2, 0, 1):
                await stage(store, 1, batch, some("customers", 1), summary=b"batch %d" % batch)

            assert await store.contents(1) == [(0, b"batch 0"), (1, b"batch 1"), (2, b"batch 2"), (10, b"batch 10")]

    async def test_keys_are_read_by_batch_and_slot_as_often_as_wanted(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for batch in reversed(range(40)):
                await stage(
                    store,
                    1,
                    batch,
                    some("properties", 1, slot=1),
                    some("customers", 3),
                    some("properties", 2, slot=0),
                )

            def twice(reader: KeysReader) -> list[list[tuple[int, int, int]]]:
                return [[(keys.batch, keys.slot, keys.count) for keys in reader()] for _ in range(2)]

            first, second = await store.with_keys(1, "properties", twice)

        assert first == [(batch, slot, 2 - slot) for batch in range(40) for slot in (0, 1)]
        assert second == first

    async def test_keys_are_those_of_the_stream(self, open_store: OpenStore) -> None:
        staged = stream_of(
            "customers", customer("1", "Ada Abbot", email="ada@x.co"), customer("2", "Ben", email="ben@x.co"), first=7
        )
        async with open_store() as store:
            await stage(store, 1, 3, staged)

            [keys] = await staged_keys(store, 1, "customers")

        assert (keys.batch, keys.slot, keys.count) == (3, 0, 2)
        for name in ("numbers", "lines", "keys", "contents", "keyed_by", "naturals", "link_keys"):
            assert getattr(keys, name) == getattr(staged, name), name

    async def test_a_fault_of_the_reader_comes_to_its_caller(self, open_store: OpenStore) -> None:
        def broken(reader: KeysReader) -> int:
            next(reader())
            raise ValueError("disk full")

        async with open_store() as store:
            await stage(store, 1, 0, some("customers", 1))
            outcome = (await asyncio.gather(store.with_keys(1, "customers", broken), return_exceptions=True))[0]

            assert isinstance(outcome, ValueError)
            assert len(await staged_keys(store, 1, "customers")) == 1

    async def test_a_part_holds_what_is_loaded_by_slot_and_not_what_only_the_seal_reads(
        self, open_store: OpenStore
    ) -> None:
        staged = stream_of("jobs", job("J1", title="Repair"), job("J2"), slot=0, money={"total": 1250})
        async with open_store() as store:
            await store.stage(1, 0, b"{}", b"told", [some("jobs", 1, slot=1), staged, some("customers", 4)])

            encoded, problems = await store.part(1, 0, "jobs")

        first, second = (msgspec.msgpack.decode(part, type=MappedStream) for part in encoded)
        assert (first.slot, second.slot, problems) == (0, 1, b"told")
        assert (first.keys, first.contents, first.naturals, first.link_keys) == (b"", b"", b"", b"")
        for name in ("entity", "primary", "count", "numbers", "lines", "keyed_by", "warned", "bodies", "references"):
            assert getattr(first, name) == getattr(staged, name), name
        assert first.money == {"total": 1250}

    async def test_purge_forgets_the_records_of_one_run_alone_and_may_be_repeated(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            for batch in range(70):
                await stage(store, 1, batch, some("customers", 1), some("jobs", 1))
            await stage(store, 2, 0, some("customers", 1), summary=b"other run")

            await store.purge(1)
            await store.purge(1)

            assert await staged_keys(store, 1, "customers") == []
            assert await store.part(1, 69, "jobs") == ([], b"")
            assert await store.contents(2) == [(0, b"other run")]
            assert len(await staged_keys(store, 2, "customers")) == 1

    async def test_what_was_answered_about_batches_outlives_their_records(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.stage(1, 0, b"answered", b"told", [some("customers", 2)])
            await store.purge(1)

            late = await store.stage(1, 0, b"late", b"other", [some("customers", 3)])

            assert late == b"answered"
            assert await store.contents(1) == [(0, b"answered")]
            assert await store.problems(1, 0) == b"told"
            assert await store.part(1, 0, "customers") == ([], b"told")
            assert await staged_keys(store, 1, "customers") == []

    async def test_what_was_staged_survives_closing_the_store(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.stage(1, 0, b"kept", b"told", [some("customers", 2)])

        async with open_store() as store:
            assert await store.contents(1) == [(0, b"kept")]
            assert await stage(store, 1, 0, summary=b"later") == b"kept"
            assert [keys.count for keys in await staged_keys(store, 1, "customers")] == [2]
            assert (await store.part(1, 0, "customers"))[1] == b"told"
