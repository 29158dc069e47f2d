"""What listeners are told of a run, and when it is done; repeated and late messages change nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.status import progress as module
from services.status.handlers import StatusHandlers
from services.status.progress import Progress, RunProgress
from shared.catalog import load_catalog
from shared.messages import topics
from shared.messages.control import (
    BatchLoaded,
    BatchStaged,
    EntityCounts,
    ReferencesSettled,
    RunChanged,
    SessionChanged,
)
from shared.messages.envelope import Delivery, Outgoing, Topic
from shared.messages.problems import ProblemsFound
from shared.storage.documents import SqliteDocuments
from shared.storage.files import DirectoryFiles
from shared.storage.outcomes import SqliteOutcomeStore
from shared.storage.sqlite import SqliteDatabase
from tests.support.builders import File, make_plan, packed

PLAN = make_plan(File("clients.csv", [3, 2]))
SECONDS = 10


@dataclass
class Status:
    """Status over real stores. What it hears and what it shows stand in different processes, as in a cluster."""

    handlers: StatusHandlers
    progress: Progress
    address: str

    async def hear(self, topic: Topic, message: Any) -> list[Outgoing]:
        handle = {
            topics.BATCH_STAGED: self.handlers.staged,
            topics.BATCH_LOADED: self.handlers.loaded,
            topics.REFERENCES_SETTLED: self.handlers.settled,
            topics.PROBLEMS_FOUND: self.handlers.problems,
            topics.RUN_CHANGED: self.handlers.run_changed,
            topics.SESSION_CHANGED: self.handlers.session_changed,
        }[topic]
        return list(await handle(Delivery(topic, message, 0, 0, {})))

    async def changed(self, sequence: int, state: Any = "importing", **more: Any) -> list[Outgoing]:
        message = RunChanged(
            account="main", session="s1", run=1, kind="import", state=state, sequence=sequence, plan=self.address,
            step={"validating": 0, "importing": 1, "finalizing": 2}.get(state, 3),
            planned={"validating": 2, "customers": 2, "finalizing": 0}, **more,
        )  # fmt: skip
        return await self.hear(topics.RUN_CHANGED, message)

    async def staged(self, batch: int, **counts: int) -> None:
        message = BatchStaged(
            account="main", session="s1", run=1, batch=batch, given_up=None, content="c",
            entities={"customers": EntityCounts(**counts)},
        )  # fmt: skip
        await self.hear(topics.BATCH_STAGED, message)

    async def loaded(self, batch: int, **counts: int) -> None:
        message = BatchLoaded(
            account="main", session="s1", run=1, step=1, position=batch, batch=batch, entity="customers",
            decision="load", counts=EntityCounts(**counts),
        )  # fmt: skip
        await self.hear(topics.BATCH_LOADED, message)

    async def view(self) -> RunProgress:
        state = await self.progress.state(1)
        assert state is not None
        return await self.progress.view(state)


@pytest.fixture
async def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Status]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.005)
    database = SqliteDatabase(tmp_path / "store.db", synchronous="NORMAL")
    store, documents = SqliteOutcomeStore(database), SqliteDocuments(database)
    files = DirectoryFiles(tmp_path / "files")
    await store.start()
    await documents.start()

    def another() -> Progress:
        return Progress(store=store, documents=documents, files=files, catalog=load_catalog(), clock=lambda: 1_000.0)

    consumer, progress = another(), another()
    yield Status(StatusHandlers(store, consumer), progress, (await files.put_bytes(PLAN.encode())).sha256)
    await progress.stop()
    await database.close()


async def test_a_run_is_done_when_it_has_ended_is_closed_and_everything_is_counted(status: Status) -> None:
    views = []
    await status.changed(1, "validating")
    for batch, count in ((0, 3), (1, 2)):
        await status.staged(batch, valid=count)
    await status.changed(2)
    await status.loaded(0, imported=3)
    await status.changed(3, "completed")
    views.append(await status.view())
    await status.loaded(1, imported=2)
    views.append(await status.view())
    await status.changed(4, "completed", closed=True)
    views.append(await status.view())

    assert [(v.done, v.percent, v.imported, v.to_go) for v in views] == [
        (False, 99, 3, 2),
        (False, 99, 5, 0),
        (True, 100, 5, 0),
    ]


async def test_repeated_messages_count_once(status: Status) -> None:
    await status.changed(1)
    for _ in range(3):
        await status.staged(0, valid=2, errored=1)
        await status.loaded(0, imported=2)
        await status.view()

    view = await status.view()

    assert (view.imported, view.errored, view.total, view.to_go) == (2, 1, 5, 2)


async def test_an_older_state_that_comes_late_changes_nothing(status: Status) -> None:
    await status.changed(5, "finalizing")
    await status.changed(2, "validating")

    assert (await status.view()).state == "finalizing"


async def test_a_settled_page_is_seen_even_if_nothing_was_linked(status: Status) -> None:
    await status.changed(1, "finalizing")
    settled = ReferencesSettled(account="main", session="s1", run=1, step=2, page=0, entities={})
    await status.hear(topics.REFERENCES_SETTLED, settled)

    assert [(o.step, o.batch, o.entity) for o in await status.progress.store.outcomes(1)] == [(2, 0, "")]


async def test_outcomes_that_are_missing_at_the_end_are_asked_for(status: Status) -> None:
    await status.staged(0, valid=3)
    await status.staged(1, valid=2)
    await status.loaded(0, imported=3)

    before = await status.changed(1, "completed")
    missing = await status.changed(2, "completed", closed=True)
    await status.loaded(1, imported=2)
    complete = await status.changed(3, "completed", closed=True)

    assert [m.topic for m in before] == []
    assert [(m.topic, m.message.run, m.message.batches) for m in missing] == [(topics.OUTCOMES_REQUESTED, 1, [1])]
    assert complete == []


async def test_a_run_is_not_done_before_the_reasons_are_there(status: Status) -> None:
    for batch in (0, 1):
        await status.staged(batch, valid=1, errored=batch)
        await status.loaded(batch, imported=1)
    await status.changed(1, "completed", closed=True)
    without = (await status.view()).done
    told = ProblemsFound(
        account="main", session="s1", run=1, batch=1, entity="", stage="staged", count=1, problems=packed([])
    )

    await status.hear(topics.PROBLEMS_FOUND, told)

    assert (without, (await status.view()).done) == (False, True)


# ---- listening ------------------------------------------------------------------------------------------------


async def until(events: AsyncIterator[Any], kind: str, **wanted: Any) -> dict[str, Any]:
    """The first event of this kind with these values."""
    async with asyncio.timeout(SECONDS):
        async for event in events:
            data: dict[str, Any] = json.loads(event.data)
            if event.event == kind and wanted.items() <= data.items():
                return data
    raise AssertionError("the events ended")


async def test_a_listener_gets_the_present_state_and_then_the_changes(status: Status) -> None:
    await status.changed(1)
    events = status.progress.follow("main", "s1", None)

    present = await until(events, "run.progress")
    await status.loaded(0, imported=3)
    later = await until(events, "run.progress", imported=3)

    assert (present["imported"], later["to_go"]) == (0, 2)


async def test_a_change_while_a_view_is_made_is_in_the_next_one(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    await status.changed(1)
    events = status.progress.follow("main", "s1", None)
    await until(events, "run.progress")
    made, go_on = asyncio.Event(), asyncio.Event()
    view = Progress.view

    async def slow_view(progress: Progress, state: RunChanged) -> RunProgress:
        found = await view(progress, state)
        made.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(Progress, "view", slow_view)
    await status.loaded(0, imported=3)
    await made.wait()
    await status.loaded(1, imported=2)  # after the view was made, before it was published
    go_on.set()

    await until(events, "run.progress", imported=5)


async def test_news_of_a_session_are_told_also_those_from_before_somebody_listened(status: Status) -> None:
    news = SessionChanged(account="main", session="s1", version=1, state="open", files=1)
    await status.hear(topics.SESSION_CHANGED, news)
    events = status.progress.follow("main", "s1", None)

    before = await until(events, "session.updated")
    await status.hear(topics.SESSION_CHANGED, news.model_copy(update={"version": 2, "files": 2}))
    after = await until(events, "session.updated", version=2)

    assert (before["files"], after["files"]) == (1, 2)


async def test_the_store_is_looked_at_only_while_somebody_listens(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = Progress._look

    async def counted(progress: Progress, *more: Any) -> None:
        looks.append(1)
        await look(progress, *more)

    monkeypatch.setattr(Progress, "_look", counted)
    await status.changed(1)
    one, other = (status.progress.follow("main", "s1", None) for _ in range(2))
    await until(one, "run.progress")
    await until(other, "run.progress")
    await one.aclose()
    seen = len(looks)
    await status.loaded(0, imported=3)
    await until(other, "run.progress", imported=3)
    still = len(looks)
    await other.aclose()

    assert seen < still
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "progress of s1" and not task.cancelling()]


async def test_a_listener_comes_back_to_what_changed_meanwhile(status: Status) -> None:
    await status.changed(1)
    first = status.progress.follow("main", "s1", None)
    async with asyncio.timeout(SECONDS):
        last = [await anext(first) for _ in range(2)][-1]
    await first.aclose()
    await status.loaded(0, imported=3)

    async with asyncio.timeout(SECONDS):
        event = await anext(status.progress.follow("main", "s1", last.id))

    assert (event.event, json.loads(event.data)["imported"]) == ("run.progress", 3)


async def test_another_account_hears_nothing_of_a_session(status: Status) -> None:
    await status.changed(1)
    owner, stranger = (status.progress.follow(account, "s1", None) for account in ("main", "other"))
    listening = asyncio.ensure_future(anext(stranger))

    await until(owner, "run.progress")
    await status.loaded(0, imported=3)
    await until(owner, "run.progress", imported=3)

    assert not listening.done()
    await status.progress.stop()
    with pytest.raises(StopAsyncIteration):
        await listening
