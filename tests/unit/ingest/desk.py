"""Sessions and the landing of their files over real stores; messages are handed on when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from services.ingest.landing import Landing
from services.ingest.model import ApprovedMapping, Session, SessionFile, SessionOptions
from services.ingest.sessions import Sessions
from shared.messages import topics
from shared.messages.control import FileReceived
from shared.runtime import Runtime, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.documents import SqliteDocuments
from shared.storage.files import DirectoryFiles
from tests.support.stores import open_documents
from tests.support.workers import InProcessWorkers
from tests.unit.ingest.machine import Sent

ADA = b"Name,Phone\nAda,512-555-0101\nBen,512-555-0102\n"
CLEO = b"Name,Phone\nCleo,512-555-0103\n"


@dataclass
class Process:
    """One process of ingest."""

    sessions: Sessions
    landing: Landing


@dataclass
class Desk:
    """A process of ingest with its stores; `another` is one more on the same stores."""

    documents: SqliteDocuments
    files: DirectoryFiles
    workers: InProcessWorkers = field(default_factory=InProcessWorkers)
    sent: Sent = field(default_factory=Sent)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        own = self.another()
        self.sessions, self.landing = own.sessions, own.landing

    def another(self) -> Process:
        """Another process on the same stores."""
        workers = cast(WorkerPool, self.workers)
        outbox = Outbox(self.documents, cast(Runtime, self.sent))
        sessions = Sessions(self.documents, outbox, self.files, workers, clock=lambda: self.now)
        return Process(sessions, Landing(sessions, self.files, workers, progress_seconds=0.002))

    async def session(self) -> str:
        made = await self.sessions.create("main", "ann", name="", options=SessionOptions(), paths=[])
        return made.id

    async def add(self, session: str, name: str, content: bytes) -> SessionFile:
        """Adds a file that waits to be landed."""
        ref = await self.files.put_bytes(content)
        return await self.sessions.add_upload("main", "ann", session, name, ref)

    async def upload(self, session: str, name: str, content: bytes) -> None:
        """Adds a file and lands it."""
        await self.add(session, name, content)
        await self.read(session)

    def waiting(self) -> list[FileReceived]:
        """Files that were announced since the last look."""
        return [message.message for message in self.sent.take() if message.topic is topics.FILE_RECEIVED]

    async def read(self, session: str) -> Session:
        """The session once every announced file is read."""
        for message in self.waiting():
            await self.landing.land(message.session, message.file)
        return await self.sessions.get("main", session)

    async def approve(self, session: str) -> None:
        """Approves a mapping of the session as it is."""
        version = (await self.sessions.get("main", session)).version
        await self.sessions.approved(session, ApprovedMapping(version=version, mapping_version=1, address="aa"))

    async def states(self, session: str) -> dict[str, tuple[str, str | None]]:
        """File name -> (state, of which file it is a copy)."""
        return {f.name: (f.state, f.duplicate_of) for f in (await self.sessions.get("main", session)).files}


@asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[Desk]:
    """A desk with fresh stores in the folder."""
    async with open_documents(folder, lambda: 1_000.0) as documents:
        yield Desk(documents, DirectoryFiles(folder / "files"))
