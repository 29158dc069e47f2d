"""HTTP of ingest: sessions, their files, and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.model import RUNS, SESSIONS, AuditLine, Run, Session, SessionFile, SessionOptions
from services.ingest.runs import Runs
from services.ingest.sessions import Sessions
from services.ingest.starting import RunStarter
from shared.connectors.delimited import read_span
from shared.errors import BadInputError, NotAllowedError, NotFoundError
from shared.http.auth import Admin, Viewer
from shared.http.bodies import upload_chunks
from shared.http.idempotency import Answer
from shared.http.pagination import Page, Paging
from shared.messages.control import ENDED, RunState
from shared.messages.landing import LandedFile
from shared.security.principal import LOCAL_TOKEN_ID, Principal

_PREVIEW_ROWS = 20


class NewSession(BaseModel):
    """What a session may be made with; everything can be left out."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=200)
    options: SessionOptions = SessionOptions()
    paths: list[str] = Field(default_factory=list, max_length=1_000)
    """Local files the session is about, kept so that a resume can land them (command line only)."""


class FileView(BaseModel):
    """One file of a session."""

    id: str
    name: str
    state: str
    sha256: str | None
    size_bytes: int
    bytes_read: int
    records: int
    left_out: int
    duplicate_of: str | None
    error: str | None
    next_step: str | None


class SessionView(BaseModel):
    """A session as clients see it."""

    id: str
    name: str
    created_at: float
    created_by: str
    version: int
    options: SessionOptions
    paths: list[str]
    files: list[FileView]
    sampled_version: int
    mapping_approved: bool
    mapping_version: int | None
    """Number of the approved mapping."""
    runs: list[int]
    audit: list[AuditLine]


class LocalFile(BaseModel):
    """A file on the hub's own machine (only for the command line that works on its data directory)."""

    model_config = ConfigDict(extra="forbid")
    path: str


class NewRun(BaseModel):
    """Which run to start. `failed_of`: repeat only the batches that failed in that run."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["preflight", "import"] = "import"
    failed_of: int | None = None


class RunView(BaseModel):
    """A run as clients see it. Counts and progress are at `/progress`, owned by status."""

    run: int
    session: str
    kind: str
    state: RunState
    step: str
    paused: bool
    closed: bool
    started_at: float
    ended_at: float | None
    actor: str
    failure: str | None


class Preview(BaseModel):
    """The first rows of a file as the hub reads it."""

    encoding: str
    delimiter: str
    header_line: int | None
    headers: list[str]
    rows: list[dict[str, Any]]
    notes: list[str]


class UnreadableRow(BaseModel):
    """A row that is no record, and why."""

    line: int
    reason: str


def make_router(sessions: Sessions, runs: Runs, starter: RunStarter) -> APIRouter:
    """The routes over these parts."""
    router = APIRouter(tags=["sessions"])

    @router.post("/sessions", status_code=201, response_model=SessionView)
    async def create_session(request: Request, principal: Admin, body: NewSession) -> Response:
        """Makes a session; it is saved from now on."""
        if body.paths:
            _local_only(principal)

        async def make(key: str | None) -> Answer:
            session = await sessions.create(
                principal.account, principal.name, name=body.name, options=body.options, paths=body.paths, key=key
            )
            return _created(_session_view(session), f"/api/v1/sessions/{session.id}")

        return await _once(request, principal, make)

    @router.get("/sessions")
    async def list_sessions(principal: Viewer, paging: Paging) -> Page[SessionView]:
        """Sessions of the account, newest first."""
        page = await sessions.documents.find(
            SESSIONS, account=principal.account, newest_first=True, after=paging.cursor, limit=paging.limit
        )
        items = [_session_view(Session.model_validate_json(document.body)) for document in page.documents]
        return Page(items=items, next_cursor=page.cursor)

    @router.get("/sessions/{session_id}")
    async def get_session(principal: Viewer, session_id: str) -> SessionView:
        """One session with its files; files being read show how far."""
        return _session_view(await sessions.get(principal.account, session_id))

    @router.post("/sessions/{session_id}/files", status_code=202, response_model=FileView)
    async def add_file(
        request: Request,
        principal: Admin,
        session_id: str,
        name: Annotated[str, Query(min_length=1, max_length=255)] = "upload.csv",
    ) -> Response:
        """Adds a file: its bytes as the body and its name as ?name=. It is read in the background."""

        def added(file: SessionFile) -> Answer:
            return _created(_file_view(file), f"/api/v1/sessions/{session_id}", status=202)

        await sessions.get(principal.account, session_id)
        if request.headers.get("content-type", "").startswith("application/vnd.hub.local-file+json"):
            _local_only(principal)
            local = msgspec.json.decode(await request.body(), type=dict[str, str])
            path = Path(LocalFile.model_validate(local).path)

            async def make(key: str | None) -> Answer:
                return added(await sessions.add_path(principal.account, principal.name, session_id, path, key=key))

            return await _once(request, principal, make)
        base, bytes_max = _base_name(name), request.app.state.settings.upload_bytes_max
        ref = await sessions.files.put_stream(upload_chunks(request), bytes_max=bytes_max)

        async def make_upload(key: str | None) -> Answer:
            file = await sessions.add_upload(principal.account, principal.name, session_id, base, ref, key=key)
            return added(file)

        return await _once(request, principal, make_upload, content=f"{base}\n{ref.sha256}".encode())

    @router.get("/sessions/{session_id}/files")
    async def list_files(principal: Viewer, session_id: str) -> list[FileView]:
        """The session's files in the order they came."""
        return [_file_view(file) for file in (await sessions.get(principal.account, session_id)).files]

    @router.delete("/sessions/{session_id}/files/{file_id}", status_code=204)
    async def remove_file(principal: Admin, session_id: str, file_id: str) -> None:
        """Takes a file out of the session; an approved mapping is void then."""
        await sessions.remove(principal.account, principal.name, session_id, file_id)

    @router.get("/sessions/{session_id}/files/{file_id}/preview")
    async def preview(principal: Viewer, session_id: str, file_id: str) -> Preview:
        """The first rows as the hub reads them."""
        file, landed = await _landed(principal, session_id, file_id)
        rows: list[dict[str, Any]] = []
        if landed.spans:
            path = await sessions.files.local_path(file.sha256 or "")
            rows = [
                {"line": row.line, "cells": row.cells}
                for row in read_span(path, landed.reading, landed.spans[0])[:_PREVIEW_ROWS]
            ]
        reading = landed.reading
        return Preview(
            encoding=reading.encoding,
            delimiter=reading.delimiter,
            header_line=reading.header_line,
            headers=list(reading.headers),
            rows=rows,
            notes=list(landed.notes),
        )

    @router.get("/sessions/{session_id}/files/{file_id}/unreadable")
    async def unreadable(principal: Viewer, session_id: str, file_id: str) -> list[UnreadableRow]:
        """The first 1,000 rows that are no records, with the reason."""
        _, landed = await _landed(principal, session_id, file_id)
        return [UnreadableRow(line=row.line, reason=row.reason) for row in landed.left_out]

    async def _landed(principal: Principal, session_id: str, file_id: str) -> tuple[SessionFile, LandedFile]:
        file = (await sessions.get(principal.account, session_id)).file(file_id)
        if file is None or file.landed is None:
            raise NotFoundError(f"The session has no readable file {file_id}.")
        return file, msgspec.msgpack.decode(await sessions.files.read(file.landed), type=LandedFile)

    @router.post("/sessions/{session_id}/analysis", status_code=202)
    async def analyse(principal: Admin, session_id: str) -> SessionView:
        """Looks at the files: what each one holds and how its columns map. Follow it at `/analysis` and `/mapping`."""
        return _session_view(await sessions.analyse(principal.account, principal.name, session_id))

    @router.post("/sessions/{session_id}/runs", status_code=202, response_model=RunView)
    async def start_run(request: Request, principal: Admin, session_id: str, body: NewRun) -> Response:
        """Starts a run in the background. 409 while another import runs in the account."""

        async def make(key: str | None) -> Answer:
            run = await starter.start(
                principal.account, principal.name, session_id, kind=body.kind, failed_of=body.failed_of, key=key
            )
            return _created(_run_view(run), f"/api/v1/sessions/{session_id}/runs/{run.run}/progress", status=202)

        return await _once(request, principal, make)

    @router.get("/sessions/{session_id}/runs")
    async def list_runs(principal: Viewer, session_id: str) -> list[RunView]:
        """The session's runs, oldest first."""
        session = await sessions.get(principal.account, session_id)
        return [_run_view(await runs.get(run, account=principal.account)) for run in session.runs]

    @router.get("/runs")
    async def active_runs(principal: Viewer, state: Literal["active", "all"] = "active") -> list[RunView]:
        """Runs of the account: the one that holds it, or the latest hundred."""
        page = await runs.documents.find(RUNS, account=principal.account, newest_first=True, limit=100)
        found = [Run.model_validate_json(document.body) for document in page.documents]
        running = await runs.running(principal.account)
        return [_run_view(run) for run in found if state == "all" or run.run == running]

    @router.get("/sessions/{session_id}/runs/{run_id}")
    async def get_run(principal: Viewer, session_id: str, run_id: int) -> RunView:
        """One run."""
        return _run_view(await _run(principal, session_id, run_id))

    @router.post("/sessions/{session_id}/runs/{run_id}/{action}", status_code=202)
    async def control(
        principal: Admin, session_id: str, run_id: int, action: Literal["pause", "resume", "cancel"]
    ) -> RunView:
        """Pauses or cancels a run, or goes on with it after a pause or a crash."""
        run = await _run(principal, session_id, run_id)
        if action == "resume" and run.state not in ENDED:
            await runs.start(run_id)  # one that was made and not started before a crash
        await {"pause": runs.pause, "resume": runs.resume, "cancel": runs.cancel}[action](run_id)
        return _run_view(await runs.get(run_id))

    async def _run(principal: Principal, session_id: str, run_id: int) -> Run:
        run = await runs.get(run_id, account=principal.account)
        if run.session != session_id:
            raise NotFoundError(f"The session has no run {run_id}.")
        return run

    return router


async def _once(request: Request, principal: Principal, make: Any, *, content: bytes | None = None) -> Response:
    response: Response = await request.app.state.idempotency.answer(request, principal, make, content=content)
    return response


def _created(view: BaseModel, location: str, *, status: int = 201) -> Answer:
    headers = {"Location": location, "Content-Type": "application/json"}
    return Answer(status, view.model_dump_json().encode(), headers)


def _local_only(principal: Principal) -> None:
    if principal.token_id != LOCAL_TOKEN_ID:
        raise NotAllowedError(
            "Only the command line on the hub's own data directory may name local files.",
            next_step="Upload the file's bytes instead.",
        )


def _base_name(name: str) -> str:
    base = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not base or base in {".", ".."}:
        raise BadInputError(f"{name!r} is no file name.", next_step="Give the file's name as ?name=clients.csv.")
    return base


def _file_view(file: SessionFile) -> FileView:
    return FileView(**file.model_dump(include=set(FileView.model_fields)))


def _session_view(session: Session) -> SessionView:
    apart = {"files", "options", "audit", "mapping_version"}
    fields = session.model_dump(include=set(SessionView.model_fields) - apart)
    return SessionView(
        **fields,
        options=session.options,
        audit=session.audit,
        files=[_file_view(file) for file in session.files],
        mapping_approved=session.mapping is not None,
        mapping_version=session.mapping.mapping_version if session.mapping else None,
    )


def _run_view(run: Run) -> RunView:
    fields = run.model_dump(include=set(RunView.model_fields) - {"step", "closed"})
    return RunView(**fields, step=run.step_name, closed=run.freed)
