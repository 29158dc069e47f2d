"""Worker entry: proposes the mapping of a session from its analysis and from what is known beside it."""

from __future__ import annotations

import msgspec
from pydantic import TypeAdapter

from services.mapper.hints import Hint
from services.mapper.known_shapes import informed_proposal
from services.mapper.language_model_questions import Question, open_questions
from services.mapper.memory import Remembered
from shared.catalog.model import load_catalog
from shared.messages.analysis import Analysis

REMEMBERED = TypeAdapter(list[Remembered])


class Asking(msgspec.Struct, frozen=True):
    """Below which confidence a language model is asked, and whether it may see masked samples."""

    confidence_below: float
    samples_allowed: bool


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the analysis. `remembered`: JSON of list[Remembered]."""

    remembered: bytes = b"[]"
    asking: Asking | None = None
    answers: dict[int, list[Hint]] = {}


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """The MappingDocument as JSON, and what a language model could be asked."""

    document: bytes
    questions: list[Question]


def propose_mapping(encoded: bytes, known: bytes) -> bytes:
    """Analysis and Known in, Proposed out, all as MessagePack."""
    analysis = msgspec.msgpack.decode(encoded, type=Analysis)
    beside = msgspec.msgpack.decode(known, type=Known)
    informed = informed_proposal(
        analysis.detections,
        entities=analysis.entities,
        source_label=analysis.source_label,
        region=analysis.region,
        strict=analysis.strict,
        remembered=REMEMBERED.validate_json(beside.remembered),
        answers=beside.answers,
    )
    questions: list[Question] = []
    if beside.asking is not None:
        questions = open_questions(
            informed.document,
            analysis.detections,
            load_catalog(),
            confidence_below=beside.asking.confidence_below,
            samples_allowed=beside.asking.samples_allowed,
            hints=informed.hints,
        )
    return msgspec.msgpack.encode(Proposed(document=informed.document.model_dump_json().encode(), questions=questions))
