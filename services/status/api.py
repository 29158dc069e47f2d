"""HTTP of status: progress of runs, live and by polling; report, problems and error file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.status.counting import Tally
from services.status.error_file import ErrorFiles
from services.status.progress import Progress, RunProgress
from services.status.repeats import RunPart, merged, parts_of
from services.status.report import Report, make_report
from shared.errors import NotFoundError
from shared.http.auth import Viewer
from shared.http.etag import answer_with_etag
from shared.http.events import event_response, last_event_id
from shared.http.pagination import Page, Paging, decode_cursor, encode_cursor
from shared.messages.control import RunChanged
from shared.security.principal import Principal

Severity = Literal["error", "skipped", "warning"]
_RUNS_END = 1 << 21  # run numbers are below it (see `shared.messages.plan`); larger ones do not fit every store
_ALL: frozenset[str] = frozenset({"error", "skipped", "warning"})


def make_router(progress: Progress, error_files: ErrorFiles) -> APIRouter:
    """The routes over these parts."""
    router = APIRouter(tags=["runs"])

    async def state_of(principal: Principal, session_id: str, run_id: int) -> RunChanged:
        state = await progress.state(run_id) if run_id < _RUNS_END else None
        if state is None or state.account != principal.account or state.session != session_id:
            raise NotFoundError(f"The session has no run {run_id}.", next_step="List the session's runs.")
        return state

    async def parts_for(state: RunChanged) -> list[RunPart]:
        known = [RunChanged.model_validate_json(b) for b in await progress.store.runs_of(state.account, state.session)]
        return parts_of([(run, await progress.plan(run.plan)) for run in known if run.run <= state.run])

    @router.get("/sessions/{session_id}/runs/{run_id}/progress", response_model=RunProgress)
    async def get_progress(request: Request, principal: Viewer, session_id: str, run_id: int) -> Response:
        """Where the run stands. Ask with If-None-Match: 304 while nothing has changed."""
        view = await progress.view(await state_of(principal, session_id, run_id))
        stable = view.model_dump_json(exclude={"updated_at"}).encode()
        return answer_with_etag(request, stable)

    @router.get("/sessions/{session_id}/events", response_class=StreamingResponse)
    async def events(request: Request, principal: Viewer, session_id: str) -> StreamingResponse:
        """Server-sent events of the session: run.progress, run.state, session.updated; whole states, resumable."""
        return event_response(progress.follow(principal.account, session_id, last_event_id(request)))

    @router.get("/sessions/{session_id}/runs/{run_id}/report")
    async def report(principal: Viewer, session_id: str, run_id: int) -> Report:
        """The reconciliation report: records, references and money, source against destination.

        A run that repeats failed batches reports on the whole session: the latest outcome of each batch counts.
        """
        state = await state_of(principal, session_id, run_id)
        parts = await parts_for(state)
        outcomes = {part.state.run: await progress.store.outcomes(part.state.run) for part in parts}
        whole = parts[-1].plan
        tally = Tally(whole, state.kind, progress.catalog)
        tally.add(merged(parts, outcomes, progress.catalog))
        return make_report(state, whole, tally.totals(), progress.catalog)

    @router.get("/sessions/{session_id}/runs/{run_id}/problems")
    async def problems(
        principal: Viewer,
        session_id: str,
        run_id: int,
        paging: Paging,
        severity: Annotated[list[Severity] | None, Query()] = None,
    ) -> Page[dict[str, Any]]:
        """What there is to say about single records, in source order. A page ends with a batch, so it may be longer."""
        state = await state_of(principal, session_id, run_id)
        parts = await parts_for(state)
        after = int(decode_cursor(paging.cursor, int)[0]) if paging.cursor else -1
        items: list[dict[str, Any]] = []
        async for batch, file, found in error_files.problems(parts, after=after, severities=_chosen(severity)):
            items += [{"file": file.name, **msgspec.to_builtins(problem)} for problem in found]
            if len(items) >= paging.limit:
                return Page(items=items, next_cursor=encode_cursor(batch))
        return Page(items=items, next_cursor=None)

    @router.get("/sessions/{session_id}/runs/{run_id}/error-file", response_class=StreamingResponse)
    async def error_file(
        principal: Viewer,
        session_id: str,
        run_id: int,
        file: str | None = None,
        severity: Annotated[list[Severity] | None, Query()] = None,
    ) -> StreamingResponse:
        """Rows with problems as CSV: the source's own columns and the reason; `file` chooses one source file."""
        state = await state_of(principal, session_id, run_id)
        content = error_files.write(await parts_for(state), file=file, severities=_chosen(severity))
        return StreamingResponse(content, media_type="text/csv; charset=utf-8")

    return router


def _chosen(severity: list[Severity] | None) -> frozenset[str]:
    return frozenset(severity) if severity else _ALL
