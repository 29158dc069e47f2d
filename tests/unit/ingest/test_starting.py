"""Starting runs: what must be there first, which number a run gets, and what a start that died left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.ingest.model import RUNS, ApprovedMapping, Run, SessionFile, SessionOptions
from services.ingest.runs import Runs
from services.ingest.sessions import Sessions
from services.ingest.starting import RunStarter
from shared.catalog import load_catalog
from shared.errors import BadInputError, ConflictError, NotFoundError
from shared.runtime import Runtime, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.documents import SqliteDocuments
from shared.storage.files import DirectoryFiles
from shared.storage.progress import SqliteProgressStore
from shared.storage.sqlite import SqliteDatabase
from tests.support.builders import File, landed, mapping_of
from tests.support.workers import InProcessWorkers
from tests.unit.ingest.machine import Sent, described

CLIENTS = File("clients.csv", [2, 2, 2])


@dataclass
class Office:
    """A starter over real stores."""

    starter: RunStarter
    sessions: Sessions
    runs: Runs
    sent: Sent

    async def session(self, account: str = "main", *, approved: bool = True) -> str:
        """A session with one landed file."""
        made = await self.sessions.create(account, "ann", name="", options=SessionOptions(), paths=[])
        name, index = landed(CLIENTS)
        address = (await self.runs.files.put_bytes(msgspec.msgpack.encode(index))).sha256
        mapping = (await self.runs.files.put_bytes(mapping_of(CLIENTS).model_dump_json().encode())).sha256

        def fill(session: Any) -> list[Any]:
            session.files = [SessionFile(id="f", name=name, state="landed", sha256=index.sha256, landed=address)]
            session.mapping = ApprovedMapping(version=1, mapping_version=1, address=mapping) if approved else None
            return []

        await self.sessions.change(made.id, fill)
        return made.id

    async def start(self, session: str, account: str = "main", **more: Any) -> Run:
        return await self.starter.start(account, "ann", session, kind="import", **more)

    async def end(self, run: int, **fields: Any) -> None:
        """Lets a run be over and its account free."""
        document = await self.runs.documents.get(RUNS, str(run))
        assert document is not None
        ended = Run.model_validate_json(document.body).model_copy(
            update={"state": "completed", "ended_at": 1.0, **fields}
        )
        await self.runs.documents.put(
            RUNS, str(run), ended.model_dump_json().encode(), account=ended.account, expected_revision=None
        )
        await self.runs.closed(run)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    database = SqliteDatabase(tmp_path / "store.db", synchronous="NORMAL")
    documents, progress = SqliteDocuments(database), SqliteProgressStore(database)
    await documents.start()
    await progress.start()
    sent, files = Sent(), DirectoryFiles(tmp_path / "files")
    outbox = Outbox(documents, cast(Runtime, sent))
    runs = Runs(documents, outbox, progress, files, clock=lambda: 1_000.0)
    sessions = Sessions(documents, outbox, files, cast(WorkerPool, InProcessWorkers()), clock=lambda: 1_000.0)
    yield Office(RunStarter(sessions, runs, load_catalog(), window=2), sessions, runs, sent)
    await database.close()


async def test_a_run_is_known_to_its_session_and_begins(office: Office) -> None:
    session = await office.session()
    office.sent.take()

    run = await office.start(session)

    assert (run.run, run.steps, run.planned) == (1, ["validating", "customers", "finalizing"], {"validating": 3})
    assert described([m for m in office.sent.take() if m.headers]) == [("map", 0), ("map", 1)]
    known = await office.sessions.get("main", session)
    assert (known.runs, known.audit[-1].action) == ([1], "started run 1 (import)")


async def test_a_mapping_must_be_approved_first(office: Office) -> None:
    session = await office.session(approved=False)

    with pytest.raises(ConflictError, match="not approved") as refused:
        await office.start(session)

    assert refused.value.code == "mapping_not_approved"


async def test_a_session_whose_run_goes_on_gets_that_run_again(office: Office) -> None:
    session = await office.session()
    first = await office.start(session)
    office.sent.take()

    assert await office.start(session) == first
    assert (await office.sessions.get("main", session)).runs == [1]


async def test_a_second_session_waits_until_the_account_is_free(office: Office) -> None:
    first, second = await office.session(), await office.session()
    await office.start(first)

    with pytest.raises(ConflictError, match="An import is running"):
        await office.start(second)
    assert (await office.sessions.get("main", second)).runs == []
    await office.end(1)

    assert (await office.start(second)).run == 2


async def test_numbers_of_runs_are_unique_over_all_accounts(office: Office) -> None:
    sessions = [(account, await office.session(account)) for account in ("main", "second", "third")]

    numbers = [(await office.start(session, account)).run for account, session in sessions]
    await office.end(1)

    assert numbers == [1, 2, 3]
    assert (await office.start(sessions[0][1])).run == 4


async def test_a_session_is_started_in_its_account_alone(office: Office) -> None:
    session = await office.session()

    with pytest.raises(NotFoundError):
        await office.start(session, "other")


async def test_failed_batches_are_run_again_alone(office: Office) -> None:
    session = await office.session()
    await office.start(session)
    await office.end(1, failed_batches=[0, 2])
    office.sent.take()

    run = await office.start(session, failed_of=1)

    assert (run.run, run.only_batches, run.planned) == (2, [0, 2], {"validating": 2})
    assert described([m for m in office.sent.take() if m.headers]) == [("map", 0), ("map", 2)]


async def test_a_run_without_failed_batches_or_of_another_session_is_not_repeated(office: Office) -> None:
    session, other = await office.session(), await office.session()
    await office.start(session)
    await office.end(1)

    with pytest.raises(BadInputError, match="no failed batches"):
        await office.start(session, failed_of=1)
    with pytest.raises(BadInputError, match="another session"):
        await office.start(other, failed_of=1)


async def test_a_run_that_was_made_and_not_started_is_started_at_the_next_start(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    session = await office.session()
    with monkeypatch.context() as broken:
        broken.setattr(Runs, "start", dies)
        with pytest.raises(KeyboardInterrupt):
            await office.start(session)
    before = await office.runs.running("main")

    await office.starter.start_left(0.0)

    assert (before, await office.runs.running("main")) == (None, 1)


async def test_a_run_that_was_refused_does_not_start_by_itself_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_free(*_: Any) -> None:
        """Both callers find the account free, and then the other one is quicker."""

    first, second = await office.session(), await office.session()
    await office.start(first)
    with monkeypatch.context() as quicker:
        quicker.setattr(Runs, "check_free", is_free)
        with pytest.raises(ConflictError):
            await office.start(second)
    await office.end(1)

    await office.starter.start_left(0.0)

    assert await office.runs.running("main") is None
    assert (await office.sessions.get("main", second)).runs == []


async def test_a_start_under_way_in_another_process_is_left_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    session = await office.session()
    with monkeypatch.context() as broken:
        broken.setattr(Runs, "start", dies)
        with pytest.raises(KeyboardInterrupt):
            await office.start(session)

    await office.starter.start_left(30.0)
    young = await office.runs.running("main")
    office.runs.clock = lambda: 1_031.0
    await office.starter.start_left(30.0)

    assert (young, await office.runs.running("main")) == (None, 1)


async def test_a_start_with_its_key_gets_the_run_it_made_also_after_its_end(office: Office) -> None:
    session = await office.session()
    first = await office.start(session, key="k1")
    await office.end(1)

    again = await office.start(session, key="k1")
    other = await office.start(session, key="k2")

    assert (first.run, again.run, again.state, other.run) == (1, 1, "completed", 2)


async def test_two_processes_that_start_the_same_session_at_once_start_one_run(office: Office) -> None:
    session = await office.session()

    started = await asyncio.gather(*(office.start(session) for _ in range(4)), return_exceptions=True)

    runs = [run for run in started if isinstance(run, Run)]
    assert {run.run for run in runs} == {1}
    assert all(isinstance(refused, ConflictError) for refused in started if not isinstance(refused, Run))
    assert (await office.sessions.get("main", session)).runs == [1]
    assert await office.runs.running("main") == 1
