"""Sessions: made, filled with files, sampled; kept from the first call on, resumable by anyone with the role."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
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
from shared.errors import BadInputError, ConflictError, HubError, NotFoundError, RetryableError
from shared.messages import topics
from shared.messages.control import SessionChanged, SessionSampled
from shared.messages.envelope import Clock, Outgoing
from shared.messages.landing import LandedFile
from shared.observability.events import LANDING_FAILED, emit
from shared.runtime import fail_point
from shared.runtime.outbox import Outbox
from shared.runtime.workers import WorkerPool
from shared.storage.documents import Documents
from shared.storage.files import FileRef, Files

_TRIES_AGAINST_OTHER_WRITERS = 8
_LANDING_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
LOCAL_FILE_BYTES_MAX = 2 * 1024**3


@dataclass
class Sessions:
    """The sessions of all accounts over their stores."""

    documents: Documents
    outbox: Outbox
    files: Files
    workers: WorkerPool
    clock: Clock
    _landing: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)
    _bytes_read: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _changing: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def create(
        self, account: str, actor: str, *, name: str, options: SessionOptions, paths: list[str]
    ) -> Session:
        """A new session; durable on return."""
        now = self.clock()
        session = Session(
            id=uuid.uuid4().hex,
            account=account,
            name=name or "Migration",
            created_at=now,
            created_by=actor,
            options=options,
            paths=paths,
            audit=[AuditLine(at=now, actor=actor, action="created")],
        )
        await self.outbox.put(
            SESSIONS,
            session.id,
            session.model_dump_json().encode(),
            account=account,
            expected_revision=0,
            order=f"{now:017.6f}",
            messages=[_changed(session)],
        )
        return session

    async def get(self, account: str, session_id: str) -> Session:
        """The session with the reading progress of files that are being landed."""
        session = await self._stored(session_id, account)
        for file in session.files:
            if progress := self._bytes_read.get((session.id, file.id)):
                file.bytes_read, file.records = progress
        return session

    async def _stored(self, session_id: str, account: str | None = None) -> Session:
        document = await self.documents.get(SESSIONS, session_id, account=account)
        if document is None:
            raise NotFoundError(
                f"There is no session {session_id}.", next_step="List the sessions to see which there are."
            )
        return Session.model_validate_json(document.body)

    async def change(
        self, session_id: str, change: Callable[[Session], list[Outgoing] | None], *, account: str | None = None
    ) -> Session:
        """Loads, changes and saves until nobody came between; `change` returns further messages, None = no change.

        Changes by this process take turns: twenty files that are landed at the same moment would else lose against one
        another more often than is tried.
        """
        async with self._changing.setdefault(session_id, asyncio.Lock()):
            return await self._change(session_id, change, account)

    async def _change(
        self, session_id: str, change: Callable[[Session], list[Outgoing] | None], account: str | None
    ) -> Session:
        for _ in range(_TRIES_AGAINST_OTHER_WRITERS):
            document = await self.documents.get(SESSIONS, session_id, account=account)
            if document is None:
                raise NotFoundError(f"There is no session {session_id}.")
            session = Session.model_validate_json(document.body)
            messages = change(session)
            if messages is None:
                return session
            try:
                await self.outbox.put(
                    SESSIONS,
                    session_id,
                    session.model_dump_json().encode(),
                    account=session.account,
                    expected_revision=document.revision,
                    messages=[_changed(session), *messages],
                )
            except ConflictError:
                continue
            return session
        raise RetryableError(f"Session {session_id} is being changed by others all the time.")

    # ---- files ------------------------------------------------------------------------------------------------

    async def add_path(self, account: str, actor: str, session_id: str, path: Path) -> SessionFile:
        """Begins to land a local file. The answer has state `landing`; follow it in the session."""
        file = SessionFile(id=uuid.uuid4().hex[:12], name=path.name, state="landing", path=str(path))
        return await self._add(account, actor, session_id, file)

    async def add_upload(
        self, account: str, actor: str, session_id: str, name: str, chunks: AsyncIterator[bytes], bytes_max: int
    ) -> SessionFile:
        """Stores an upload while checking its size, then begins to land it."""
        ref = await self.files.put_stream(chunks, bytes_max=bytes_max)
        file = SessionFile(id=uuid.uuid4().hex[:12], name=name, state="landing", sha256=ref.sha256, size_bytes=ref.size)
        return await self._add(account, actor, session_id, file)

    async def _add(self, account: str, actor: str, session_id: str, file: SessionFile) -> SessionFile:
        def add(session: Session) -> list[Outgoing]:
            if len(session.files) >= FILES_MAX:
                raise BadInputError(
                    f"A session holds at most {FILES_MAX:,} files.", next_step="Put further files in a new session."
                )
            session.files.append(file)
            session.audit.append(AuditLine(at=self.clock(), actor=actor, action=f"added file {file.name}"))
            return []

        await self.change(session_id, add, account=account)
        self.land_later(session_id, file)
        return file

    async def remove(self, account: str, actor: str, session_id: str, file_id: str) -> None:
        """Takes a file out of the session; a mapping approved with it is void."""

        def remove(session: Session) -> list[Outgoing]:
            file = session.file(file_id)
            if file is None:
                raise NotFoundError(f"The session has no file {file_id}.")
            session.files.remove(file)
            if file.sha256 is not None:
                _leave_out_copies(session, file.sha256)
            _moved_on(session)
            session.audit.append(AuditLine(at=self.clock(), actor=actor, action=f"removed file {file.name}"))
            return []

        await self.change(session_id, remove, account=account)

    def land_later(self, session_id: str, file: SessionFile) -> None:
        """Lands a file in the background; a task for it runs at most once."""
        key = (session_id, file.id)
        if key not in self._landing:
            task = asyncio.create_task(self._land(session_id, file), name=f"landing {file.name}")
            self._landing[key] = task
            task.add_done_callback(lambda _: self._landing.pop(key, None))

    async def resume_landing(self) -> None:
        """Lands again what a process that died was landing."""
        cursor: str | None = None
        while True:
            page = await self.documents.find(SESSIONS, after=cursor)
            for document in page.documents:
                session = Session.model_validate_json(document.body)
                for file in session.files:
                    if file.state == "landing":
                        self.land_later(session.id, file)
            if (cursor := page.cursor) is None:
                return

    async def stop(self) -> None:
        """Abandons landing; it begins again at the next start."""
        tasks = list(self._landing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _land(self, session_id: str, file: SessionFile) -> None:
        try:
            ref, landed = await self._landed_patiently(session_id, file)
        except HubError as error:
            await self._reject(session_id, file, error)
            return
        except OSError as error:
            refused = BadInputError(
                f"{file.name} cannot be read: {error.strerror or error}.",
                next_step="Check that the file exists and may be read, then add it again.",
            )
            await self._reject(session_id, file, refused)
            return
        except Exception as fault:
            # Nobody waits for this task: without an answer the file would look as if it were being read for ever.
            emit(LANDING_FAILED, session_id=session_id, file_id=file.id, exc_info=fault)
            failed = HubError(
                f"{file.name} could not be read because of a fault of the hub.",
                next_step="Add it again; if it stays, look into the hub's log.",
            )
            await self._reject(session_id, file, failed)
            return
        finally:
            self._bytes_read.pop((session_id, file.id), None)
        index = await self.files.put_bytes(msgspec.msgpack.encode(landed))

        def landed_now(session: Session) -> list[Outgoing] | None:
            stored = session.file(file.id)
            if stored is None:
                return None  # removed meanwhile
            stored.state, stored.sha256, stored.size_bytes, stored.landed = "landed", ref.sha256, ref.size, index.sha256
            stored.records, stored.left_out = landed.records, landed.left_out_total
            if _leave_out_copies(session, ref.sha256) is stored:
                _moved_on(session)
            return []

        await self.change(session_id, landed_now)

    async def _landed_patiently(self, session_id: str, file: SessionFile) -> tuple[FileRef, LandedFile]:
        """A full disk or a worker that died is no fault of the file: it is tried again for half a minute."""
        for wait_seconds in _LANDING_WAITS_SECONDS:
            try:
                return await self._landed(session_id, file)
            except RetryableError:
                await asyncio.sleep(wait_seconds)
        return await self._landed(session_id, file)

    async def _landed(self, session_id: str, file: SessionFile) -> tuple[FileRef, LandedFile]:
        session = await self._stored(session_id)
        if file.sha256 is None:
            ref = await self.files.put_path(Path(file.path or ""), bytes_max=LOCAL_FILE_BYTES_MAX)
        else:
            ref = FileRef(sha256=file.sha256, size=file.size_bytes)
        fail_point("ingest.landing_half_done")
        encoded = await self.workers.call(
            "services.ingest.landing_work:land_file",
            str(await self.files.local_path(ref.sha256)),
            file.name,
            session.options.batch_records,
            on_report=lambda progress: self._bytes_read.__setitem__((session_id, file.id), progress),
        )
        return ref, msgspec.msgpack.decode(encoded, type=LandedFile)

    async def _reject(self, session_id: str, file: SessionFile, error: HubError) -> None:
        def rejected(session: Session) -> list[Outgoing] | None:
            stored = session.file(file.id)
            if stored is None:
                return None
            stored.state, stored.error, stored.next_step = "rejected", error.message, error.next_step
            return []

        await self.change(session_id, rejected)

    # ---- analysis and mapping ---------------------------------------------------------------------------------

    async def analyse(self, account: str, actor: str, session_id: str) -> Session:
        """Samples the landed files and hands them to analyze. Repeating it samples again."""
        session = await self._stored(session_id, account)
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


def _leave_out_copies(session: Session, sha256: str) -> SessionFile | None:
    """Keeps one of the files with this content and returns it: the first by name, whichever was read first."""
    same = [file for file in session.files if file.sha256 == sha256 and file.state in ("landed", "duplicate")]
    original = min(same, key=lambda file: file.name, default=None)
    for file in same:
        file.state = "landed" if file is original else "duplicate"
        file.duplicate_of = original.name if original and file is not original else None
    return original


def _moved_on(session: Session) -> None:
    """The files changed: what was understood and approved before belongs to other files."""
    session.version += 1
    session.mapping = None


def _changed(session: Session) -> Outgoing:
    message = SessionChanged(
        account=session.account,
        session=session.id,
        version=session.version,
        state="mapped" if session.mapping else "open",
        files=len(session.files),
    )
    return Outgoing(topics.SESSION_CHANGED, message, session.id, session.id)
