"""The whole proposal of a session: headers and values, and what presets, approved mappings and a model know."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from services.mapper.hints import FileHints, Hint, as_far_as_it_fits
from services.mapper.memory import Recall, Remembered, left_out_alike, recall, recall_hints, without_left_out
from services.mapper.money_units import with_money_units
from services.mapper.presets import platforms_named_in, preset_hints
from services.mapper.proposals import propose
from services.mapper.restoring import restored
from services.mapper.value_mapping import with_source_values
from shared.catalog.evidence import Evidence
from shared.catalog.model import Catalog
from shared.matching.scorer import Scorer, load_scorer
from shared.messages.analysis import Detection
from shared.messages.mapping import MappingDocument

Answers = Mapping[int, Sequence[Hint]]
"""What a language model said, by the place of the file in the session: two files may have the same name."""


@dataclass(frozen=True)
class Informed:
    """A proposal and the evidence from outside the files that went into it, in the order of the files."""

    document: MappingDocument
    hints: Sequence[FileHints]


def informed_proposal(
    detections: Sequence[Detection],
    *,
    scorer: Scorer | None = None,
    entities: Mapping[str, str | None] | None = None,
    source_label: str | None = None,
    region: str = "US",
    strict: bool = False,
    remembered: Sequence[Remembered] = (),
    answers: Answers | None = None,
) -> Informed:
    """`proposals.propose` with everything that is known from elsewhere; options and value mappings are filled in."""
    known = scorer or load_scorer()
    evidence, chosen = known.evidence, entities or {}
    recalls = [recall(d, remembered, given=_given(d, chosen)) for d in detections]
    seen = [without_left_out(d, recalled) for d, recalled in zip(detections, recalls, strict=True)]
    sources = _sources(seen, source_label)
    hints = _hints(seen, evidence, chosen, sources, remembered, recalls, answers or {})
    document = propose(
        seen,
        scorer=known,
        entities=chosen,
        source_label=source_label,
        region=region,
        strict=strict,
        hints=hints,
    )
    files = [
        with_money_units(
            restored(file, recalled, detection.columns),
            detection,
            {*source.named, *source.suspected},
            evidence.catalog,
            evidence.lexicon,
            recalled,
        )
        for file, recalled, detection, source in zip(document.files, recalls, seen, sources, strict=True)
    ]
    whole = document.model_copy(update={"files": tuple(files)})
    return Informed(with_source_values(whole, seen, evidence.catalog), hints)


def _given(detection: Detection, chosen: Mapping[str, str | None]) -> tuple[str | None, ...]:
    return (chosen[detection.file],) if detection.file in chosen else ()


@dataclass(frozen=True)
class _Source:
    """Platforms a file may come from: named by its header row or the label, by its own name, by files beside it."""

    named: Collection[str]
    suspected: Collection[str]
    beside: Collection[str]


def _sources(detections: Sequence[Detection], source_label: str | None) -> list[_Source]:
    session = {d.platform for d in detections if d.platform}
    labelled = platforms_named_in(source_label)
    return [
        _Source(
            named={detection.platform} if detection.platform else labelled,
            suspected=platforms_named_in(detection.file),
            beside=session if len(session) == 1 else (),
        )
        for detection in detections
    ]


def _hints(
    detections: Sequence[Detection],
    evidence: Evidence,
    chosen: Mapping[str, str | None],
    sources: Sequence[_Source],
    known: Sequence[Remembered],
    recalls: Sequence[Recall | None],
    answers: Answers,
) -> list[FileHints]:
    """The strongest first: what was approved before, then presets for the columns it does not know, then a model."""
    result = []
    for place, (detection, source, recalled) in enumerate(zip(detections, sources, recalls, strict=True)):
        found = recall_hints(recalled, detection, evidence)
        entity = chosen.get(detection.file, found.entity or detection.entity)
        more: list[Hint] = []
        if entity is not None:
            if detection.file not in chosen:
                found = found.noting(left_out_alike(detection, known, recalled))
            remembered = {hint.column for hint in found.hints}
            headers = [column.header for column in detection.columns]
            presets = preset_hints(
                headers,
                entity,
                source.named,
                suspected=source.suspected,
                beside=source.beside,
                catalog=evidence.catalog,
            )
            more = [
                hint
                for hint in presets
                if hint.column not in remembered and not _tells_whose(hint, detection, evidence.catalog)
            ]
        more.extend(answers.get(place, ()))
        result.append(found.joined(_fitting(hint, detection, evidence) for hint in more))
    return result


def _tells_whose(hint: Hint, detection: Detection, catalog: Catalog) -> bool:
    """True for "feeds nothing" about e-mails or phones that say which customer is meant: linking needs them."""
    is_contact = detection.columns[hint.column].type in ("email", "phone")
    return hint.field is None and is_contact and "customer" in catalog[hint.entity].fields


def _fitting(hint: Hint, detection: Detection, evidence: Evidence) -> Hint:
    if hint.field is None:
        return hint
    field = evidence.catalog[hint.entity].fields[hint.field]
    fit = evidence.fit(hint.entity, field, detection.columns[hint.column])
    return msgspec.structs.replace(hint, strength=as_far_as_it_fits(hint.strength, fit))
