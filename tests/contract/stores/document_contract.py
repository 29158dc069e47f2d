"""What every adapter of `Documents` must do. Subclass with a fixture `stores`; not collected by itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from shared.errors import BadInputError, ConflictError
from shared.storage.documents import DOCUMENT_BYTES_MAX, Documents

OpenStore = Callable[[], AbstractAsyncContextManager[Documents]]


class FakeClock:
    """A clock that stands until it is moved. Seconds."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class DocumentContract:
    """Subclasses give two fixtures: `clock`, and `open_store`, whose every call opens the same store once more."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    async def test_a_document_reads_back_as_it_was_put(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            revision = await documents.put(
                "runs", "r1", b"\x00body\xff", account="main", expected_revision=0, order="2026"
            )

            found = await documents.get("runs", "r1")

        assert revision == 1
        assert found is not None
        assert (found.collection, found.id, found.account) == ("runs", "r1", "main")
        assert (found.revision, found.order, found.body) == (1, "2026", b"\x00body\xff")

    async def test_what_is_not_there_is_none(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            assert await documents.get("runs", "r1") is None

    async def test_a_document_survives_closing_the_store(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"kept", account="main", expected_revision=0)

        async with open_store() as documents:
            found = await documents.get("runs", "r1")

        assert found is not None
        assert found.body == b"kept"

    async def test_another_account_does_not_see_it(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0)

            assert await documents.get("runs", "r1", account="other") is None
            assert await documents.get("runs", "r1", account="main") is not None

    @pytest.mark.parametrize("expected", [0, 1, None])
    async def test_another_account_cannot_write_it(self, open_store: OpenStore, expected: int | None) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"mine", account="main", expected_revision=0)

            with pytest.raises(ConflictError):
                await documents.put("runs", "r1", b"theirs", account="other", expected_revision=expected)
            found = await documents.get("runs", "r1")

        assert found is not None
        assert (found.account, found.body) == ("main", b"mine")

    async def test_each_put_counts_the_revision_up(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            revisions = [
                await documents.put("runs", "r1", b"", account="main", expected_revision=expected)
                for expected in (0, 1, None, 3)
            ]

        assert revisions == [1, 2, 3, 4]

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_wrong_expected_revision_changes_nothing(self, open_store: OpenStore, expected: int) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"a", account="main", expected_revision=0)
            await documents.put("runs", "r1", b"b", account="main", expected_revision=1)

            with pytest.raises(ConflictError):
                await documents.put("runs", "r1", b"c", account="main", expected_revision=expected, outbox=[b"m"])
            found = await documents.get("runs", "r1")
            pending = await documents.pending_outbox(0)

        assert found is not None
        assert (found.revision, found.body, pending) == (2, b"b", [])

    async def test_expecting_a_revision_of_what_does_not_exist_is_a_conflict(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            with pytest.raises(ConflictError):
                await documents.put("runs", "r1", b"", account="main", expected_revision=1)

    async def test_the_order_stays_unless_given(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0, order="b")
            await documents.put("runs", "r1", b"", account="main", expected_revision=1)
            kept = await documents.get("runs", "r1")
            await documents.put("runs", "r1", b"", account="main", expected_revision=2, order="c")
            moved = await documents.get("runs", "r1")

        assert kept is not None
        assert moved is not None
        assert (kept.order, moved.order) == ("b", "c")

    async def test_a_document_above_the_limit_is_refused(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            with pytest.raises(BadInputError, match="8,388,608"):
                await documents.put(
                    "runs", "r1", bytes(DOCUMENT_BYTES_MAX), account="main", expected_revision=0, outbox=[b"1"]
                )

            assert await documents.get("runs", "r1") is None

    def test_of_eight_threads_with_the_same_revision_exactly_one_wins(self, open_store: OpenStore) -> None:
        start = threading.Barrier(8)
        outcomes: list[str] = []

        async def put_five_rounds(name: str) -> None:
            async with open_store() as documents:
                for revision in range(5):
                    await asyncio.to_thread(start.wait)
                    try:
                        await documents.put("runs", "r1", name.encode(), account="main", expected_revision=revision)
                        outcomes.append(f"{revision} won")
                    except ConflictError:
                        outcomes.append(f"{revision} lost")

        threads = [threading.Thread(target=asyncio.run, args=(put_five_rounds(f"t{n}"),)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert {outcome: outcomes.count(outcome) for outcome in sorted(outcomes)} == {
            f"{revision} {outcome}": count for revision in range(5) for outcome, count in (("lost", 7), ("won", 1))
        }

    @pytest.mark.parametrize("newest_first", [False, True])
    async def test_pages_hold_every_document_once_in_order(self, open_store: OpenStore, newest_first: bool) -> None:
        async with open_store() as documents:
            for number, order in enumerate(["b", "a", "c", "b", "a"]):
                await documents.put("runs", f"r{number}", b"", account="main", expected_revision=0, order=order)
            await documents.put("other", "r9", b"", account="main", expected_revision=0, order="a")
            found: list[str] = []
            cursor = None
            while True:
                page = await documents.find("runs", newest_first=newest_first, after=cursor, limit=2)
                found.extend(document.id for document in page.documents)
                if (cursor := page.cursor) is None:
                    break

        ascending = ["r1", "r4", "r0", "r3", "r2"]
        assert found == (ascending[::-1] if newest_first else ascending)

    async def test_a_full_last_page_has_no_cursor(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            for number in range(2):
                await documents.put("runs", f"r{number}", b"", account="main", expected_revision=0)

            page = await documents.find("runs", limit=2)

        assert ([document.id for document in page.documents], page.cursor) == (["r0", "r1"], None)

    async def test_find_gives_one_account_or_all(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0)
            await documents.put("runs", "r2", b"", account="other", expected_revision=0)

            of_main = await documents.find("runs", account="main")
            of_all = await documents.find("runs")

        assert [document.id for document in of_main.documents] == ["r1"]
        assert [document.id for document in of_all.documents] == ["r1", "r2"]

    async def test_the_next_page_neither_repeats_nor_hides_when_others_come_and_go(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            for id in ("b", "d", "f"):
                await documents.put("runs", id, b"", account="main", expected_revision=0)
            first = await documents.find("runs", limit=2)
            await documents.put("runs", "a", b"", account="main", expected_revision=0)
            await documents.put("runs", "e", b"", account="main", expected_revision=0)
            await documents.delete("runs", "d")

            second = await documents.find("runs", after=first.cursor, limit=2)

        assert [document.id for document in second.documents] == ["e", "f"]

    @pytest.mark.parametrize("cursor", ["", "x", "ß", "bnVsbA", "WzEsMl0"])
    async def test_what_is_no_cursor_is_bad_input(self, open_store: OpenStore, cursor: str) -> None:
        async with open_store() as documents:
            with pytest.raises(BadInputError, match="cursor"):
                await documents.find("runs", after=cursor)

    async def test_delete_removes_and_says_whether_it_was_there(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0)

            assert await documents.delete("runs", "r1") is True
            assert await documents.delete("runs", "r1") is False
            assert await documents.get("runs", "r1") is None

    async def test_delete_with_another_revision_is_a_conflict(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0)

            with pytest.raises(ConflictError):
                await documents.delete("runs", "r1", expected_revision=2)
            assert await documents.delete("runs", "r1", expected_revision=1) is True

    async def test_messages_are_pending_from_the_put_on_until_cleared(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            revision = await documents.put(
                "runs", "r1", b"", account="main", expected_revision=0, outbox=[b"one", b"two"]
            )

            pending = await documents.pending_outbox(0)
            await documents.clear_outbox("runs", "r1", revision)
            cleared = await documents.pending_outbox(0)

        assert [(item.id, item.account, item.revision, item.messages) for item in pending] == [
            ("r1", "main", 1, (b"one", b"two"))
        ]
        assert cleared == []

    async def test_messages_survive_closing_the_store(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0, outbox=[b"one"])

        async with open_store() as documents:
            pending = await documents.pending_outbox(0)

        assert [item.messages for item in pending] == [(b"one",)]

    async def test_a_later_put_keeps_messages_that_are_not_published(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0, outbox=[b"one"])
            await documents.put("runs", "r1", b"", account="main", expected_revision=1)
            await documents.put("runs", "r1", b"", account="main", expected_revision=2, outbox=[b"three"])

            pending = await documents.pending_outbox(0)

        assert [(item.revision, item.messages) for item in pending] == [(1, (b"one",)), (3, (b"three",))]

    async def test_clearing_a_revision_leaves_the_messages_of_others(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0, outbox=[b"one"])
            await documents.put("runs", "r1", b"", account="main", expected_revision=1, outbox=[b"two"])

            await documents.clear_outbox("runs", "r1", 2)
            await documents.clear_outbox("runs", "r1", 2)
            pending = await documents.pending_outbox(0)

        assert [(item.revision, item.messages) for item in pending] == [(1, (b"one",))]

    async def test_clearing_changes_neither_body_nor_revision(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"body", account="main", expected_revision=0, outbox=[b"one"])
            await documents.clear_outbox("runs", "r1", 1)

            found = await documents.get("runs", "r1")

        assert found is not None
        assert (found.revision, found.body) == (1, b"body")

    async def test_only_messages_older_than_asked_for_are_pending(
        self, open_store: OpenStore, clock: FakeClock
    ) -> None:
        async with open_store() as documents:
            await documents.put("runs", "old", b"", account="main", expected_revision=0, outbox=[b"one"])
            clock.now += 8
            await documents.put("runs", "new", b"", account="main", expected_revision=0, outbox=[b"two"])
            await documents.put("runs", "old", b"", account="main", expected_revision=1, outbox=[b"three"])
            clock.now += 2

            pending = await documents.pending_outbox(10)

        assert [(item.id, item.messages) for item in pending] == [("old", (b"one",))]

    async def test_the_longest_waiting_come_first_up_to_the_limit(
        self, open_store: OpenStore, clock: FakeClock
    ) -> None:
        async with open_store() as documents:
            for id in ("c", "a", "b"):
                await documents.put("runs", id, b"", account="main", expected_revision=0, outbox=[b"m"])
                clock.now += 1

            pending = await documents.pending_outbox(0, limit=2)

        assert [item.id for item in pending] == ["c", "a"]

    async def test_a_document_with_pending_messages_is_not_deleted(self, open_store: OpenStore) -> None:
        async with open_store() as documents:
            await documents.put("runs", "r1", b"", account="main", expected_revision=0, outbox=[b"one"])

            with pytest.raises(ConflictError, match="published"):
                await documents.delete("runs", "r1")
            assert await documents.get("runs", "r1") is not None
