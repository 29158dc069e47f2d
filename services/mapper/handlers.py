"""Mapper's messages: proposes when files are understood, maps raw batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from services.mapper.mapped_batch import give_up_batch
from services.mapper.mapping_plan import MappingSettings
from services.mapper.mappings import Mappings
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
    """One short method per message; `workers` does the mapping."""

    mappings: Mappings
    files: Files
    workers: WorkerPool
    _works: Artifacts[_Work] = field(init=False)

    def __post_init__(self) -> None:
        self._works = Artifacts(self.files, _work_of, kept=_PLANS_KEPT)

    async def detected(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Files are understood: propose their mapping."""
        message: EntitiesDetected = delivery.message
        analysis = await self.files.read(message.analysis)
        proposed = await self.workers.call("services.mapper.proposal_work:propose_mapping", analysis)
        mapping = MappingDocument.model_validate_json(proposed)
        return await self.mappings.propose(message.account, message.session, message.version, mapping)

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
