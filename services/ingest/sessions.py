"""Sessions: made, filled with files, sampled; kept from the first call on, resumable by anyone with the role."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from services.ingest.landing_work import SampleRequest
from services.ingest.model import (
    SESSIONS,
    ApprovedMapping,
    AuditLine,
    Session,
    SessionFile,
    SessionOptions,
)
from services.ingest.planning import FILES_MAX
from shared.errors import BadInputError, ConflictError, NotFoundError
from shared.messages import topics
from shared.messages.control import FileReceived, SessionChanged, SessionSampled
from shared.messages.envelope import Clock, Outgoing
from shared.runtime.outbox import Outbox
from shared.runtime.workers import WorkerPool
from shared.storage.documents import Documents
from shared.storage.files import FileRef, Files
from shared.storage.swapping import tries


@dataclass
class Sessions:
    """The sessions of all accounts over their stores."""

    documents: Documents
    outbox: Outbox
    files: Files
    workers: WorkerPool
    clock: Clock
    _changing: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def create(
        self,
        account: str,
        actor: str,
        *,
        name: str,
        options: SessionOptions,
        paths: list[str],
        key: str | None = None,
    ) -> Session:
        """A new session; durable on return. With a `key`, the one that was made with it before."""
        now = self.clock()
        session = Session(
            id=_id(key, 32),
            account=account,
            name=name or "Migration",
            created_at=now,
            created_by=actor,
            options=options,
            paths=paths,
            audit=[AuditLine(at=now, actor=actor, action="created")],
        )
        try:
            await self.outbox.put(
                SESSIONS,
                session.id,
                session.model_dump_json().encode(),
                account=account,
                expected_revision=0,
                order=f"{now:017.6f}",
                messages=[_changed(session)],
            )
        except ConflictError:
            return await self.get(account, session.id)  # an earlier call with this key was killed behind this place
        return session

    async def get(self, account: str | None, session_id: str) -> Session:
        """The session; NotFoundError where there is none in the account (None: whosever it is)."""
        return (await self._with_revision(account, session_id))[0]

    async def _with_revision(self, account: str | None, session_id: str) -> tuple[Session, int]:
        document = await self.documents.get(SESSIONS, session_id, account=account)
        if document is None:
            raise NotFoundError(
                f"There is no session {session_id}.", next_step="List the sessions to see which there are."
            )
        return Session.model_validate_json(document.body), document.revision

    async def change(
        self,
        session_id: str,
        change: Callable[[Session], list[Outgoing] | None],
        *,
        account: str | None = None,
        is_news: bool = True,
    ) -> Session:
        """Loads, changes and saves until nobody came between; `change` returns further messages, None = no change.

        With `is_news` everybody is told that the session changed. Changes by this process take turns, which only saves
        tries: twenty files that are landed at the same moment would lose against one another again and again.
        """
        async with self._changing.setdefault(session_id, asyncio.Lock()):
            async for _ in tries(f"Session {session_id}"):
                session, revision = await self._with_revision(account, session_id)
                messages = change(session)
                if messages is None:
                    return session
                try:
                    await self.outbox.put(
                        SESSIONS,
                        session_id,
                        session.model_dump_json().encode(),
                        account=session.account,
                        expected_revision=revision,
                        messages=[_changed(session), *messages] if is_news else messages,
                    )
                except ConflictError:
                    continue
                return session
        raise AssertionError("tries() ends by an error")

    # ---- files ------------------------------------------------------------------------------------------------

    async def add_path(
        self, account: str, actor: str, session_id: str, path: Path, *, key: str | None = None
    ) -> SessionFile:
        """Adds a local file, which waits to be landed from then on: state `landing`; follow it in the session.

        With a `key`, the file that was added with it before.
        """
        file = SessionFile(id=_id(key, 12), name=path.name, state="landing", path=str(path))
        return await self._add(account, actor, session_id, file)

    async def add_upload(
        self, account: str, actor: str, session_id: str, name: str, ref: FileRef, *, key: str | None = None
    ) -> SessionFile:
        """The same for an upload that is stored already."""
        file = SessionFile(id=_id(key, 12), name=name, state="landing", sha256=ref.sha256, size_bytes=ref.size)
        return await self._add(account, actor, session_id, file)

    async def _add(self, account: str, actor: str, session_id: str, file: SessionFile) -> SessionFile:
        def add(session: Session) -> list[Outgoing] | None:
            if session.file(file.id) is not None:
                return None
            if len(session.files) >= FILES_MAX:
                raise BadInputError(
                    f"A session holds at most {FILES_MAX:,} files.", next_step="Put further files in a new session."
                )
            file.asked_at = self.clock()
            session.files.append(file)
            session.audit.append(AuditLine(at=file.asked_at, actor=actor, action=f"added file {file.name}"))
            return [file_received(session, file, len(session.files))]

        session = await self.change(session_id, add, account=account)
        return session.file(file.id) or file

    async def remove(self, account: str, actor: str, session_id: str, file_id: str) -> None:
        """Takes a file out of the session; a mapping approved with it is void."""

        def remove(session: Session) -> list[Outgoing]:
            file = session.file(file_id)
            if file is None:
                raise NotFoundError(f"The session has no file {file_id}.")
            session.files.remove(file)
            if file.sha256 is not None:
                leave_out_copies(session, file.sha256)
            moved_on(session)
            session.audit.append(AuditLine(at=self.clock(), actor=actor, action=f"removed file {file.name}"))
            return []

        await self.change(session_id, remove, account=account)

    # ---- analysis and mapping ---------------------------------------------------------------------------------

    async def analyse(self, account: str, actor: str, session_id: str) -> Session:
        """Samples the landed files and hands them to analyze. Repeating it samples again."""
        session = await self.get(account, session_id)
        if any(file.state == "landing" for file in session.files):
            raise ConflictError(
                "Some files are still being read.", next_step="Wait until all files are landed.", code="landing"
            )
        if not session.usable_files():
            raise BadInputError("This session has no file that could be read.", next_step="Add a file.")
        requests = [
            SampleRequest(
                name=file.name,
                path=str(await self.files.local_path(file.sha256 or "")),
                landed=await self.files.read(file.landed or ""),
            )
            for file in session.usable_files()
        ]
        encoded = await self.workers.call("services.ingest.landing_work:sample_files", msgspec.msgpack.encode(requests))
        sample = await self.files.put_bytes(encoded)

        def sampled(current: Session) -> list[Outgoing]:
            current.sampled_version = session.version
            current.audit.append(AuditLine(at=self.clock(), actor=actor, action="analysed"))
            message = SessionSampled(
                account=account,
                session=session_id,
                version=session.version,
                sample=sample.sha256,
                entities=session.options.entities,
                source_label=session.options.source_label,
                region=session.options.region,
                strict=session.options.strict,
            )
            return [Outgoing(topics.SESSION_SAMPLED, message, session_id, session_id)]

        return await self.change(session_id, sampled, account=account)

    async def approved(self, session_id: str, mapping: ApprovedMapping) -> None:
        """Keeps an approved mapping unless it belongs to an older version of the session's files."""

        def approve(session: Session) -> list[Outgoing] | None:
            if mapping.version != session.version or session.mapping == mapping:
                return None
            session.mapping = mapping
            return []

        await self.change(session_id, approve)


def leave_out_copies(session: Session, sha256: str) -> SessionFile | None:
    """Keeps one of the files with this content and returns it: the first by name, whichever was read first."""
    same = [file for file in session.files if file.sha256 == sha256 and file.state in ("landed", "duplicate")]
    original = min(same, key=lambda file: file.name, default=None)
    for file in same:
        file.state = "landed" if file is original else "duplicate"
        file.duplicate_of = original.name if original and file is not original else None
    return original


def moved_on(session: Session) -> None:
    """The files changed: what was understood and approved before belongs to other files."""
    session.version += 1
    session.mapping = None


def file_received(session: Session, file: SessionFile, place: int) -> Outgoing:
    """A file waits to be landed. Those of one session go to one partition after the other, so that they go together."""
    message = FileReceived(account=session.account, session=session.id, file=file.id)
    return Outgoing(topics.FILE_RECEIVED, message, zlib.crc32(session.id.encode()) + place, session.id)


def _id(key: str | None, digits: int) -> str:
    """A new id, or the one that belongs to a key."""
    return hashlib.sha256(key.encode()).hexdigest()[:digits] if key else uuid.uuid4().hex[:digits]


def _changed(session: Session) -> Outgoing:
    message = SessionChanged(
        account=session.account,
        session=session.id,
        version=session.version,
        state="mapped" if session.mapping else "open",
        files=len(session.files),
    )
    return Outgoing(topics.SESSION_CHANGED, message, session.id, session.id)
