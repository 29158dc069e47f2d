"""The run machine with its real stores, and a stand-in for the services that answer what it sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from services.ingest.model import Run
from services.ingest.planning import steps_of
from services.ingest.runs import Runs
from shared.catalog import load_catalog
from shared.messages import topics
from shared.messages.batches import CANCELLED
from shared.messages.control import BatchLoaded, BatchStaged, EntityCounts, ReferencesSettled
from shared.messages.envelope import Outgoing, Topic
from shared.messages.plan import RunPlan
from shared.runtime import Runtime
from shared.runtime.outbox import Outbox
from shared.storage.documents import SqliteDocuments
from shared.storage.files import DirectoryFiles
from shared.storage.progress import SqliteProgressStore
from shared.storage.sqlite import SqliteDatabase

Entities = Mapping[str, EntityCounts]
WINDOW = 2


class Sent:
    """A runtime that keeps what is published."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.messages += messages

    def take(self) -> list[Outgoing]:
        """What was published since the last look."""
        taken, self.messages = self.messages, []
        return taken


@dataclass
class Machine:
    """One run. `entities`: batch -> what its rows turn out to be; `pages` of open references."""

    runs: Runs
    sent: Sent
    plan: RunPlan
    entities: Mapping[int, Entities]
    pages: int = 0
    seals: bool = True
    given_up: frozenset[tuple[int, str]] = frozenset()
    """(batch, entity type) that cannot be loaded; "" as the type: that cannot be mapped."""
    decided: dict[tuple[int, int], str] = field(default_factory=dict)
    """(step, position) -> the first decision, as the loader keeps it."""

    @property
    def number(self) -> int:
        return self.plan.run

    async def state(self) -> Run:
        return await self.runs.get(self.number)

    async def answer(self, message: Outgoing) -> Sequence[Outgoing]:
        """What the machine sends when the answer to one of its messages comes in."""
        m: Any = message.message
        if message.topic is topics.BATCH_EXTRACTED:
            return await self.runs.staged(m.run, m.batch, self._staged(m.batch, m.cancelled))
        if message.topic is topics.SEAL_REQUESTED:
            return await self.runs.sealed(m.run, *(("seal", None) if self.seals else (None, "The keys are damaged.")))
        if message.topic is topics.LOAD_REQUESTED:
            return await self.runs.acknowledged(m.run, m.step, m.position, self._loaded(m))
        if message.topic is topics.FINALIZE_REQUESTED and m.page is None:
            return await self.runs.pages_planned(m.run, 0 if m.cancelled else self.pages)
        if message.topic is topics.FINALIZE_REQUESTED:
            settled = ReferencesSettled(
                account="main",
                session="s1",
                run=m.run,
                step=m.step,
                page=m.page,
                entities={"jobs": EntityCounts(linked=1)},
            )
            return await self.runs.acknowledged(m.run, m.step, m.page, settled.model_dump_json().encode())
        if message.topic is topics.CLOSE_REQUESTED:
            return await self.runs.closed(m.run)
        return []

    def _staged(self, batch: int, cancelled: bool) -> bytes:
        entities, given_up = self.entities[batch], None
        rows = sum(counts.valid + counts.errored for counts in entities.values())
        if (batch, "") in self.given_up:
            entities, given_up = {"customers": EntityCounts(errored=rows)}, "ValueError"
        if (0, batch) not in self.decided:
            self.decided[0, batch] = "cancelled" if cancelled else "stage"
        if self.decided[0, batch] == "cancelled":
            entities, given_up = {"customers": EntityCounts(skipped=rows)}, CANCELLED
        staged = BatchStaged(
            account="main",
            session="s1",
            run=self.number,
            batch=batch,
            given_up=given_up,
            content=f"content {batch}",
            entities=dict(entities),
        )
        return staged.model_dump_json().encode()

    def _loaded(self, m: Any) -> bytes:
        wanted = "cancelled" if m.cancelled else "given_up" if (m.batch, m.entity) in self.given_up else "load"
        decision = self.decided.setdefault((m.step, m.position), wanted)
        valid = self.entities[m.batch][m.entity].valid
        counts = EntityCounts(
            imported=valid if decision == "load" else 0,
            skipped=valid if decision == "cancelled" else 0,
            errored=valid if decision == "given_up" else 0,
        )
        loaded = BatchLoaded(
            account="main",
            session="s1",
            run=m.run,
            step=m.step,
            position=m.position,
            batch=m.batch,
            entity=m.entity,
            decision=cast(Any, decision),
            counts=counts,
        )
        return loaded.model_dump_json().encode()

    async def start(self) -> list[Outgoing]:
        """Starts the run; what it sends."""
        await self.runs.start(self.number)
        return self.sent.take()

    async def drive(
        self, messages: Sequence[Outgoing], until: Callable[[Outgoing], bool] = lambda _: False
    ) -> list[Outgoing]:
        """Answers one message after the other, until one is wanted; what is left then, that one first."""
        waiting = commands(messages)
        while waiting and not until(waiting[0]):
            waiting += commands(await self.answer(waiting.pop(0)))
        return waiting


def commands(messages: Sequence[Outgoing]) -> list[Outgoing]:
    """What somebody has to answer: not the news of the run."""
    return [m for m in messages if m.topic is not topics.RUN_CHANGED]


def described(messages: Sequence[Outgoing]) -> list[tuple[Any, ...]]:
    """Commands in short: ('map', batch), ('load', type, batch), ('page', number), ('seal',), ('close',)."""
    return [_described(message.topic, message.message) for message in commands(messages)]


def _described(topic: Topic, m: Any) -> tuple[Any, ...]:
    if topic is topics.BATCH_EXTRACTED:
        return ("map", m.batch)
    if topic is topics.LOAD_REQUESTED:
        return ("load", m.entity, m.batch)
    if topic is topics.FINALIZE_REQUESTED:
        return ("page", m.page)
    return {topics.SEAL_REQUESTED: ("seal",), topics.CLOSE_REQUESTED: ("close",)}[topic]


def valid(**counts: int) -> dict[str, EntityCounts]:
    """Valid records per entity type of a batch."""
    return {entity: EntityCounts(valid=count) for entity, count in counts.items()}


@asynccontextmanager
async def open_machine(
    folder: Path, plan: RunPlan, entities: Mapping[int, Entities], **more: Any
) -> AsyncIterator[Machine]:
    """A machine with a run that is made and not started."""
    database = SqliteDatabase(folder / "store.db", synchronous="NORMAL")
    try:
        documents, progress = SqliteDocuments(database), SqliteProgressStore(database)
        await documents.start()
        await progress.start()
        sent = Sent()
        files = DirectoryFiles(folder / "files")
        runs = Runs(documents, Outbox(documents, cast(Runtime, sent)), progress, files, clock=lambda: 1_000.0)
        machine = Machine(runs, sent, plan, entities, **more)
        await runs.create(await make_run(runs, plan))
        yield machine
    finally:
        await database.close()


async def make_run(runs: Runs, plan: RunPlan) -> Run:
    """The document of a new run over a plan."""
    return Run(
        run=plan.run,
        account=plan.account,
        session=plan.session,
        kind=cast(Any, plan.kind),
        plan=(await runs.files.put_bytes(plan.encode())).sha256,
        steps=steps_of(plan, load_catalog()),
        planned={"validating": len(plan.positions)},
        window=WINDOW,
        started_at=900.0,
        only_batches=list(plan.only_batches) if plan.only_batches is not None else None,
    )
