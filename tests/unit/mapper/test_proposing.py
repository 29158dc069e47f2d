"""From `entity detected` to a proposal: memory and language model take part, a repeat is answered from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from services.analyze.entity_detection import detect
from services.mapper.handlers import MapperHandlers
from services.mapper.language_model import LanguageModel
from services.mapper.mappings import Mappings
from services.mapper.memory_store import MappingMemory
from services.mapper.model import MappingView
from shared.catalog import load_catalog
from shared.errors import RetryableError
from shared.messages import topics
from shared.messages.analysis import Analysis, SampledFile
from shared.messages.control import EntitiesDetected
from shared.messages.envelope import Delivery, Outgoing
from shared.messages.mapping import MappingDocument
from shared.runtime import Runtime, WorkerPool
from shared.runtime.outbox import Outbox
from shared.storage.files import DirectoryFiles
from tests.support.chat_stub import Reply, chat_stub, maps
from tests.support.sampled import sampled
from tests.support.stores import open_documents
from tests.support.workers import InProcessWorkers
from tests.unit.ingest.machine import Sent

CLIENTS = sampled(
    "clients.csv",
    ["Client Name", "Xq77", "Email", "Phone"],
    ["Ann Smith", "blue", "ann@example.com", "(602) 555-0101"],
    ["Bob Hill", "green", "bob@example.com", "(602) 555-0102"],
    ["Cy Jones", "red", "cy@example.com", "(602) 555-0103"],
)
MOVED = sampled(
    "clients 2.csv",
    ["Phone", "Email", "Xq77", "Client Name"],
    ["(602) 555-0104", "di@example.com", "grey", "Di Hill"],
    ["(602) 555-0105", "ed@example.com", "pink", "Ed Hill"],
)


@dataclass
class Desk:
    """Mapper's handlers over real stores, with workers in this process."""

    handlers: MapperHandlers
    mappings: Mappings
    files: DirectoryFiles
    workers: InProcessWorkers

    async def detected(self, session: str, *files: SampledFile, version: int = 1) -> Sequence[Outgoing]:
        """What is sent when the files of a session were understood."""
        analysis = Analysis(
            detections=tuple(detect(list(files))), entities={}, source_label=None, region="US", strict=False
        )
        ref = await self.files.put_bytes(msgspec.msgpack.encode(analysis))
        message = EntitiesDetected(account="main", session=session, version=version, analysis=ref.sha256, files=[])
        return await self.handlers.detected(cast(Delivery, _Delivery(message)))

    async def view(self, session: str) -> MappingView:
        return await self.mappings.view("main", session)

    async def fields(self, session: str) -> dict[str, str | None]:
        """Field -> header of the first file."""
        mapping = (await self.view(session)).mapping
        return {field.field: field.header for field in mapping.files[0].records[0].fields}

    async def change(self, session: str, before: str, after: str) -> None:
        """Gives the session's mapping with one text in the place of another."""
        text = (await self.view(session)).mapping.model_dump_json()
        assert before in text
        changed = MappingDocument.model_validate_json(text.replace(before, after))
        await self.mappings.replace("main", session, "ann", changed)


@dataclass
class _Delivery:
    message: Any


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_documents(tmp_path, lambda: 1.0) as documents:
        files = DirectoryFiles(tmp_path / "files")
        memory = MappingMemory(documents, lambda: 1_760_000_000.0)
        outbox = Outbox(documents, cast(Runtime, Sent()))
        mappings = Mappings(documents, outbox, files, load_catalog(), memory)
        workers = InProcessWorkers()
        handlers = MapperHandlers(mappings, files, cast(WorkerPool, workers), memory)
        yield Desk(handlers, mappings, files, workers)


async def test_an_approved_change_is_proposed_for_the_next_file_of_that_shape(desk: Desk) -> None:
    await desk.detected("s1", CLIENTS)
    await desk.change("s1", '"field":"phone"', '"field":"mobile_phone"')
    await desk.mappings.approve("main", "s1", "ann")

    await desk.detected("s2", MOVED)

    assert (await desk.fields("s2"))["mobile_phone"] == "Phone"
    assert "approved mapping of 9 Oct 2025" in (await desk.view("s2")).mapping.files[0].reasons[0]


async def test_a_proposal_nobody_approved_teaches_nothing(desk: Desk) -> None:
    await desk.detected("s1", CLIENTS)
    await desk.change("s1", '"field":"phone"', '"field":"mobile_phone"')

    await desk.detected("s2", MOVED)

    assert (await desk.fields("s2"))["phone"] == "Phone"


async def test_a_repeat_after_the_approval_adds_no_version_that_nobody_approved(desk: Desk) -> None:
    first = await desk.detected("s1", CLIENTS)
    await desk.mappings.approve("main", "s1", "ann")

    again = await desk.detected("s1", CLIENTS)

    view = await desk.view("s1")
    assert (view.number, view.approved) == (1, True)
    assert [message.message for message in again] == [message.message for message in first]
    assert desk.workers.calls == ["services.mapper.proposal_work:propose_mapping"]


async def test_other_files_of_the_session_are_proposed_anew(desk: Desk) -> None:
    await desk.detected("s1", CLIENTS)

    [message] = await desk.detected("s1", CLIENTS, MOVED, version=2)

    assert message.topic is topics.MAPPING_PROPOSED
    assert (await desk.view("s1")).number == 2


async def test_a_late_detection_of_older_files_says_nothing(desk: Desk) -> None:
    await desk.detected("s1", CLIENTS, MOVED, version=2)

    assert await desk.detected("s1", CLIENTS, version=1) == []


async def test_an_approval_stands_where_it_cannot_be_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, **__: object) -> int:
        raise RetryableError("The store is away.")

    await desk.detected("s1", CLIENTS)
    monkeypatch.setattr(desk.mappings.memory, "learn", fails)

    await desk.mappings.approve("main", "s1", "ann")

    assert (await desk.view("s1")).approved


# ---- apply preset ---------------------------------------------------------------------------------------------


async def test_reset_makes_the_proposal_the_mapping_again(desk: Desk) -> None:
    await desk.detected("s1", CLIENTS)
    proposal = (await desk.view("s1")).mapping
    await desk.change("s1", '"field":"phone"', '"field":"mobile_phone"')

    await desk.mappings.reset("main", "s1", "ben")

    view = await desk.view("s1")
    assert (view.mapping, view.number, view.made_by, view.approved) == (proposal, 3, "ben", False)


async def test_reset_of_an_unchanged_proposal_changes_nothing(desk: Desk) -> None:
    await desk.detected("s1", CLIENTS)
    await desk.mappings.approve("main", "s1", "ann")

    await desk.mappings.reset("main", "s1", "ben")

    view = await desk.view("s1")
    assert (view.number, view.approved) == (1, True)


# ---- the language model ---------------------------------------------------------------------------------------


async def test_a_language_model_is_one_more_witness_for_the_leftovers(desk: Desk) -> None:
    with chat_stub(maps(c1="lead_source")) as stub:
        desk.handlers.language_model = LanguageModel(url=stub.url, model="stub-7b", confidence_below=0.95)
        await desk.detected("s1", CLIENTS)

    fields = await desk.fields("s1")
    assert (fields["lead_source"], fields["email"]) == ("Xq77", "Email")
    assert "Ax99" in [column["header"] for column in stub.questions()[0]["columns"]]


async def test_a_language_model_that_fails_leaves_the_proposal_as_it_is(desk: Desk) -> None:
    with chat_stub(Reply(status=503)) as stub:
        desk.handlers.language_model = LanguageModel(url=stub.url, model="stub-7b")
        await desk.detected("s1", CLIENTS)
    desk.handlers.language_model = None
    await desk.detected("s2", CLIENTS)

    assert (await desk.view("s1")).mapping == (await desk.view("s2")).mapping
