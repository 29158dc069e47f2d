"""Worker entry: proposes the mapping of a session from its analysis."""

from __future__ import annotations

import msgspec

from services.mapper.proposals import propose
from shared.messages.analysis import Analysis


def propose_mapping(encoded: bytes) -> bytes:
    """Analysis (MessagePack) in, MappingDocument (JSON) out."""
    analysis = msgspec.msgpack.decode(encoded, type=Analysis)
    document = propose(
        analysis.detections,
        entities=analysis.entities,
        source_label=analysis.source_label,
        region=analysis.region,
        strict=analysis.strict,
    )
    return document.model_dump_json().encode()
