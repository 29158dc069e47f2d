"""The loader's messages over real stores: the first decision wins, repeats answer the same, runs follow one another."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.loader.destination_hub import HubDestination
from services.loader.handlers import LoaderHandlers
from services.loader.load_planning import decompressed
from shared.errors import PermanentError
from shared.messages import topics
from shared.messages.batches import MappedStream, Problem
from shared.messages.control import CloseRequested, FinalizeRequested, LoadRequested, OutcomesRequested, SealRequested
from shared.messages.envelope import Delivery, Outgoing, Topic
from shared.messages.plan import RunPlan, record_id
from shared.runtime import GivenUp, WorkerPool
from shared.storage.files import DirectoryFiles
from shared.storage.records import SqliteRecordStore
from shared.storage.sqlite import SqliteDatabase
from shared.storage.staging import SqliteStagingStore
from tests.support.builders import File, Named, customer, job, make_plan, mapped_batch, reference, stream_of
from tests.support.workers import InProcessWorkers

FILES = (File("clients.csv", [2]), File("jobs.csv", [2], ["jobs"]))
CUSTOMERS = [stream_of("customers", customer("1", "Ada Abbot", email="ada@x.co"), customer("2", "Ben Brand"))]
TO_PARENTS = reference("customer", "customers", Named("Ada Abbot", email="ada@x.co"), Named("2", by="source_id"))
JOBS = [stream_of("jobs", job("J1"), job("J2"), references=[TO_PARENTS])]
BATCHES = {0: CUSTOMERS, 1: JOBS}
STEPS = {"customers": 1, "jobs": 2}


def delivery(topic: Topic, message: Any) -> Delivery:
    return Delivery(topic, message, 0, 0, {})


@dataclass
class Loader:
    """The handlers over stores in a folder, with the worker functions called in this process."""

    handlers: LoaderHandlers
    records: SqliteRecordStore
    staging: SqliteStagingStore
    files: DirectoryFiles

    async def plan(self, run: int, *files: File) -> tuple[RunPlan, str]:
        plan = make_plan(*(files or FILES), run=run)
        return plan, (await self.files.put_bytes(plan.encode())).sha256

    async def stage(self, plan: RunPlan, batch: int, streams: Sequence[MappedStream], **more: Any) -> list[Outgoing]:
        mapped = mapped_batch(plan, batch, *streams, **more)
        return list(await self.handlers.stage(delivery(topics.BATCH_MAPPED, mapped)))

    async def sealed(self, run: int, batches: dict[int, list[MappedStream]], *files: File) -> Run:
        """A run whose batches are staged and sealed."""
        plan, address = await self.plan(run, *files)
        contents = {}
        for batch, streams in batches.items():
            [staged] = [m.message for m in await self.stage(plan, batch, streams) if m.topic is topics.BATCH_STAGED]
            contents[str(batch)] = staged.content
        manifest = (await self.files.put_bytes(json.dumps(contents).encode())).sha256
        request = SealRequested(account="main", session="s1", run=run, plan=address, manifest=manifest)
        [answer] = await self.handlers.seal(delivery(topics.SEAL_REQUESTED, request))
        return Run(self, run, address, answer.message.seal, manifest)


@dataclass
class Run:
    """A sealed run."""

    loader: Loader
    number: int
    plan: str
    seal: str
    manifest: str

    def request(self, entity: str, batch: int, **more: Any) -> LoadRequested:
        return LoadRequested(
            account="main", session="s1", run=self.number, step=STEPS[entity], position=0, batch=batch, entity=entity,
            plan=self.plan, seal=self.seal, **more,
        )  # fmt: skip

    async def load(self, entity: str, batch: int, **more: Any) -> list[Outgoing]:
        request = delivery(topics.LOAD_REQUESTED, self.request(entity, batch, **more))
        return list(await self.loader.handlers.load(request))

    async def finalize(self, page: int | None, **more: Any) -> Any:
        request = FinalizeRequested(
            account="main", session="s1", run=self.number, step=3, plan=self.plan, seal=self.seal, page=page, **more
        )
        [answer] = await self.loader.handlers.finalize(delivery(topics.FINALIZE_REQUESTED, request))
        return answer.message

    async def close(self, *, dry_run: bool = False) -> list[Outgoing]:
        request = CloseRequested(
            account="main", session="s1", run=self.number, plan=self.plan, seal=self.seal, dry_run=dry_run
        )
        return list(await self.loader.handlers.close(delivery(topics.CLOSE_REQUESTED, request)))

    async def links(self, slot: int) -> list[Any]:
        """(id, status) of the customers of a job."""
        [row] = await self.loader.records.rows([record_id(self.number, slot)])
        links = json.loads(row.links or b"{}")["customer"]
        return [(link.get("id"), link.get("status", "linked")) for link in links]


@pytest.fixture
async def loader(tmp_path: Path) -> AsyncIterator[Loader]:
    store = SqliteDatabase(tmp_path / "store.db", synchronous="NORMAL")
    staging_database = SqliteDatabase(tmp_path / "staging.db", synchronous="NORMAL")
    records, staging = SqliteRecordStore(store), SqliteStagingStore(staging_database)
    await records.start()
    await staging.start()
    files = DirectoryFiles(tmp_path / "files")
    handlers = LoaderHandlers(
        staging=staging,
        records=records,
        destination=HubDestination(records),
        files=files,
        workers=cast(WorkerPool, InProcessWorkers()),
        clock=lambda: 1_000.0,
        page_records=1,
    )
    yield Loader(handlers, records, staging, files)
    await store.close()
    await staging_database.close()


def sent(messages: Sequence[Outgoing]) -> list[tuple[Topic, bytes]]:
    return [(message.topic, message.topic.encode(message.message)) for message in messages]


# ---- staging and sealing --------------------------------------------------------------------------------------


async def test_every_copy_of_a_batch_is_answered_like_the_first(loader: Loader) -> None:
    plan, _ = await loader.plan(1)

    first = await loader.stage(plan, 0, CUSTOMERS, errored={"customers": 1})
    other = await loader.stage(plan, 0, [], errored={"customers": 3}, given_up="a worker died")

    assert [m.topic for m in first] == [topics.BATCH_STAGED, topics.PROBLEMS_FOUND]
    assert sent(other) == sent(first)


async def test_a_late_copy_of_a_closed_run_is_not_staged(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    await run.close()

    assert await loader.stage(make_plan(*FILES), 0, CUSTOMERS) == []
    assert (await loader.staging.part(1, 0, "customers"))[0] == []


async def test_a_copy_that_was_under_way_when_its_run_was_closed_is_not_staged(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await loader.sealed(1, BATCHES)
    closed = loader.records.is_closed

    async def closed_just_behind(number: int) -> bool:
        known = await closed(number)
        monkeypatch.undo()
        await run.close()
        return known

    monkeypatch.setattr(loader.records, "is_closed", closed_just_behind)

    [late] = await loader.stage(make_plan(*FILES), 0, CUSTOMERS)

    assert late.message.entities["customers"].valid == 2
    assert (await loader.staging.part(1, 0, "customers"))[0] == []


async def test_a_late_copy_of_a_seal_of_a_closed_run_is_not_answered(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    await run.close()
    request = SealRequested(account="main", session="s1", run=1, plan=run.plan, manifest=run.manifest)

    assert await loader.handlers.seal(delivery(topics.SEAL_REQUESTED, request)) == []


async def test_two_loaders_that_seal_at_once_make_the_same_seal(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    request = SealRequested(account="main", session="s1", run=1, plan=run.plan, manifest=run.manifest)

    answers = await asyncio.gather(*(loader.handlers.seal(delivery(topics.SEAL_REQUESTED, request)) for _ in range(2)))

    assert {answer.message.seal for [answer] in answers} == {run.seal}


async def test_a_repeated_seal_has_the_same_address(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    request = SealRequested(account="main", session="s1", run=1, plan=run.plan, manifest=run.manifest)

    [again] = await loader.handlers.seal(delivery(topics.SEAL_REQUESTED, request))

    assert again.message.seal == run.seal


async def test_a_seal_over_other_batches_than_were_acknowledged_is_refused(loader: Loader) -> None:
    plan, address = await loader.plan(1)
    await loader.stage(plan, 0, CUSTOMERS)
    manifest = (await loader.files.put_bytes(b'{"0": "another content"}')).sha256
    request = SealRequested(account="main", session="s1", run=1, plan=address, manifest=manifest)

    with pytest.raises(PermanentError, match="not the ones that were acknowledged"):
        await loader.handlers.seal(delivery(topics.SEAL_REQUESTED, request))


# ---- loading --------------------------------------------------------------------------------------------------


async def test_a_repeated_load_writes_nothing_and_is_answered_like_the_first(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)

    first = await run.load("customers", 0)
    again = [await run.load("customers", 0, **more) for more in ({}, {"cancelled": True}, {"dry_run": True})]

    assert first[0].message.counts.imported == 2
    assert [sent(answer) for answer in again] == [sent(first)] * 3
    assert len(await loader.records.rows([record_id(1, slot) for slot in range(4)])) == 2


async def test_files_of_a_step_are_asked_for_again_after_a_minute(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local copy of a remote file goes when nobody asks for it."""
    now, asked = 1_000.0, Counter[str]()
    local_path = loader.files.local_path

    async def noted(sha256: str) -> Path:
        asked[sha256] += 1
        return await local_path(sha256)

    monkeypatch.setattr(loader.handlers, "clock", lambda: now)
    run = await loader.sealed(1, BATCHES)
    monkeypatch.setattr(loader.files, "local_path", noted)

    counts = []
    for step in (0.0, 60.0, 1.0):
        now += step
        await loader.handlers._sealed(run.request("customers", 0))
        counts.append(asked[run.plan])

    assert counts == [1, 1, 2]


async def test_a_load_that_was_cancelled_first_stays_cancelled(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)

    answer, problems = await run.load("customers", 0, cancelled=True)
    await run.load("customers", 0)

    assert (answer.message.decision, answer.message.counts.skipped) == ("cancelled", 2)
    assert [p.code for p in decompressed(problems.message.problems)] == ["cancelled"]
    assert await loader.records.existing([record_id(1, 0), record_id(1, 1)]) == set()


async def test_a_load_that_cannot_be_done_makes_its_records_errors(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    given_up = GivenUp("unexpected_error", "A value is damaged.", 5)

    answer, problems = await loader.handlers.load_given_up(
        delivery(topics.LOAD_REQUESTED, run.request("customers", 0)), given_up
    )

    assert (answer.message.decision, answer.message.counts.errored) == ("given_up", 2)
    assert "A value is damaged." in decompressed(problems.message.problems)[0].message
    assert sent(await run.load("customers", 0)) == sent([answer, problems])


async def test_a_dry_run_counts_links_and_writes_no_record(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)

    answers = [await run.load(entity, batch, dry_run=True) for entity, batch in (("customers", 0), ("jobs", 1))]
    await run.close(dry_run=True)

    assert [answer[0].message.counts.imported for answer in answers] == [2, 2]
    assert answers[1][0].message.counts.linked == 2
    assert await loader.records.existing([record_id(1, slot) for slot in range(4)]) == set()
    assert await loader.records.segments("main") == []


async def test_children_of_parents_that_were_given_up_wait_for_them(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    await run.load("customers", 0, cancelled=True)

    [answer] = await run.load("jobs", 1, parents_missing=True)

    assert (answer.message.counts.linked, answer.message.counts.pending) == (0, 2)
    assert [await run.links(slot) for slot in (2, 3)] == [[(None, "no_parent")], [(None, "no_parent")]]


# ---- one run after the other ----------------------------------------------------------------------------------


async def test_after_a_cancelled_run_the_next_one_imports_and_links_everything(loader: Loader) -> None:
    first = await loader.sealed(1, BATCHES)
    for entity, batch in (("customers", 0), ("jobs", 1)):
        await first.load(entity, batch, cancelled=True)
    await first.close()

    second = await loader.sealed(2, BATCHES)
    answers = [(await second.load(entity, batch))[0].message for entity, batch in (("customers", 0), ("jobs", 1))]

    assert [answer.counts.imported for answer in answers] == [2, 2]
    assert [await second.links(slot) for slot in (2, 3)] == [
        [(record_id(2, 0), "linked")],
        [(record_id(2, 1), "linked")],
    ]


async def test_children_that_waited_for_a_batch_are_linked_when_it_is_run_again(loader: Loader) -> None:
    first = await loader.sealed(1, BATCHES)
    await loader.handlers.load_given_up(
        delivery(topics.LOAD_REQUESTED, first.request("customers", 0)), GivenUp("unexpected_error", "?", 5)
    )
    await first.load("jobs", 1, parents_missing=True)
    await first.close()

    second = await loader.sealed(2, {0: CUSTOMERS}, FILES[0])
    await second.load("customers", 0)
    planned = await second.finalize(None)
    settled = [await second.finalize(page) for page in range(planned.pages)]

    assert (planned.pages, planned.references) == (2, 2)
    assert [page.entities["jobs"].linked for page in settled] == [1, 1]
    assert [await first.links(slot) for slot in (2, 3)] == [
        [(record_id(2, 0), "linked")],
        [(record_id(2, 1), "linked")],
    ]


async def test_importing_the_same_files_again_skips_everything_and_links_to_what_is_there(loader: Loader) -> None:
    first = await loader.sealed(1, BATCHES)
    for entity, batch in (("customers", 0), ("jobs", 1)):
        await first.load(entity, batch)
    await first.close()
    new_job = [stream_of("jobs", job("J1"), job("J3"), references=[TO_PARENTS])]

    second = await loader.sealed(2, {0: CUSTOMERS, 1: new_job})
    customers, jobs = [(await second.load(e, b))[0].message.counts for e, b in (("customers", 0), ("jobs", 1))]

    assert (customers.imported, customers.skipped) == (0, 2)
    assert (jobs.imported, jobs.skipped, jobs.linked) == (1, 1, 1)
    assert await second.links(3) == [(record_id(1, 1), "linked")]


# ---- finalizing and the end -----------------------------------------------------------------------------------


async def with_open_jobs(loader: Loader) -> Run:
    """A run that brings the parents of two jobs of an earlier one."""
    first = await loader.sealed(1, {0: JOBS}, FILES[1])
    await first.load("jobs", 0)
    await first.close()
    second = await loader.sealed(2, {0: CUSTOMERS}, FILES[0])
    await second.load("customers", 0)
    return second


async def test_pages_are_planned_once_and_settled_once(loader: Loader) -> None:
    run = await with_open_jobs(loader)
    planned = await run.finalize(None)
    settled = await run.finalize(0)

    again = await run.finalize(None), await run.finalize(0), await run.finalize(0, cancelled=True)

    assert (planned.pages, planned.references, settled.entities["jobs"].linked) == (2, 2, 1)
    assert again == (planned, settled, settled)


async def test_a_cancelled_run_settles_nothing(loader: Loader) -> None:
    run = await with_open_jobs(loader)

    planned = await run.finalize(None, cancelled=True)

    assert (planned.pages, planned.references) == (0, 0)
    assert len(await loader.records.open_records("main", 2)) == 2


async def test_closing_again_is_answered_again_and_staging_is_gone(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)

    first, again = await run.close(), await run.close()

    assert sent(first) == sent(again)
    assert [(await loader.staging.part(1, b, e))[0] for b, e in ((0, "customers"), (1, "jobs"))] == [[], []]
    assert [segment.entity for segment in await loader.records.segments("main")] == ["customers", "jobs"]


async def test_everything_decided_is_told_again_when_it_is_asked_for(loader: Loader) -> None:
    run = await with_open_jobs(loader)
    loaded = await run.load("customers", 0)
    planned = await run.finalize(None)
    pages = [await run.finalize(page) for page in range(planned.pages)]

    request = OutcomesRequested(account="main", session="s1", run=2)
    told = await loader.handlers.repeat_outcomes(delivery(topics.OUTCOMES_REQUESTED, request))

    [staged] = [m.message for m in told if m.topic is topics.BATCH_STAGED]
    assert (staged.batch, staged.entities["customers"].valid) == (0, 2)
    assert [m.message for m in told if m.topic is not topics.BATCH_STAGED] == [*(m.message for m in loaded), *pages]


async def test_errors_of_the_validating_step_are_told_again_also_after_the_run_is_closed(loader: Loader) -> None:
    plan, _ = await loader.plan(1)
    problem = Problem(severity="error", code="x", message="A name is missing.", record=1, line=3, entity="customers")
    first = await loader.stage(plan, 0, CUSTOMERS, errored={"customers": 1}, problems=[problem])
    close = CloseRequested(account="main", session="s1", run=1, plan="", seal=None, dry_run=False)
    await loader.handlers.close(delivery(topics.CLOSE_REQUESTED, close))

    request = OutcomesRequested(account="main", session="s1", run=1, batches=[0])
    told = await loader.handlers.repeat_outcomes(delivery(topics.OUTCOMES_REQUESTED, request))

    assert sent(told) == sent(first)
    assert [m.topic for m in told] == [topics.BATCH_STAGED, topics.PROBLEMS_FOUND]


async def test_only_the_batches_that_are_asked_for_are_told_again(loader: Loader) -> None:
    run = await loader.sealed(1, BATCHES)
    for entity, batch in (("customers", 0), ("jobs", 1)):
        await run.load(entity, batch)

    request = OutcomesRequested(account="main", session="s1", run=1, batches=[1])
    told = await loader.handlers.repeat_outcomes(delivery(topics.OUTCOMES_REQUESTED, request))

    assert [(m.topic, m.message.batch) for m in told] == [(topics.BATCH_STAGED, 1), (topics.BATCH_LOADED, 1)]


async def test_a_load_that_is_under_way_while_its_run_ends_answers_what_was_decided(
    loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await loader.sealed(1, BATCHES)
    part, answers = loader.staging.part, []

    async def overtaken(*arguments: Any) -> Any:
        """Another loader does the same, the run ends and is closed: the records staged are gone."""
        monkeypatch.undo()
        answers.append(await run.load("customers", 0))
        await run.close()
        return await part(*arguments)

    monkeypatch.setattr(loader.staging, "part", overtaken)
    late = await run.load("customers", 0)

    assert sent(late) == sent(answers[0])
    assert late[0].message.counts.imported == 2
    assert len(await loader.records.rows([record_id(1, slot) for slot in range(4)])) == 2


async def test_a_large_batch_is_read_from_the_file_that_holds_it(loader: Loader) -> None:
    plan, _ = await loader.plan(1)
    whole = mapped_batch(plan, 0, *CUSTOMERS)
    ref = await loader.files.put_bytes(msgspec.msgpack.encode(whole))
    ticket = msgspec.structs.replace(whole, streams=[], claim=ref.sha256)

    [answer] = await loader.handlers.stage(delivery(topics.BATCH_MAPPED, ticket))

    assert answer.message.entities["customers"].valid == 2
