"""Analyze's messages: a sample comes in, what each file holds goes out."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from services.analyze.model import ANALYSES, StoredAnalysis
from shared.errors import ConflictError
from shared.messages import topics
from shared.messages.analysis import Analysis, Detection
from shared.messages.control import DetectedFile, EntitiesDetected, SessionSampled
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import WorkerPool
from shared.storage.documents import Documents
from shared.storage.files import Files
from shared.storage.swapping import tries


@dataclass
class AnalyzeHandlers:
    """One short method per message; `workers` does the looking."""

    documents: Documents
    files: Files
    workers: WorkerPool

    async def sampled(self, delivery: Delivery) -> Sequence[Outgoing]:
        """A sample -> entities detected. Recomputed for a repeat: same sample, same analysis, same address."""
        m: SessionSampled = delivery.message
        path = await self.files.local_path(m.sample)
        encoded = await self.workers.call("services.analyze.analysis_work:analyse_sample", str(path))
        detections = msgspec.msgpack.decode(encoded, type=tuple[Detection, ...])
        analysis = Analysis(
            detections=detections,
            entities=dict(m.entities),
            source_label=m.source_label,
            region=m.region,
            strict=m.strict,
        )
        ref = await self.files.put_bytes(msgspec.msgpack.encode(analysis))
        await self._keep(m, ref.sha256)
        message = EntitiesDetected(
            account=m.account,
            session=m.session,
            version=m.version,
            analysis=ref.sha256,
            files=[
                DetectedFile(
                    file=str(place),
                    entity=m.entities.get(d.file, d.entity),
                    confidence=d.entity_confidence,
                    records=d.records,
                    columns=len(d.columns),
                )
                for place, d in enumerate(detections)
            ],
        )
        return [Outgoing(topics.ENTITIES_DETECTED, message, m.session, m.session)]

    async def _keep(self, m: SessionSampled, address: str) -> None:
        """The newest analysis of a session; one of older files never replaces it, whichever process made it."""
        stored = StoredAnalysis(session=m.session, version=m.version, analysis=address)
        async for _ in tries(f"The analysis of session {m.session}"):
            known = await self.documents.get(ANALYSES, m.session, account=m.account)
            if known and StoredAnalysis.model_validate_json(known.body).version > m.version:
                return
            with contextlib.suppress(ConflictError):
                await self.documents.put(
                    ANALYSES,
                    m.session,
                    stored.model_dump_json().encode(),
                    account=m.account,
                    expected_revision=known.revision if known else 0,
                )
                return
