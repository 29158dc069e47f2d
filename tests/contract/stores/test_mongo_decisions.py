"""Decisions in MongoDB under kills between their steps, several processes at once, and at the limit of a document."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.connectors.destination import DecisionKey, RecordRow, Settled, Stored
from shared.errors import PermanentError
from shared.messages.plan import record_id
from shared.runtime.fail_points import LOG_VARIABLE, WHICH_VARIABLE
from shared.storage.mongo import MongoDatabase, MongoRecordStore
from shared.storage.mongo.records import DECISION_BYTES_MAX, Writes
from tests.contract.stores.mongo_child import key, rows
from tests.contract.stores.mongo_stores import opener
from tests.contract.stores.record_contract import KEY, decide, ids, row, stream

pytestmark = pytest.mark.mongo

ROOT = Path(__file__).parents[3]
SETTLING = DecisionKey(2, 5, 0, "")
LATER = DecisionKey(3, 5, 0, "")


class DiesBeforeDropping(MongoRecordStore):
    """A process that ends between steps 2 and 3."""

    async def drop_writes(self, key: DecisionKey) -> None:
        raise KeyboardInterrupt


class DiesBeforeWriting(MongoRecordStore):
    """A process that ends between steps 1 and 2."""

    async def make_writes(self, key: DecisionKey, packed: bytes) -> None:
        raise KeyboardInterrupt


async def attempt(url: str, dying: type[MongoRecordStore], call: str, *given: Any) -> None:
    """A call of a process that ends in the middle of it."""
    async with opener(url, dying)() as store:
        outcome = await asyncio.gather(_caught(getattr(store, call)(*given)))
    assert outcome == ["ended"]


async def _caught(call: Any) -> str:
    try:
        await call
    except KeyboardInterrupt:
        return "ended"
    return "went through"


async def stored_fields(url: str, id_: int) -> dict[str, Any]:
    """A record as it lies in the database."""
    database = MongoDatabase(url)
    await database.open()
    try:
        found = await database.collection("records").one({"_id": id_})
    finally:
        await database.close()
    assert found is not None
    return found


async def packed_writes(url: str, key: DecisionKey) -> bytes:
    """What a decision that is not carried out still holds."""
    database = MongoDatabase(url)
    await database.open()
    try:
        found = await database.collection("decisions").one({"_id": "/".join(map(str, key))})
    finally:
        await database.close()
    assert found is not None
    return bytes(found["writes"])


def child(url: str, name: str, keys: int, **environment: str) -> subprocess.Popen[str]:
    """A second process, waiting for a line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.stores.mongo_child", url, name, str(keys)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


# ---- killed between two steps ---------------------------------------------------------------------------------------


async def test_a_process_killed_before_it_wrote_leaves_a_decision_that_the_next_one_carries_out(
    mongo_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    fail_point = {WHICH_VARIABLE: "loader.decision_stored_records_not_written@2", LOG_VARIABLE: str(log)}
    process = child(mongo_url, "killed", 3, **fail_point)
    said, _ = process.communicate("go\n", timeout=60)

    async with opener(mongo_url, MongoRecordStore)() as store:
        before = await store.existing([r.id for r in rows(1, "")])
        answers = [await store.decide(key(n), Stored(b"next", b""), b"", rows(n, "next")) for n in range(3)]
        found = [[r.body for r in await store.rows([r.id for r in rows(n, "")])] for n in range(3)]

    assert (process.returncode, said, before) == (-9, "killed\n", set())
    assert log.read_text().startswith("loader.decision_stored_records_not_written@2")
    assert [stored.answer for stored in answers] == [b"killed", b"killed", b"next"]
    assert found == [[b"killed"] * 3, [b"killed"] * 3, [b"next"] * 3]


async def test_asking_for_a_decision_carries_it_out_before_it_is_told(mongo_url: str) -> None:
    await attempt(mongo_url, DiesBeforeWriting, "decide", KEY, Stored(b"load", b""), b"", [row(0), row(1)])

    async with opener(mongo_url, MongoRecordStore)() as store:
        assert await store.existing(ids(0, 1)) == set()
        assert await store.outcome(KEY) == Stored(b"load", b"")
        assert await store.existing(ids(0, 1)) == set(ids(0, 1))


async def test_repeating_all_outcomes_of_a_run_carries_out_what_was_left(mongo_url: str) -> None:
    await attempt(mongo_url, DiesBeforeWriting, "decide", KEY, Stored(b"load", b""), b"", [row(0)])

    async with opener(mongo_url, MongoRecordStore)() as store:
        assert await store.outcomes(1) == [Stored(b"load", b"")]
        assert await store.rows(ids(0)) == [row(0)]


async def test_a_settlement_that_was_left_half_way_is_made_once(mongo_url: str) -> None:
    update = Settled(record_id(1, 0), 0, b"linked")
    async with opener(mongo_url, MongoRecordStore)() as store:
        await decide(store, row(0, open=1))
    await attempt(mongo_url, DiesBeforeDropping, "settle", SETTLING, Stored(b"settled", b""), b"", [update])

    async with opener(mongo_url, MongoRecordStore)() as store:
        assert await store.outcome(SETTLING) == Stored(b"settled", b"")
        assert await store.settle(SETTLING, Stored(b"again", b""), b"", [update]) == Stored(b"settled", b"")
        assert await store.rows(ids(0)) == [RecordRow(record_id(1, 0), 2, 0, b"linked", b"{}")]
    assert (await stored_fields(mongo_url, update.id))["system_revision"] == 2


async def test_a_decision_carried_out_again_much_later_takes_nothing_back(mongo_url: str) -> None:
    await attempt(mongo_url, DiesBeforeWriting, "decide", KEY, Stored(b"load", b""), b"", [row(0, open=1)])
    stale = await packed_writes(mongo_url, KEY)

    async with opener(mongo_url, MongoRecordStore)() as store:
        await store.outcome(KEY)
        await store.settle(SETTLING, Stored(b"", b""), b"", [Settled(record_id(1, 0), 0, b"linked")])
        await store.make_writes(KEY, stale)

        assert [record.links for record in await store.rows(ids(0))] == [b"linked"]


async def test_a_settlement_made_again_after_a_later_one_takes_nothing_back(mongo_url: str) -> None:
    id_ = record_id(1, 0)
    async with opener(mongo_url, MongoRecordStore)() as store:
        await decide(store, row(0, open=2))
    await attempt(mongo_url, DiesBeforeDropping, "settle", SETTLING, Stored(b"", b""), b"", [Settled(id_, 1, b"first")])
    stale = await packed_writes(mongo_url, SETTLING)

    async with opener(mongo_url, MongoRecordStore)() as store:
        await store.settle(LATER, Stored(b"", b""), b"", [Settled(id_, 0, b"second")])
        await store.make_writes(SETTLING, stale)

        assert await store.rows(ids(0)) == [RecordRow(id_, 2, 0, b"second", b"{}")]
    assert (await stored_fields(mongo_url, id_))["system_revision"] == 3


async def test_a_settlement_carried_out_by_eight_at_once_counts_one_revision(mongo_url: str) -> None:
    async with opener(mongo_url, MongoRecordStore)() as store:
        await store.register([stream(0, 9)])
        await decide(store, *(row(slot, open=1) for slot in range(3)))
        updates = [Settled(record_id(1, slot), 0, b"linked") for slot in range(3)]
        new = await store.store_decision(SETTLING, Stored(b"", b""), b"", Writes(settled=updates))
        assert new is not None

        await asyncio.gather(*(store.make_writes(SETTLING, new["writes"]) for _ in range(8)))

        assert await store.open_records("main", 2) == []
    revisions = [(await stored_fields(mongo_url, update.id))["system_revision"] for update in updates]
    assert revisions == [2, 2, 2]


# ---- two processes --------------------------------------------------------------------------------------------------


async def test_of_two_processes_that_decide_the_same_keys_one_wins_each(mongo_url: str) -> None:
    keys = 20
    processes = [child(mongo_url, name, keys) for name in ("first", "second")]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].split() for process in processes]

    async with opener(mongo_url, MongoRecordStore)() as store:
        made_by = [{r.body.decode() for r in await store.rows([r.id for r in rows(n, "")])} for n in range(keys)]
        count = len(await store.existing([r.id for n in range(keys) for r in rows(n, "")]))

    assert said[0] == said[1]
    assert made_by == [{name} for name in said[0]]
    assert count == 3 * keys


# ---- the limit of a document ----------------------------------------------------------------------------------------


async def test_a_decision_of_exactly_the_limit_is_stored(mongo_url: str) -> None:
    problems = bytes(DECISION_BYTES_MAX - len(b"load") - len(b"audit"))
    async with opener(mongo_url, MongoRecordStore)() as store:
        await store.decide(KEY, Stored(b"load", problems), b"audit", [])

        assert await store.outcome(KEY) == Stored(b"load", problems)


async def test_one_byte_more_is_refused_and_nothing_is_written(mongo_url: str) -> None:
    problems = bytes(DECISION_BYTES_MAX - len(b"load") - len(b"audit") + 1)
    async with opener(mongo_url, MongoRecordStore)() as store:
        with pytest.raises(PermanentError, match=r"Batch 0 of run 1 needs 15,728,641 bytes .* takes 15,728,640"):
            await store.decide(KEY, Stored(b"load", problems), b"audit", [])

        assert await store.outcome(KEY) is None


async def test_records_that_do_not_fit_a_decision_are_refused_and_the_batch_can_be_given_up(mongo_url: str) -> None:
    too_much = [row(slot, body=os.urandom(4 * 1024 * 1024)) for slot in range(4)]
    async with opener(mongo_url, MongoRecordStore)() as store:
        with pytest.raises(PermanentError, match="Nothing of it was written"):
            await decide(store, *too_much)

        assert await store.existing(ids(0, 1, 2, 3)) == set()
        assert await decide(store, answer=b"given up") == Stored(b"given up", b"told given up")
