"""HTTP of loader: the hub's records, page by page or as one download."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from services.loader.audit import AuditDocument, document_of
from services.loader.exporting import columns_of, export_records, to_csv, to_jsonl
from shared.catalog import Catalog, EntityType
from shared.connectors.destination import DecisionKey
from shared.errors import NotFoundError
from shared.http.auth import Viewer
from shared.http.pagination import Page, Paging, decode_cursor, encode_cursor
from shared.storage.records import RecordStore

_PAGE_RECORDS = 1_000


def make_router(records: RecordStore, catalog: Catalog) -> APIRouter:
    """The routes over this store."""
    router = APIRouter(tags=["records"])

    def known(entity: str) -> EntityType:
        if entity not in catalog:
            raise NotFoundError(
                f"There is no entity type {entity!r}.", next_step=f"Known are: {', '.join(catalog.entities)}."
            )
        return catalog[entity]

    @router.get("/records/{entity}")
    async def list_records(principal: Viewer, entity: str, paging: Paging) -> Page[dict[str, Any]]:
        """Records of one entity type, oldest first."""
        kind = known(entity)
        after = int(decode_cursor(paging.cursor, int)[0]) if paging.cursor else 0
        page = await records.page(principal.account, entity, after, paging.limit)
        items = await export_records(records, kind, page)
        cursor = encode_cursor(page[-1][1].id) if len(page) == paging.limit else None
        return Page(items=items, next_cursor=cursor)

    @router.get("/exports/{entity}", response_class=StreamingResponse)
    async def export(
        principal: Viewer, entity: str, format: Annotated[Literal["jsonl", "csv"], Query()] = "jsonl"
    ) -> StreamingResponse:
        """All records of one entity type as JSON lines or CSV."""
        kind = known(entity)
        media_type = "text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson"
        return StreamingResponse(_all(records, principal.account, kind, format), media_type=media_type)

    @router.get("/sessions/{session_id}/runs/{run_id}/audit")
    async def audit(principal: Viewer, session_id: str, run_id: int, paging: Paging) -> Page[AuditDocument]:
        """What was done in a run, decision by decision: who, when, and which records were not created."""
        ranges = [s for s in await records.streams(principal.account) if (s.run, s.session) == (run_id, session_id)]
        if not ranges:
            raise NotFoundError(f"The session has no sealed run {run_id}.")
        after = DecisionKey(run_id, *decode_cursor(paging.cursor, int, int, str)) if paging.cursor else None  # type: ignore[arg-type]
        found = await records.audits(run_id, after, paging.limit)
        cursor = encode_cursor(*found[-1][0][1:]) if len(found) == paging.limit else None
        return Page(items=[document_of(key, body) for key, body in found if body], next_cursor=cursor)

    return router


async def _all(records: RecordStore, account: str, entity: EntityType, format: str) -> AsyncIterator[str]:
    columns = columns_of(entity)
    after, is_first = 0, True
    while True:
        page = await records.page(account, entity.name, after, _PAGE_RECORDS)
        found = await export_records(records, entity, page)
        yield to_csv(columns, found, header=is_first) if format == "csv" else to_jsonl(found)
        if len(page) < _PAGE_RECORDS:
            return
        after, is_first = page[-1][1].id, False
