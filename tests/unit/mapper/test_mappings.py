"""Approving a mapping while somebody else does it too, or changes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from services.mapper.mappings import Mappings
from shared.catalog import load_catalog
from shared.errors import ConflictError
from shared.messages import topics
from shared.messages.mapping import MappingDocument
from shared.runtime import Runtime
from shared.runtime.outbox import Outbox
from shared.storage.files import DirectoryFiles
from tests.support.stores import open_documents
from tests.unit.ingest.machine import Sent

FIRST, SECOND = (MappingDocument(source_label=label, files=()) for label in ("first", "second"))


@dataclass
class Desk:
    """The mappings of a session, of which something happens just before the next one is stored."""

    mappings: Mappings
    sent: Sent
    monkeypatch: pytest.MonkeyPatch

    def meanwhile(self, happens: Callable[[], Awaitable[object]]) -> None:
        documents = self.mappings.documents
        put = documents.put

        async def overtaken(*arguments: Any, **more: Any) -> int:
            self.monkeypatch.undo()
            await happens()
            return await put(*arguments, **more)

        self.monkeypatch.setattr(documents, "put", overtaken)

    def approved(self) -> list[int]:
        """Versions of the session's files whose mapping was announced as approved."""
        return [m.message.version for m in self.sent.take() if m.topic is topics.MAPPING_APPROVED]


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with open_documents(tmp_path, lambda: 1.0) as documents:
        sent = Sent()
        outbox = Outbox(documents, cast(Runtime, sent))
        mappings = Mappings(documents, outbox, DirectoryFiles(tmp_path / "files"), load_catalog())
        await mappings.propose("main", "s1", 1, FIRST)
        yield Desk(mappings, sent, monkeypatch)


async def test_two_who_approve_the_same_version_at_once_both_succeed(desk: Desk) -> None:
    desk.meanwhile(lambda: desk.mappings.approve("main", "s1", "ben"))

    await desk.mappings.approve("main", "s1", "ann")

    assert (await desk.mappings.view("main", "s1")).approved
    assert desk.approved() == [1, 1]


async def test_a_version_that_comes_while_another_one_is_approved_is_not_approved_unseen(desk: Desk) -> None:
    desk.meanwhile(lambda: desk.mappings.propose("main", "s1", 2, SECOND))

    with pytest.raises(ConflictError, match="changed while it was approved"):
        await desk.mappings.approve("main", "s1", "ann")

    view = await desk.mappings.view("main", "s1")
    assert (view.approved, view.session_version, desk.approved()) == (False, 2, [])
