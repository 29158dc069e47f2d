"""Mapper's messages: proposes when files are understood, maps raw batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from services.mapper.language_model import LanguageModel
from services.mapper.mapped_batch import give_up_batch
from services.mapper.mapping_plan import MappingSettings
from services.mapper.mappings import Mappings
from services.mapper.memory_store import MappingMemory
from services.mapper.proposal_work import REMEMBERED, Asking, Known, Proposed
from shared.messages import topics
from shared.messages.batches import MappedBatch, RawBatch
from shared.messages.control import EntitiesDetected
from shared.messages.envelope import Delivery, Outgoing
from shared.messages.mapping import MappingDocument
from shared.messages.plan import RunPlan
from shared.runtime import GivenUp, WorkerPool
from shared.storage.artifacts import Artifacts
from shared.storage.files import Files

MESSAGE_BYTES_MAX = 1_000_000
"""A message stays under 1 MiB with its headers; a larger mapped batch travels as a claim check."""

_PLANS_KEPT = 4


@dataclass(frozen=True)
class _Work:
    """A plan with the parts that go to the worker with every batch, encoded once."""

    plan: RunPlan
    settings: bytes
    readings: dict[int, bytes]


@dataclass
class MapperHandlers:
    """One short method per message; `workers` does the mapping. `language_model`: only where one is configured."""

    mappings: Mappings
    files: Files
    workers: WorkerPool
    memory: MappingMemory | None = None
    language_model: LanguageModel | None = None
    _works: Artifacts[_Work] = field(init=False)

    def __post_init__(self) -> None:
        self._works = Artifacts(self.files, _work_of, kept=_PLANS_KEPT)

    async def detected(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Files are understood: propose their mapping."""
        m: EntitiesDetected = delivery.message
        before = await self.mappings.proposed_before(m.account, m.session, m.version, m.analysis)
        if before is not None:
            return before
        mapping = await self._proposal(m.account, await self.files.read(m.analysis))
        return await self.mappings.propose(m.account, m.session, m.version, mapping, m.analysis)

    async def _proposal(self, account: str, analysis: bytes) -> MappingDocument:
        """The proposal with what the account has approved before; asks the language model where nobody is sure."""
        remembered = await self.memory.known_to(account) if self.memory is not None else []
        known = Known(remembered=REMEMBERED.dump_json(remembered, exclude_defaults=True))
        if (model := self.language_model) is not None:
            known = msgspec.structs.replace(known, asking=Asking(model.confidence_below, model.samples_allowed))
        proposed = await self._proposed(analysis, known)
        if model is not None and (answers := await model.hints(proposed.questions)):
            proposed = await self._proposed(analysis, msgspec.structs.replace(known, asking=None, answers=answers))
        return MappingDocument.model_validate_json(proposed.document)

    async def _proposed(self, analysis: bytes, known: Known) -> Proposed:
        encoded = await self.workers.call(
            "services.mapper.proposal_work:propose_mapping", analysis, msgspec.msgpack.encode(known)
        )
        return msgspec.msgpack.decode(encoded, type=Proposed)

    async def map_batch(self, delivery: Delivery) -> Sequence[Outgoing]:
        """One raw batch -> one mapped batch. Recomputed for a repeat: same text, same mapping, same bytes."""
        raw: RawBatch = delivery.message
        work = await self._works.get(raw.plan)
        file = work.plan.file_of_batch(raw.batch)
        encoded: bytes = await self.workers.call(
            "services.mapper.mapping_work:map_span",
            str(await self.files.local_path(file.sha256)),
            work.readings[file.rank],
            msgspec.msgpack.encode(work.plan.span_of_batch(raw.batch)),
            file.mapping,
            work.settings,
            msgspec.msgpack.encode(raw),
        )
        if len(encoded) > MESSAGE_BYTES_MAX:
            encoded = await self._as_claim(raw, encoded)
        return [_mapped(raw, encoded)]

    async def give_up(self, delivery: Delivery, given_up: GivenUp) -> Sequence[Outgoing]:
        """A batch that cannot be mapped: all its rows become errors, so that the run ends and says so."""
        raw: RawBatch = delivery.message
        if raw is None:
            return []  # undecodable: ingest sends the batch again
        plan = (await self._works.get(raw.plan)).plan
        span, file = plan.span_of_batch(raw.batch), plan.file_of_batch(raw.batch)
        entity = next(stream.entity for stream in file.streams if stream.primary)
        mapped = give_up_batch(
            raw,
            entity=entity,
            records=span.records,
            first_record=span.first_record,
            line=span.line,
            reason=given_up.message,
        )
        return [_mapped(raw, msgspec.msgpack.encode(mapped))]

    async def _as_claim(self, raw: RawBatch, encoded: bytes) -> bytes:
        ref = await self.files.put_bytes(encoded)
        stub = MappedBatch(
            account=raw.account,
            session=raw.session,
            run=raw.run,
            batch=raw.batch,
            file=raw.file,
            plan=raw.plan,
            given_up=None,
            streams=[],
            errored={},
            money_errored={},
            problems=b"",
            claim=ref.sha256,
        )
        return msgspec.msgpack.encode(stub)


def _work_of(encoded: bytes) -> _Work:
    plan = RunPlan.decode(encoded)
    settings = MappingSettings(source_label=plan.source_label, region=plan.region, strict=plan.strict)
    return _Work(
        plan=plan,
        settings=msgspec.msgpack.encode(settings),
        readings={file.rank: msgspec.msgpack.encode(file.reading) for file in plan.files},
    )


def _mapped(raw: RawBatch, encoded: bytes) -> Outgoing:
    headers = {"run": str(raw.run), "batch": str(raw.batch)}
    return Outgoing(topics.BATCH_MAPPED, encoded, raw.batch, raw.session, headers)
