"""Approving a mapping while somebody else does it too, or changes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.mapper.mappings import Mappings
from services.mapper.memory_store import MappingMemory
from shared.catalog import load_catalog
from shared.errors import ConflictError
from shared.messages import topics
from shared.messages.mapping import FileMapping, MappingDocument
from shared.runtime import Runtime
from shared.runtime.outbox import Outbox
from shared.storage.files import DirectoryFiles
from tests.support.stores import open_documents
from tests.unit.ingest.machine import Sent
from tests.unit.mapper.builders import field, record

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


# ---- reset ----------------------------------------------------------------------------------------------------


async def proposal_after(desk: Desk, label: str) -> None:
    """Somebody changes the mapping by hand; then the same files are analysed again and proposed for otherwise."""
    await desk.mappings.replace("main", "s1", "ann", MappingDocument(source_label="by hand", files=()))
    await desk.mappings.propose("main", "s1", 1, MappingDocument(source_label=label, files=()), "again")


async def test_a_new_proposal_leaves_what_a_person_has_changed(desk: Desk) -> None:
    await proposal_after(desk, "second")

    assert (await desk.mappings.view("main", "s1")).mapping.source_label == "by hand"


async def test_a_reset_brings_the_latest_proposal_even_where_the_mapping_was_changed_before_it(desk: Desk) -> None:
    await proposal_after(desk, "second")

    await desk.mappings.reset("main", "s1", "ann")

    assert (await desk.mappings.view("main", "s1")).mapping.source_label == "second"


async def test_where_no_proposal_is_kept_the_same_analysis_makes_a_new_one(desk: Desk) -> None:
    await desk.mappings.propose("main", "s1", 1, FIRST, "analysis")
    await proposal_after(desk, "second")
    stored = await desk.mappings._stored("main", "s1")
    document = await desk.mappings._document("main", "s1")
    stored.proposed, stored.versions = "", stored.versions[-1:]
    await desk.mappings._put(stored, document, [])

    with pytest.raises(ConflictError, match="no longer kept"):
        await desk.mappings.reset("main", "s1", "ann")
    assert await desk.mappings.proposed_before("main", "s1", 1, stored.latest.analysis) is None


# ---- left out -------------------------------------------------------------------------------------------------

JOBS, CLIENTS = (
    FileMapping(
        file=name,
        sha256=letter * 64,
        headers=("A", "B"),
        records=(record(entity, field(main, 0)),),
        entity_confidence=0.98,
        reasons=("Mapped as in your approved mapping.",),
    )
    for name, letter, entity, main in (
        ("jobs_2023.csv", "a", "jobs", "title"),
        ("clients.csv", "b", "customers", "name"),
    )
)
BOTH = MappingDocument(files=(JOBS, CLIENTS))
JOBS_OUT = JOBS.model_copy(update={"records": ()})


async def learned_from(desk: Desk, *given: MappingDocument) -> list[tuple[str, str | None]]:
    """(file, entity type) of what an approval teaches after these mappings by hand."""
    desk.mappings.memory = MappingMemory(desk.mappings.documents, lambda: 1.0)
    await desk.mappings.propose("main", "s1", 2, BOTH)
    for document in given:
        await desk.mappings.replace("main", "s1", "ann", document)
    await desk.mappings.approve("main", "s1", "ann")
    return [(one.file, one.entity) for one in (await desk.mappings.memory.of_account("main")).entries]


async def left_out_jobs(desk: Desk) -> FileMapping:
    return (await desk.mappings.view("main", "s1")).mapping.files[0]


async def test_a_file_that_a_mapping_by_hand_does_not_name_is_left_out_this_once(desk: Desk) -> None:
    partial = MappingDocument(files=(CLIENTS,))

    learned = await learned_from(desk, partial)

    found = await left_out_jobs(desk)
    assert learned == [("clients.csv", "customers")]
    assert (found.records, found.entity_confidence) == ((), 1.0)
    assert found.reasons == ("The mapping given for this session does not name it, so it is left out.",)


async def test_naming_it_without_records_later_is_no_choice_either(desk: Desk) -> None:
    learned = await learned_from(
        desk, MappingDocument(files=(CLIENTS,)), MappingDocument(files=(JOBS_OUT, CLIENTS), source_label="mine")
    )

    assert learned == [("clients.csv", "customers")]


async def test_a_file_that_a_mapping_by_hand_takes_out_is_left_out_by_choice(desk: Desk) -> None:
    taken_out = MappingDocument(files=(JOBS_OUT, CLIENTS))

    learned = await learned_from(desk, taken_out, taken_out.model_copy(update={"source_label": "mine"}))

    assert sorted(learned) == [("clients.csv", "customers"), ("jobs_2023.csv", None)]
    assert (await left_out_jobs(desk)).reasons == ("Left out in the mapping given for this session.",)


async def test_a_file_that_was_taken_out_and_is_named_again_is_mapped(desk: Desk) -> None:
    learned = await learned_from(desk, MappingDocument(files=(JOBS_OUT, CLIENTS)), BOTH)

    assert sorted(learned) == [("clients.csv", "customers"), ("jobs_2023.csv", "jobs")]


async def test_a_file_whose_entity_type_was_set_to_none_is_left_out_by_choice(desk: Desk) -> None:
    desk.mappings.memory = MappingMemory(desk.mappings.documents, lambda: 1.0)
    seen = {
        "file": "jobs_2023.csv",
        "sha256": "a" * 64,
        "entity": "jobs",
        "columns": [{"type": "id"}, {"type": "text"}],
    }
    analysis = msgspec.msgpack.encode({"detections": [seen], "entities": {"jobs_2023.csv": None}})
    address = (await desk.mappings.files.put_bytes(analysis)).sha256
    await desk.mappings.propose("main", "s1", 2, MappingDocument(files=(JOBS_OUT,)), address)

    await desk.mappings.approve("main", "s1", "ann")

    [entry] = (await desk.mappings.memory.of_account("main")).entries
    assert (entry.file, entry.entity) == ("jobs_2023.csv", None)
