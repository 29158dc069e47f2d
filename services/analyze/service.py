"""What analyze is made of."""

from __future__ import annotations

from services.analyze.api import make_router
from services.analyze.handlers import AnalyzeHandlers
from shared.messages.topics import SESSION_SAMPLED, consumer_group
from shared.runtime import Route, Service, WorkerPool
from shared.storage.documents import Documents
from shared.storage.files import Files

NAME = "analyze"


def make_analyze(*, documents: Documents, files: Files, workers: WorkerPool) -> Service:
    """Analyze over its stores."""
    handlers = AnalyzeHandlers(documents=documents, files=files, workers=workers)
    return Service(
        name=NAME,
        routes=[Route(SESSION_SAMPLED, handlers.sampled, consumer_group(NAME, SESSION_SAMPLED))],
        router=make_router(documents, files),
    )
