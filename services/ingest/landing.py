"""Landing: a file waits in its session, a message says so, and whichever process gets the message reads the file.

Everything about it is in the session's document, so that any process can go on where another one ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from services.ingest.model import SESSIONS, Session, SessionFile
from services.ingest.sessions import Sessions, file_received, leave_out_copies, moved_on
from shared.errors import BadInputError, ConfigurationError, HubError, NotFoundError, RetryableError
from shared.messages.envelope import Outgoing
from shared.messages.landing import LandedFile
from shared.observability.events import FILE_LANDED, FILE_REJECTED, LANDING_FAILED, emit
from shared.runtime import fail_point
from shared.runtime.service import GivenUp
from shared.runtime.workers import WorkerPool
from shared.storage.files import FileRef, Files

LOCAL_FILE_BYTES_MAX = 2 * 1024**3
PROGRESS_SECONDS = 1.0
_ASKED_SECONDS_MAX = 3_600.0


@dataclass
class Landing:
    """Lands the files of sessions; `workers` does the reading."""

    sessions: Sessions
    files: Files
    workers: WorkerPool
    progress_seconds: float = PROGRESS_SECONDS
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Takes files from now on."""
        self._stopping.clear()

    async def stopping(self) -> None:
        """Gives back what is being read: its message comes again to another process, or at the next start."""
        self._stopping.set()

    async def land(self, session_id: str, file_id: str) -> None:
        """Reads a file that waits; one that is read or taken out already is left as it is.

        RetryableError for what is no fault of the file (a full disk, a worker that died, the end of this process).
        """
        session = await self.sessions.get(None, session_id)
        file = session.file(file_id)
        if file is None or file.state != "landing":
            return
        try:
            ref, landed = await self._read(session, file)
        except (RetryableError, ConfigurationError):
            raise
        except HubError as error:
            await self._reject(session_id, file_id, error)
            return
        except OSError as error:
            refused = BadInputError(
                f"{file.name} cannot be read: {error.strerror or error}.",
                next_step="Check that the file exists and may be read, then add it again.",
            )
            await self._reject(session_id, file_id, refused)
            return
        await self._keep(session_id, file_id, ref, landed)

    async def give_up(self, session_id: str, file_id: str, given_up: GivenUp) -> None:
        """Tells on the file that it could not be read: without an answer it would look as if it were read for ever."""
        emit(LANDING_FAILED, session_id=session_id, file_id=file_id, reason_code=given_up.reason_code)
        is_passing = given_up.reason_code == "attempts_used_up"
        reason = given_up.message if is_passing else "The file could not be read because of a fault of the hub."
        next_step = "Add it again; if it stays, look into the hub's log."
        with contextlib.suppress(NotFoundError):
            await self._reject(session_id, file_id, HubError(reason, next_step=next_step))

    async def ask_again(self, after_seconds: float) -> None:
        """Sends the message of files again that have been waiting for long: theirs was lost.

        After so many seconds without a sign of life, then after twice as many ... The times stand in the session, so
        that several processes ask no oftener than one.
        """
        page = await self.sessions.documents.find(SESSIONS, newest_first=True)
        waiting = [document.id for document in page.documents if b'"landing"' in document.body]
        now = self.sessions.clock()

        def ask(session: Session) -> list[Outgoing] | None:
            messages = []
            for place, file in enumerate(session.files):
                due = file.asked_at + min(_ASKED_SECONDS_MAX, after_seconds * 2.0**file.asked)
                if file.state == "landing" and due <= now:
                    file.asked_at, file.asked = now, file.asked + 1
                    messages.append(file_received(session, file, place))
            return messages or None

        for session_id in waiting:
            await self.sessions.change(session_id, ask)

    async def _read(self, session: Session, file: SessionFile) -> tuple[FileRef, LandedFile]:
        """The stored file and its index. Says meanwhile in the session how far it is."""
        so_far = (0, 0)

        def report(progress: tuple[int, int]) -> None:
            nonlocal so_far
            so_far = progress

        async def read() -> tuple[FileRef, LandedFile]:
            ref = await self._stored(file)
            fail_point("ingest.landing_half_done")
            encoded = await self.workers.call(
                "services.ingest.landing_work:land_file",
                str(await self.files.local_path(ref.sha256)),
                file.name,
                session.options.batch_records,
                on_report=report,
            )
            return ref, msgspec.msgpack.decode(encoded, type=LandedFile)

        reading, stopping = asyncio.create_task(read()), asyncio.create_task(self._stopping.wait())
        try:
            while True:
                await asyncio.wait(
                    {reading, stopping}, timeout=self.progress_seconds, return_when=asyncio.FIRST_COMPLETED
                )
                if reading.done():
                    return reading.result()
                if stopping.done():
                    raise RetryableError(
                        f"The hub is being stopped while {file.name} is read. It is read again.", after_seconds=0.0
                    )
                await self._note(session.id, file.id, so_far)
        finally:
            reading.cancel()
            stopping.cancel()
            await asyncio.gather(reading, stopping, return_exceptions=True)

    async def _stored(self, file: SessionFile) -> FileRef:
        if file.sha256 is None:
            return await self.files.put_path(Path(file.path or ""), bytes_max=LOCAL_FILE_BYTES_MAX)
        return FileRef(sha256=file.sha256, size=file.size_bytes)

    async def _note(self, session_id: str, file_id: str, so_far: tuple[int, int]) -> None:
        def note(session: Session) -> list[Outgoing] | None:
            file = session.file(file_id)
            if file is None or file.state != "landing":
                return None
            file.bytes_read, file.records = so_far
            file.asked_at = self.sessions.clock()
            return []

        # Others are changing the session all the time: this is told a second later.
        with contextlib.suppress(RetryableError):
            await self.sessions.change(session_id, note, is_news=False)

    async def _keep(self, session_id: str, file_id: str, ref: FileRef, landed: LandedFile) -> None:
        index = await self.files.put_bytes(msgspec.msgpack.encode(landed))

        def keep(session: Session) -> list[Outgoing] | None:
            file = session.file(file_id)
            if file is None or file.state != "landing":
                return None  # taken out meanwhile, or read by another process
            file.state, file.sha256, file.size_bytes, file.landed = "landed", ref.sha256, ref.size, index.sha256
            file.records, file.left_out = landed.records, landed.left_out_total
            if leave_out_copies(session, ref.sha256) is file:
                moved_on(session)
            return []

        await self.sessions.change(session_id, keep)
        emit(FILE_LANDED, session_id=session_id, file_id=file_id, records=landed.records, size_bytes=ref.size)

    async def _reject(self, session_id: str, file_id: str, error: HubError) -> None:
        def reject(session: Session) -> list[Outgoing] | None:
            file = session.file(file_id)
            if file is None or file.state != "landing":
                return None
            file.state, file.error, file.next_step = "rejected", error.message, error.next_step
            return []

        await self.sessions.change(session_id, reject)
        emit(FILE_REJECTED, session_id=session_id, file_id=file_id, reason_code=error.code)
