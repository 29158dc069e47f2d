"""What analyze keeps: the newest analysis of each session."""

from __future__ import annotations

from pydantic import BaseModel

ANALYSES = "analyze.analyses"


class StoredAnalysis(BaseModel):
    """Where the analysis of a session's files lies, and to which version of the files it belongs."""

    session: str
    version: int
    analysis: str
