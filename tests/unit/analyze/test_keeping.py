"""The newest analysis of a session stays, whichever process was the last to store its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from services.analyze.handlers import AnalyzeHandlers
from services.analyze.model import ANALYSES, StoredAnalysis
from shared.messages.control import SessionSampled
from shared.runtime import WorkerPool
from shared.storage.files import DirectoryFiles
from tests.support.stores import open_documents


def sampled(version: int) -> SessionSampled:
    return SessionSampled(account="main", session="s1", version=version, sample="aa")


async def test_an_older_analysis_that_is_stored_at_the_same_moment_does_not_replace_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_documents(tmp_path, lambda: 1.0) as documents:
        handlers = AnalyzeHandlers(documents, DirectoryFiles(tmp_path / "files"), cast(WorkerPool, None))
        await handlers._keep(sampled(1), "first")
        put = documents.put

        async def overtaken(*arguments: Any, **more: Any) -> int:
            monkeypatch.undo()
            await handlers._keep(sampled(3), "newest")
            return await put(*arguments, **more)

        monkeypatch.setattr(documents, "put", overtaken)
        await handlers._keep(sampled(2), "late")

        kept = await documents.get(ANALYSES, "s1")

    assert kept is not None
    assert StoredAnalysis.model_validate_json(kept.body).analysis == "newest"
