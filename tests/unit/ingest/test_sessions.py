"""Sessions: their files as they are landed, copies, and what becomes of a mapping when the files change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from services.ingest import sessions as module
from services.ingest.model import ApprovedMapping, Session, SessionOptions
from services.ingest.sessions import Sessions
from shared.errors import BadInputError, ConflictError, NotFoundError, RetryableError
from shared.messages import topics
from shared.messages.envelope import Outgoing
from shared.runtime import Runtime, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.documents import SqliteDocuments
from shared.storage.files import DirectoryFiles
from tests.support.stores import open_documents
from tests.support.workers import InProcessWorkers
from tests.unit.ingest.machine import Sent

ADA = b"Name,Phone\nAda,512-555-0101\nBen,512-555-0102\n"
CLEO = b"Name,Phone\nCleo,512-555-0103\n"
SECONDS = 10


@dataclass
class Desk:
    """Sessions over real stores, with the worker functions called in this process."""

    sessions: Sessions
    workers: InProcessWorkers
    sent: Sent
    documents: SqliteDocuments
    folder: Path

    def again(self) -> Sessions:
        """Another process on the same stores."""
        return Sessions(
            self.documents,
            Outbox(self.documents, cast(Runtime, self.sent)),
            DirectoryFiles(self.folder / "files"),
            cast(WorkerPool, self.workers),
            clock=lambda: 1_000.0,
        )

    async def session(self) -> str:
        made = await self.sessions.create("main", "ann", name="", options=SessionOptions(), paths=[])
        return made.id

    async def upload(self, session: str, name: str, content: bytes, bytes_max: int = 1_000_000) -> None:
        """Adds a file and waits until it is read."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        await self.sessions.add_upload("main", "ann", session, name, chunks(), bytes_max)
        await self.read(session)

    async def read(self, session: str) -> Session:
        """The session once all its files are read."""
        async with asyncio.timeout(SECONDS):
            while any(f.state == "landing" for f in (await self.sessions.get("main", session)).files):
                await asyncio.sleep(0.005)
        return await self.sessions.get("main", session)

    async def approve(self, session: str) -> None:
        """Approves a mapping of the session as it is."""
        version = (await self.sessions.get("main", session)).version
        await self.sessions.approved(session, ApprovedMapping(version=version, mapping_version=1, address="aa"))

    async def states(self, session: str) -> dict[str, tuple[str, str | None]]:
        """File name -> (state, of which file it is a copy)."""
        return {f.name: (f.state, f.duplicate_of) for f in (await self.sessions.get("main", session)).files}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_documents(tmp_path, lambda: 1_000.0) as documents:
        desk = Desk(cast(Sessions, None), InProcessWorkers(), Sent(), documents, tmp_path)
        desk.sessions = desk.again()
        yield desk
        await desk.sessions.stop()


# ---- landing --------------------------------------------------------------------------------------------------


async def test_an_uploaded_file_is_read_in_the_background(desk: Desk) -> None:
    session = await desk.session()

    await desk.upload(session, "clients.csv", ADA)

    [file] = (await desk.sessions.get("main", session)).files
    assert (file.name, file.state, file.records, file.size_bytes) == ("clients.csv", "landed", 2, len(ADA))


async def test_a_file_that_is_not_there_is_rejected_with_a_way_out(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()

    await desk.sessions.add_path("main", "ann", session, tmp_path / "gone.csv")
    [file] = (await desk.read(session)).files

    assert file.state == "rejected"
    assert "gone.csv cannot be read" in (file.error or "")
    assert "Check the path" in (file.next_step or "")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"])
async def test_a_file_without_a_table_is_rejected_and_the_others_are_not(desk: Desk, content: bytes) -> None:
    session = await desk.session()

    await desk.upload(session, "odd.csv", content)
    await desk.upload(session, "clients.csv", ADA)

    assert {name: state for name, (state, _) in (await desk.states(session)).items()} == {
        "odd.csv": "rejected",
        "clients.csv": "landed",
    }


async def test_an_upload_above_the_limit_is_refused_and_leaves_no_file(desk: Desk) -> None:
    session = await desk.session()

    with pytest.raises(BadInputError):
        await desk.upload(session, "clients.csv", ADA, bytes_max=10)

    assert (await desk.sessions.get("main", session)).files == []


async def test_a_passing_fault_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LANDING_WAITS_SECONDS", (0.0, 0.0))
    desk.workers.fails = [RetryableError("The worker died."), RetryableError("The disk is full.")]
    session = await desk.session()

    await desk.upload(session, "clients.csv", ADA)

    assert (await desk.states(session))["clients.csv"][0] == "landed"


async def test_a_fault_of_the_hub_is_told_on_the_file(desk: Desk) -> None:
    desk.workers.fails = [KeyError("a bug")]
    session = await desk.session()

    await desk.upload(session, "clients.csv", ADA)

    [file] = (await desk.sessions.get("main", session)).files
    assert (file.state, "fault of the hub" in (file.error or "")) == ("rejected", True)


async def test_what_a_dead_process_was_reading_is_read_at_the_next_start(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "clients.csv").write_bytes(ADA)
    session = await desk.session()
    await desk.sessions.add_path("main", "ann", session, tmp_path / "clients.csv")
    await desk.sessions.stop()
    left = await desk.states(session)

    desk.sessions = desk.again()
    await desk.sessions.resume_landing()
    await desk.read(session)

    assert left == {"clients.csv": ("landing", None)}
    assert await desk.states(session) == {"clients.csv": ("landed", None)}


async def test_a_file_taken_out_while_it_is_read_stays_out(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "clients.csv").write_bytes(ADA)
    session = await desk.session()
    file = await desk.sessions.add_path("main", "ann", session, tmp_path / "clients.csv")

    await desk.sessions.remove("main", "ann", session, file.id)
    await desk.upload(session, "cleo.csv", CLEO)

    assert list(await desk.states(session)) == ["cleo.csv"]


# ---- copies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a.csv", "b.csv", "c.csv"), ("c.csv", "a.csv", "b.csv")])
async def test_of_equal_files_the_first_by_name_counts_whichever_came_first(desk: Desk, names: tuple[str, ...]) -> None:
    session = await desk.session()

    for name in names:
        await desk.upload(session, name, ADA)

    assert await desk.states(session) == {
        "a.csv": ("landed", None),
        "b.csv": ("duplicate", "a.csv"),
        "c.csv": ("duplicate", "a.csv"),
    }


async def test_a_copy_takes_the_place_of_a_file_that_is_taken_out(desk: Desk) -> None:
    session = await desk.session()
    for name in ("a.csv", "b.csv"):
        await desk.upload(session, name, ADA)
    first = (await desk.sessions.get("main", session)).files[0]

    await desk.sessions.remove("main", "ann", session, first.id)

    assert await desk.states(session) == {"b.csv": ("landed", None)}


# ---- mappings -------------------------------------------------------------------------------------------------


async def test_an_approved_mapping_is_kept_until_the_files_change(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    await desk.approve(session)
    approved = (await desk.sessions.get("main", session)).mapping

    await desk.upload(session, "more.csv", CLEO)

    assert approved == ApprovedMapping(version=2, mapping_version=1, address="aa")
    assert (await desk.sessions.get("main", session)).mapping is None


async def test_an_approval_of_older_files_is_not_kept(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)

    await desk.sessions.approved(session, ApprovedMapping(version=1, mapping_version=1, address="aa"))

    assert (await desk.sessions.get("main", session)).mapping is None


async def test_a_copy_or_a_rejected_file_leaves_the_mapping_as_it_is(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    await desk.approve(session)

    await desk.upload(session, "z copy.csv", ADA)
    await desk.upload(session, "empty.csv", b"")

    assert (await desk.sessions.get("main", session)).mapping is not None


async def test_the_analysis_waits_for_files_that_are_being_read(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()
    with pytest.raises(BadInputError, match="no file"):
        await desk.sessions.analyse("main", "ann", session)
    (tmp_path / "clients.csv").write_bytes(ADA)
    await desk.sessions.add_path("main", "ann", session, tmp_path / "clients.csv")

    with pytest.raises(ConflictError, match="being read"):
        await desk.sessions.analyse("main", "ann", session)
    await desk.read(session)
    desk.sent.take()
    analysed = await desk.sessions.analyse("main", "ann", session)

    [sampled] = [m.message for m in desk.sent.take() if m.topic is topics.SESSION_SAMPLED]
    assert (sampled.version, analysed.sampled_version) == (2, 2)


# ---- who changes what -----------------------------------------------------------------------------------------


async def test_changes_of_several_processes_at_once_are_all_kept(desk: Desk) -> None:
    session = await desk.session()
    one, other = desk.sessions, desk.again()

    def adds(text: str) -> Callable[[Session], list[Outgoing]]:
        def change(current: Session) -> list[Outgoing]:
            current.paths.append(text)
            return []

        return change

    await asyncio.gather(*(s.change(session, adds(f"{n}")) for n in range(4) for s in (one, other)))

    assert sorted((await one.get("main", session)).paths) == sorted(f"{n}" for n in range(4) for _ in (one, other))


async def test_another_account_sees_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    file = (await desk.sessions.get("main", session)).files[0]

    for call in (
        desk.sessions.get("other", session),
        desk.sessions.add_path("other", "eve", session, tmp_path / "x"),
        desk.sessions.remove("other", "eve", session, file.id),
        desk.sessions.analyse("other", "eve", session),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_the_audit_says_who_did_what(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    file = (await desk.sessions.get("main", session)).files[0]
    await desk.sessions.remove("main", "ben", session, file.id)

    assert [(line.actor, line.action) for line in (await desk.sessions.get("main", session)).audit] == [
        ("ann", "created"),
        ("ann", "added file clients.csv"),
        ("ben", "removed file clients.csv"),
    ]
