"""HTTP of analyze: what each file of a session holds, and what its columns look like."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from services.analyze.model import ANALYSES, StoredAnalysis
from shared.errors import NotFoundError
from shared.http.auth import Viewer
from shared.messages.analysis import Analysis
from shared.storage.documents import Documents
from shared.storage.files import Files


class AnalysisView(BaseModel):
    """The analysis of a session. `files` are Detection objects (see the JSON schema of the analysis)."""

    session: str
    version: int
    files: list[dict[str, Any]]


def make_router(documents: Documents, files: Files) -> APIRouter:
    """The routes over these stores."""
    router = APIRouter(tags=["analysis"])

    @router.get("/sessions/{session_id}/analysis")
    async def get_analysis(principal: Viewer, session_id: str) -> AnalysisView:
        """What each file holds, with confidence, alternatives, reasons and column profiles."""
        document = await documents.get(ANALYSES, session_id, account=principal.account)
        if document is None:
            raise NotFoundError(
                f"Session {session_id} is not analysed yet.", next_step="Ask for the analysis, then look again."
            )
        stored = StoredAnalysis.model_validate_json(document.body)
        analysis = msgspec.msgpack.decode(await files.read(stored.analysis), type=Analysis)
        return AnalysisView(
            session=session_id, version=stored.version, files=[msgspec.to_builtins(d) for d in analysis.detections]
        )

    return router
