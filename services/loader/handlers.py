"""The loader's messages: stage mapped batches, seal, load, settle open references, close.

Every effect is keyed and the first one wins; a repeated message returns the outputs of what is stored.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from services.loader.audit import cancelled_audit, stamped
from services.loader.finalizing import FinalizeInput, FinalizeOutcome
from services.loader.load_planning import LoadInput, LoadOutcome, SealManifest
from services.loader.outcomes import (
    cancelled_counts,
    cancelled_records,
    cancelled_rows,
    given_up_counts,
    given_up_records,
    seal_failure,
    staged_summary,
)
from services.loader.sealed_index import open_index
from services.loader.sealing import seal_entity
from shared.catalog import load_catalog
from shared.connectors.destination import DecisionKey, Destination, RecordRow, Settled, Stored
from shared.errors import PermanentError
from shared.messages import topics
from shared.messages.batches import CANCELLED, MappedBatch, MappedStream
from shared.messages.control import (
    BatchLoaded,
    BatchStaged,
    CloseRequested,
    EntityCounts,
    FinalizePlanned,
    FinalizeRequested,
    LoadRequested,
    OutcomesRequested,
    ReferencesSettled,
    RunClosed,
    SealCompleted,
    SealRequested,
)
from shared.messages.envelope import Clock, Delivery, Outgoing, Topic
from shared.messages.plan import RunPlan, record_id
from shared.messages.problems import ProblemsFound
from shared.observability.events import RECORDS_DECIDED, RECORDS_STAGED, emit
from shared.runtime import GivenUp, fail_point
from shared.runtime.workers import WorkerPool
from shared.storage.files import Files
from shared.storage.records import RecordStore, Segment, Stream
from shared.storage.staging import KeysReader, StagingStore

_STEPS_KEPT = 64
_STEP_SECONDS = 60.0

PAGE_RECORDS = 500
"""Records with open references that are looked at together in Finalizing."""


@dataclass(frozen=True)
class _Sealed:
    """Local paths of the immutable files that all loads of one step share."""

    looked_up_at: float
    plan: str
    own: str
    parents: dict[str, list[str]]
    sources: list[tuple[int, int, str]]
    has_earlier: bool


@dataclass
class LoaderHandlers:
    """The loader's handlers over their stores. `workers` runs planning; `clock` stamps the audit."""

    staging: StagingStore
    records: RecordStore
    destination: Destination
    files: Files
    workers: WorkerPool
    clock: Clock
    page_records: int = PAGE_RECORDS
    _steps: OrderedDict[tuple[str, str], _Sealed] = field(default_factory=OrderedDict)

    # ---- validating -------------------------------------------------------------------------------------------

    async def stage(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Mapped batch -> batch staged, with the errors of its rows."""
        mapped: MappedBatch = delivery.message
        if mapped.claim:
            mapped = msgspec.msgpack.decode(await self.files.read(mapped.claim), type=MappedBatch)
        if await self.records.is_closed(mapped.run):
            return []  # a late copy of an ended run: everybody who needed the answer has it
        summary, problems = staged_summary(mapped), mapped.problems
        if mapped.given_up == CANCELLED:
            problems = cancelled_rows(await self._plan(mapped.plan), mapped)
        stored = await self.staging.stage(mapped.run, mapped.batch, summary, problems, mapped.streams)
        fail_point("loader.staged_not_sent")
        answer = BatchStaged.model_validate_json(stored)
        _tell_staged(answer)
        return await self._staged(answer)

    async def _staged(self, answer: BatchStaged) -> list[Outgoing]:
        out = [_run_message(topics.BATCH_STAGED, answer, answer.run, batch=answer.batch)]
        if sum(counts.errored + counts.skipped for counts in answer.entities.values()):
            problems = await self.staging.problems(answer.run, answer.batch)
            out.append(_problems(answer, entity="", stage="staged", count=0, problems=problems))
        return out

    async def seal(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Seal requested -> seal completed. Recomputed for a repeat: same staged data, same artifact, same address."""
        request: SealRequested = delivery.message
        if await self.records.is_closed(request.run):
            return []  # a late copy of an ended run; its keys are gone
        plan = await self._plan(request.plan)
        await self._check_manifest(request)
        segments = await self.records.segments(request.account)
        indexes: dict[str, str] = {}
        earlier: dict[str, list[str]] = {}
        for segment in segments:
            earlier.setdefault(segment.entity, []).append(segment.address)
        for entity in sorted(plan.entities):
            indexes[entity] = await self._seal_entity(plan, entity, earlier.get(entity, []))
        sources = [
            (record_id(stream.run, stream.first_slot), record_id(stream.run, stream.last_slot), stream.file)
            for stream in await self.records.streams(request.account)
            if stream.run < plan.run
        ]
        manifest = SealManifest(run=plan.run, indexes=indexes, earlier=earlier, sources=sources)
        ref = await self.files.put_bytes(msgspec.msgpack.encode(manifest, order="sorted"))
        await self.records.register(_id_ranges(plan))
        fail_point("loader.seal_written_not_answered")
        answer = SealCompleted(account=request.account, session=request.session, run=request.run, seal=ref.sha256)
        return [_run_message(topics.SEAL_COMPLETED, answer, request.run)]

    async def seal_given_up(self, delivery: Delivery, given_up: GivenUp) -> Sequence[Outgoing]:
        """A seal that cannot be made fails the run; nothing has been written yet."""
        request: SealRequested = delivery.message
        failure = seal_failure(given_up.reason_code, given_up.message)
        answer = SealCompleted(
            account=request.account, session=request.session, run=request.run, seal=None, failure=failure
        )
        return [_run_message(topics.SEAL_COMPLETED, answer, request.run)]

    async def _seal_entity(self, plan: RunPlan, entity: str, earlier: Sequence[str]) -> str:
        indexes = [open_index(await self.files.local_path(address)) for address in earlier]
        loop = asyncio.get_running_loop()

        def stored(ids: Sequence[int]) -> set[int]:
            return asyncio.run_coroutine_threadsafe(self.destination.existing(ids), loop).result()

        with tempfile.TemporaryDirectory(prefix="seal-") as scratch:

            def work(reader: KeysReader) -> Path:
                return seal_entity(reader, plan, entity, indexes, stored, Path(scratch))

            path = await self.staging.with_keys(plan.run, entity, work)
            return (await self.files.put_path(path)).sha256

    async def _check_manifest(self, request: SealRequested) -> None:
        """What is staged must be what ingest was told; else the store lost or mixed something, and nothing may run."""
        told = await self.files.read(request.manifest)
        staged = {
            str(batch): BatchStaged.model_validate_json(summary).content
            for batch, summary in await self.staging.contents(request.run)
        }
        if msgspec.json.decode(told) != staged:
            raise PermanentError(
                f"The staged batches of run {request.run} are not the ones that were acknowledged.",
                next_step="Nothing was written. Start the import again.",
            )

    # ---- importing --------------------------------------------------------------------------------------------

    async def load(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Load requested -> batch loaded: the first decision for (run, step, batch, entity type) wins."""
        request: LoadRequested = delivery.message
        stored = await self.destination.decided(_key(request))
        if stored is None:
            stored = await (self._cancel(request) if request.cancelled else self._load(request))
        fail_point("loader.records_written_not_sent")
        return _loaded(stored)

    async def load_given_up(self, delivery: Delivery, given_up: GivenUp) -> Sequence[Outgoing]:
        """A batch that cannot be loaded makes its records errors, so that the run ends."""
        request: LoadRequested = delivery.message
        streams = await self._streams(request)
        answer = _answer(request, "given_up", given_up_counts(streams))
        problems = given_up_records(streams, given_up.message)
        stored = await self._decide(request, answer, problems, cancelled_audit("given_up", self.clock()), [])
        return _loaded(stored)

    async def _load(self, request: LoadRequested) -> Stored:
        sealed = await self._sealed(request)
        streams, problems = await self.staging.part(request.run, request.batch, request.entity)
        work = LoadInput(
            plan=sealed.plan,
            batch=request.batch,
            entity=request.entity,
            streams=streams,
            problems=problems,
            own=sealed.own,
            parents=sealed.parents,
            sources=sealed.sources,
        )
        outcome = await self._plan_load(work)
        # Parents of this run are stored before their children's step begins; only those of earlier runs can be gone.
        if not request.dry_run and (request.parents_missing or sealed.has_earlier):
            present = await self.destination.existing(outcome.linked_ids)
            if absent := sorted(set(outcome.linked_ids) - present):
                outcome = await self._plan_load(msgspec.structs.replace(work, absent=absent))
        answer = _answer(request, "load", EntityCounts.model_validate_json(outcome.counts))
        records = [] if request.dry_run else outcome.records
        audit = stamped(outcome.audit, "dry_run" if request.dry_run else "load", self.clock())
        return await self._decide(request, answer, outcome.problems, audit, records)

    async def _sealed(self, request: LoadRequested) -> _Sealed:
        """Where the immutable files of a step lie, looked up now and then and not for every batch.

        Now and then, because a local copy of a remote file may go when nobody has asked for it for a while.
        """
        key, now = (request.seal, request.entity), self.clock()
        known = self._steps.get(key)
        if known is None or now - known.looked_up_at > _STEP_SECONDS:
            manifest = await self._manifest(request.seal)
            self._steps[key] = _Sealed(
                looked_up_at=now,
                plan=str(await self.files.local_path(request.plan)),
                own=str(await self.files.local_path(manifest.indexes[request.entity])),
                parents=await self._parents(manifest, {request.entity}),
                sources=manifest.sources,
                has_earlier=any(manifest.earlier.values()),
            )
            while len(self._steps) > _STEPS_KEPT:
                self._steps.popitem(last=False)
        return self._steps[key]

    async def _plan_load(self, work: LoadInput) -> LoadOutcome:
        encoded = await self.workers.call("services.loader.load_planning:plan_load", msgspec.msgpack.encode(work))
        return msgspec.msgpack.decode(encoded, type=LoadOutcome)

    async def _cancel(self, request: LoadRequested) -> Stored:
        streams = await self._streams(request)
        answer = _answer(request, "cancelled", cancelled_counts(streams))
        problems = cancelled_records(streams)
        return await self._decide(request, answer, problems, cancelled_audit("cancelled", self.clock()), [])

    async def _streams(self, request: LoadRequested) -> list[MappedStream]:
        encoded, _ = await self.staging.part(request.run, request.batch, request.entity)
        return [msgspec.msgpack.decode(stream, type=MappedStream) for stream in encoded]

    async def _decide(
        self, request: LoadRequested, answer: BatchLoaded, problems: bytes, audit: bytes, records: Sequence[RecordRow]
    ) -> Stored:
        own = Stored(_encoded(answer), problems)
        stored = await self.destination.write(_key(request), own, audit, records)
        if stored == own and not request.dry_run:  # else another one decided first, and told it
            _tell_decided(answer)
        return stored

    async def _parents(self, manifest: SealManifest, entities: set[str]) -> dict[str, list[str]]:
        """Parent type of any of these entity types -> paths of its indexes, this run's first."""
        paths: dict[str, list[str]] = {}
        for parent in sorted({ref.ref or "" for entity in entities for ref in load_catalog()[entity].refs()}):
            own = [manifest.indexes[parent]] if parent in manifest.indexes else []
            addresses = own + manifest.earlier.get(parent, [])
            paths[parent] = [str(await self.files.local_path(address)) for address in addresses]
        return paths

    # ---- finalizing -------------------------------------------------------------------------------------------

    async def finalize(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Plans the pages of open references of earlier runs, or settles one page. The first answer is kept."""
        request: FinalizeRequested = delivery.message
        if await self.records.is_closed(request.run):
            return []
        if request.page is None:
            return await self._plan_pages(request)
        stored = await self.destination.decided(_page_key(request, request.page))
        if stored is None:
            stored = await self._settle(request, request.page)
        fail_point("loader.finalizing_half_done")
        answer = ReferencesSettled.model_validate_json(stored[0])
        return [_run_message(topics.REFERENCES_SETTLED, answer, answer.run)]

    async def _plan_pages(self, request: FinalizeRequested) -> Sequence[Outgoing]:
        stored = await self.destination.decided(_page_key(request, PAGES))
        if stored is None:
            found = [] if request.cancelled else await self.records.open_records(request.account, request.run)
            size = self.page_records
            pages = [[id_ for id_, _ in found[i : i + size]] for i in range(0, len(found), size)]
            answer = FinalizePlanned(
                account=request.account,
                session=request.session,
                run=request.run,
                step=request.step,
                pages=len(pages),
                references=sum(count for _, count in found),
            )
            decision = Stored(_encoded(answer), msgspec.msgpack.encode(pages))
            stored = await self.destination.settle(_page_key(request, PAGES), decision, b"", [])
        answer = FinalizePlanned.model_validate_json(stored[0])
        return [_run_message(topics.FINALIZE_PLANNED, answer, answer.run)]

    async def _settle(self, request: FinalizeRequested, page: int) -> Stored:
        planned = await self.destination.decided(_page_key(request, PAGES))
        if planned is None:
            raise PermanentError(f"Run {request.run} has no plan of open references.")
        ids = msgspec.msgpack.decode(planned[1], type=list[list[int]])[page]
        updates: list[Settled] = []
        outcome = FinalizeOutcome(updates=[], counts={}, audit=b"")
        if not request.cancelled:
            manifest = await self._manifest(request.seal)
            rows = await self.destination.read(ids)
            entities = await self._entities_of(request.account, ids)
            work = FinalizeInput(
                rows=[(row.id, entities[row.id], row.links or b"{}") for row in rows],
                parents=await self._parents(manifest, set(entities.values())),
            )
            outcome = await self._finalize(work)
            linked = sorted({id_ for update in outcome.updates for id_ in update.linked_ids})
            if absent := sorted(set(linked) - await self.destination.existing(linked)):
                outcome = await self._finalize(msgspec.structs.replace(work, absent=absent))
            updates = [Settled(update.id, update.open, update.links) for update in outcome.updates]
        answer = ReferencesSettled(
            account=request.account,
            session=request.session,
            run=request.run,
            step=request.step,
            page=page,
            entities={
                entity: EntityCounts(references=linked, linked=linked) for entity, linked in outcome.counts.items()
            },
        )
        audit = stamped(outcome.audit, "settle", self.clock())
        return await self.destination.settle(_page_key(request, page), Stored(_encoded(answer), b""), audit, updates)

    async def _finalize(self, work: FinalizeInput) -> FinalizeOutcome:
        encoded = await self.workers.call("services.loader.finalizing:settle_page", msgspec.msgpack.encode(work))
        return msgspec.msgpack.decode(encoded, type=FinalizeOutcome)

    async def _entities_of(self, account: str, ids: Sequence[int]) -> dict[int, str]:
        streams = await self.records.streams(account)
        found: dict[int, str] = {}
        for stream in streams:
            first, last = record_id(stream.run, stream.first_slot), record_id(stream.run, stream.last_slot)
            found.update((id_, stream.entity) for id_ in ids if first <= id_ <= last)
        return found

    # ---- the end ----------------------------------------------------------------------------------------------

    async def close(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Close requested -> run closed: the sealed indexes stay as the crosswalk of later runs, staging goes."""
        request: CloseRequested = delivery.message
        segments: list[Segment] = []
        if request.seal and not request.dry_run:
            plan, manifest = await self._plan(request.plan), await self._manifest(request.seal)
            segments = [
                Segment(request.run, entity, plan.source_label, address) for entity, address in manifest.indexes.items()
            ]
        await self.records.close(request.run, request.account, segments)
        await self.staging.purge(request.run)
        answer = RunClosed(account=request.account, session=request.session, run=request.run)
        return [_run_message(topics.RUN_CLOSED, answer, request.run)]

    async def repeat_outcomes(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Outcomes requested -> everything answered in the run about these batches and pages, again."""
        request: OutcomesRequested = delivery.message
        wanted = None if request.batches is None else set(request.batches)
        out: list[Outgoing] = []
        for batch, summary in await self.staging.contents(request.run):
            if wanted is None or batch in wanted:
                out += await self._staged(BatchStaged.model_validate_json(summary))
        for stored in await self.records.outcomes(request.run):
            answer = msgspec.json.decode(stored[0])
            if wanted is not None and answer.get("batch", answer.get("page")) not in wanted:
                continue
            if "decision" in answer:
                out += _loaded(stored)
            elif "page" in answer:
                settled = ReferencesSettled.model_validate(answer)
                out.append(_run_message(topics.REFERENCES_SETTLED, settled, settled.run))
        return out

    # ---- artifacts --------------------------------------------------------------------------------------------

    async def _plan(self, address: str) -> RunPlan:
        return RunPlan.decode(await self.files.read(address))

    async def _manifest(self, address: str) -> SealManifest:
        if not address:
            raise PermanentError("A batch was to be loaded without a seal.")
        return msgspec.msgpack.decode(await self.files.read(address), type=SealManifest)


PAGES = -1
"""Key under which the plan of the pages is kept among a step's outcomes."""


def _key(request: LoadRequested) -> DecisionKey:
    return DecisionKey(request.run, request.step, request.batch, request.entity)


def _page_key(request: FinalizeRequested, page: int) -> DecisionKey:
    """Pages of open references are decided like batches; they hold records of any entity type."""
    return DecisionKey(request.run, request.step, page, "")


def _id_ranges(plan: RunPlan) -> list[Stream]:
    return [
        Stream(
            plan.run,
            stream.first_slot,
            stream.first_slot + file.records - 1,
            plan.account,
            plan.session,
            stream.entity,
            file.name,
        )
        for file in plan.files
        for stream in file.streams
        if file.records
    ]


def _answer(request: LoadRequested, decision: Any, counts: EntityCounts) -> BatchLoaded:
    return BatchLoaded(
        account=request.account,
        session=request.session,
        run=request.run,
        step=request.step,
        position=request.position,
        batch=request.batch,
        entity=request.entity,
        decision=decision,
        counts=counts,
    )


def _loaded(stored: Stored) -> list[Outgoing]:
    answer = BatchLoaded.model_validate_json(stored[0])
    out = [_run_message(topics.BATCH_LOADED, answer, answer.run, batch=answer.batch)]
    if stored[1]:
        out.append(_problems(answer, entity=answer.entity, stage="loaded", count=0, problems=stored[1]))
    return out


def _problems(answer: BatchStaged | BatchLoaded, *, entity: str, stage: str, count: int, problems: bytes) -> Outgoing:
    message = ProblemsFound(
        account=answer.account,
        session=answer.session,
        run=answer.run,
        batch=answer.batch,
        entity=entity,
        stage=stage,
        count=count,
        problems=problems,
    )
    return Outgoing(topics.PROBLEMS_FOUND, message, str(answer.run), answer.session)


def _run_message(topic: Topic, message: Any, run: int, *, batch: int | None = None) -> Outgoing:
    headers = {"run": str(run)} | ({} if batch is None else {"batch": str(batch)})
    return Outgoing(topic, message, str(run), message.session, headers)


def _tell_staged(answer: BatchStaged) -> None:
    for entity, counts in answer.entities.items():
        emit(RECORDS_STAGED, entity=entity, valid=counts.valid, errored=counts.errored, skipped=counts.skipped)


def _tell_decided(answer: BatchLoaded) -> None:
    counts = answer.counts
    emit(
        RECORDS_DECIDED,
        entity=answer.entity,
        decision=answer.decision,
        imported=counts.imported,
        skipped=counts.skipped,
        errored=counts.errored,
        warnings=counts.warnings,
    )


def _encoded(answer: Any) -> bytes:
    body: bytes = answer.model_dump_json().encode()
    return body
