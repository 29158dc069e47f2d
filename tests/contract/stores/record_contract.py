"""What every adapter of `RecordStore` must do. Subclass with a fixture `open_store`; not collected by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from shared.connectors.destination import DecisionKey, RecordRow, Settled, Stored
from shared.messages.plan import record_id
from shared.storage.records import RecordStore, Segment, Stream

OpenStore = Callable[[], AbstractAsyncContextManager[RecordStore]]

KEY = DecisionKey(1, 1, 0, "customers")


def row(slot: int, *, run: int = 1, open: int = 0, body: bytes = b"{}") -> RecordRow:
    return RecordRow(record_id(run, slot), slot + 2, open, b'{"customer":[]}' if open else None, body)


def ids(*slots: int, run: int = 1) -> list[int]:
    return [record_id(run, slot) for slot in slots]


def stream(
    first: int, last: int, *, run: int = 1, account: str = "main", entity: str = "customers", file: str = "a.csv"
) -> Stream:
    return Stream(run, first, last, account, "s1", entity, file)


async def decide(store: RecordStore, *rows: RecordRow, key: DecisionKey = KEY, answer: bytes = b"done") -> Stored:
    return await store.decide(key, Stored(answer, b"told " + answer), b"audit of " + answer, rows)


async def all_pages(store: RecordStore, account: str, entity: str, size: int) -> list[list[int]]:
    """Ids page by page; ends with the first page that is not full."""
    pages: list[list[int]] = []
    after = 0
    while True:
        page = await store.page(account, entity, after, size)
        pages.append([record.id for _, record in page])
        if len(page) < size:
            return pages
        after = page[-1][1].id


class RecordContract:
    """Every call of the fixture `open_store` opens the same store once more."""

    # ---- decisions ----------------------------------------------------------------------------------------------

    async def test_a_decision_is_stored_with_its_records(self, open_store: OpenStore) -> None:
        records = [row(0, body=b'{"name":"Ada"}'), row(1, open=2)]
        async with open_store() as store:
            assert await store.outcome(KEY) is None

            stored = await decide(store, *records)

            assert stored == Stored(b"done", b"told done")
            assert await store.outcome(KEY) == stored
            assert await store.rows(ids(1, 0)) == records

    async def test_the_second_decision_of_a_key_writes_nothing_and_is_answered_with_the_first(
        self, open_store: OpenStore
    ) -> None:
        async with open_store() as store:
            await decide(store, row(0, body=b"first"), answer=b"load")

            second = await decide(store, row(0, body=b"second"), row(1), answer=b"cancelled")

            assert second == Stored(b"load", b"told load")
            assert await store.rows(ids(0, 1)) == [row(0, body=b"first")]
            assert await store.audits(1, None, 10) == [(KEY, b"audit of load")]

    async def test_of_callers_at_the_same_moment_one_decides(self, open_store: OpenStore) -> None:
        async with open_store() as one, open_store() as other:
            answers = await asyncio.gather(
                *(
                    decide(store, row(0, body=b"%d" % n), *(row(k) for k in range(1, n)), answer=b"%d" % n)
                    for n, store in enumerate([one, other] * 4, start=1)
                )
            )

            assert len({answer for answer, _ in answers}) == 1
            won = int(answers[0].answer)
            stored = await other.rows(ids(*range(9)))
            assert (stored[0].body, len(stored)) == (b"%d" % won, won)

    async def test_keys_that_differ_in_one_part_are_decided_apart(self, open_store: OpenStore) -> None:
        keys = [KEY, KEY._replace(run=2), KEY._replace(step=2), KEY._replace(batch=1), KEY._replace(entity="jobs")]
        async with open_store() as store:
            for n, key in enumerate(keys):
                await decide(store, row(n), key=key, answer=b"%d" % n)

            found = [await store.outcome(key) for key in keys]

        assert [stored and stored.answer for stored in found] == [b"0", b"1", b"2", b"3", b"4"]

    async def test_outcomes_and_audits_of_a_run_come_in_its_order(self, open_store: OpenStore) -> None:
        keys = [(2, 0, "jobs"), (1, 10, "customers"), (1, 2, "customers"), (3, -1, ""), (3, 0, ""), (1, 2, "")]
        async with open_store() as store:
            for key in keys:
                await decide(store, key=DecisionKey(1, *key), answer=f"{key}".encode())
            await decide(store, key=KEY._replace(run=2))

            outcomes = [stored.answer.decode() for stored in await store.outcomes(1)]
            pages: list[tuple[int, int, str]] = []
            after: DecisionKey | None = None
            while page := await store.audits(1, after, 4):
                pages += [(key.step, key.batch, key.entity) for key, _ in page]
                after = page[-1][0]

        assert outcomes == [f"{key}" for key in sorted(keys)]
        assert pages == sorted(keys)

    # ---- records ------------------------------------------------------------------------------------------------

    async def test_existing_and_rows_answer_for_any_number_of_ids(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await decide(store, *(row(slot) for slot in range(0, 3_000, 2)))
            asked = ids(*reversed(range(3_000)))

            existing = await store.existing(asked)
            rows = await store.rows(asked)

            assert existing == set(ids(*range(0, 3_000, 2)))
            assert [record.id for record in rows] == ids(*range(0, 3_000, 2))
            assert (await store.existing([]), await store.rows([])) == (set(), [])

    async def test_the_largest_run_number_and_slot_are_kept_exactly(self, open_store: OpenStore) -> None:
        last = row((1 << 32) - 1, run=(1 << 21) - 1)
        async with open_store() as store:
            await decide(store, last)

            assert last.id == (1 << 53) - 1
            assert await store.rows([last.id]) == [last]

    async def test_registering_ranges_again_changes_nothing(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.register([stream(0, 9), stream(10, 19, entity="jobs", file="b.csv")])
            await store.register([stream(0, 9, file="renamed.csv"), stream(20, 29)])

            known = await store.streams("main")

        assert known == [stream(0, 9), stream(10, 19, entity="jobs", file="b.csv"), stream(20, 29)]

    async def test_pages_hold_every_record_of_a_type_once_by_id_with_its_file(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.register(
                [
                    stream(0, 3),
                    stream(4, 5, entity="jobs"),
                    stream(6, 9, file="b.csv"),
                    stream(0, 4, run=12, file="c.csv"),
                    stream(10, 14, run=2),
                ]
            )
            for run, slots in ((12, (0, 4)), (1, (0, 2, 3, 4, 5, 6, 9))):
                key = KEY._replace(run=run)
                await decide(store, *(row(slot, run=run) for slot in slots), key=key)
            everyone = [*ids(0, 2, 3, 6, 9), *ids(0, 4, run=12)]

            for size in (1, 2, 7, 100):
                assert [id_ for page in await all_pages(store, "main", "customers", size) for id_ in page] == everyone
            files = [found.file for found, _ in await store.page("main", "customers", 0, 100)]
            assert files == ["a.csv"] * 3 + ["b.csv"] * 2 + ["c.csv"] * 2
            assert await store.page("main", "customers", everyone[-1], 10) == []

    async def test_accounts_see_their_own_records_alone(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.register([stream(0, 9), stream(0, 9, run=2, account="other")])
            await decide(store, row(0, open=1))
            await decide(store, row(0, run=2, open=1), key=KEY._replace(run=2))
            segments = {"main": Segment(1, "customers", "files", "aa"), "other": Segment(2, "customers", "files", "bb")}
            for account, segment in segments.items():
                await store.close(segment.run, account, [segment])

            for account, run in (("main", 1), ("other", 2)):
                assert [found.run for found in await store.streams(account)] == [run]
                assert [r.id for _, r in await store.page(account, "customers", 0, 10)] == ids(0, run=run)
                assert await store.open_records(account, 9) == [(record_id(run, 0), 1)]
                assert await store.segments(account) == [segments[account]]
            assert await store.page("nobody", "customers", 0, 10) == []

    # ---- open references ----------------------------------------------------------------------------------------

    async def test_open_records_are_those_of_earlier_runs_by_id(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.register(
                [stream(0, 9), stream(10, 19, entity="jobs"), stream(0, 9, run=2), stream(0, 9, run=3)]
            )
            await decide(store, row(3, open=2), row(1), row(12, open=1))
            await decide(store, row(0, run=2, open=1), key=KEY._replace(run=2))
            await decide(store, row(0, run=3, open=5), key=KEY._replace(run=3))

            assert await store.open_records("main", 3) == [*zip(ids(3, 12), (2, 1), strict=True), (ids(0, run=2)[0], 1)]
            assert await store.open_records("main", 1) == []

    async def test_ids_come_back_as_plain_integers_that_can_be_encoded(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.register([stream(0, 9)])
            await decide(store, row(0, open=1))

            found = [
                *(record.id for record in await store.rows(ids(0))),
                *(record.id for _, record in await store.page("main", "customers", 0, 10)),
                *(number for number, _ in await store.open_records("main", 2)),
                *await store.existing(ids(0)),
            ]
            assert [type(number) for number in found] == [int] * 4

    async def test_settling_changes_links_and_nothing_else(self, open_store: OpenStore) -> None:
        settling = DecisionKey(2, 5, 0, "")
        async with open_store() as store:
            await store.register([stream(0, 9)])
            await decide(store, row(0, open=2, body=b"body"), row(1, open=1))
            update = Settled(record_id(1, 0), 1, b'{"customer":[{"id":7}]}')

            stored = await store.settle(settling, Stored(b"settled", b""), b"audit", [update])

            assert stored == await store.outcome(settling) == Stored(b"settled", b"")
            assert await store.rows(ids(0, 1)) == [
                RecordRow(record_id(1, 0), 2, 1, update.links, b"body"),
                row(1, open=1),
            ]
            assert await store.open_records("main", 2) == [*zip(ids(0, 1), (1, 1), strict=True)]

    async def test_the_second_settlement_of_a_page_writes_nothing_and_is_answered_with_the_first(
        self, open_store: OpenStore
    ) -> None:
        settling = DecisionKey(2, 5, 0, "")

        def updates(*links: bytes) -> Sequence[Settled]:
            return [Settled(record_id(1, slot), 0, text) for slot, text in enumerate(links)]

        async with open_store() as store:
            await decide(store, row(0, open=1), row(1, open=1))
            await store.settle(settling, Stored(b"first", b""), b"audit 1", updates(b"first"))

            again = await store.settle(settling, Stored(b"second", b""), b"audit 2", updates(b"second", b"second"))

            assert again == Stored(b"first", b"")
            assert [record.links for record in await store.rows(ids(0, 1))] == [b"first", b'{"customer":[]}']
            assert await store.audits(2, None, 9) == [(settling, b"audit 1")]

    # ---- the end of a run ---------------------------------------------------------------------------------------

    async def test_closing_keeps_the_indexes_oldest_run_first_and_may_be_repeated(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.close(10, "main", [Segment(10, "jobs", "files", "cc"), Segment(10, "customers", "files", "bb")])
            await store.close(9, "main", [Segment(9, "customers", "jobber", "aa")])
            await store.close(9, "main", [Segment(9, "customers", "jobber", "other")])
            await store.close(11, "main", [])

            assert await store.segments("main") == [
                Segment(9, "customers", "jobber", "aa"),
                Segment(10, "customers", "files", "bb"),
                Segment(10, "jobs", "files", "cc"),
            ]
            assert [await store.is_closed(run) for run in (8, 9, 10, 11)] == [False, True, True, True]

    async def test_everything_survives_closing_the_store(self, open_store: OpenStore) -> None:
        async with open_store() as store:
            await store.register([stream(0, 9)])
            await decide(store, row(0, open=1))
            await store.close(1, "main", [Segment(1, "customers", "files", "aa")])

        async with open_store() as store:
            assert await decide(store, row(5), answer=b"later") == Stored(b"done", b"told done")
            assert [record for _, record in await store.page("main", "customers", 0, 10)] == [row(0, open=1)]
            assert await store.open_records("main", 2) == [(record_id(1, 0), 1)]
            assert await store.segments("main") == [Segment(1, "customers", "files", "aa")]
            assert await store.is_closed(1)
