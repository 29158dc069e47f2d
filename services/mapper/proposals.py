"""Mapping proposals: for every file which column feeds which field, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.mapper.address_groups import AddressGroup, find_address_groups
from services.mapper.assignment import assign, fill_required
from services.mapper.candidates import (
    TAKE_MIN,
    Candidate,
    candidates_of,
    is_street,
    keep_groups_apart,
    name_beside_first_name,
    one_name,
    own_street_first,
    parts_of_the_name,
    prefer_billing,
)
from services.mapper.column_options import is_pair, options_for, reference_by
from services.mapper.counted_columns import amounts_of_whole_documents, unit_reason, without_other_units
from services.mapper.further_records import property_record
from services.mapper.hints import NO_HINTS, FileHints, strongest_for
from services.mapper.proposal_reasons import reasons_for
from services.mapper.times_of_day import times_left_out
from services.mapper.written_styles import WrittenStyles, written_styles
from shared.catalog.evidence import Evidence
from shared.catalog.model import EntityType, Field, FieldType
from shared.matching.scorer import Scorer, load_scorer
from shared.messages.analysis import ColumnProfile, Detection
from shared.messages.mapping import FieldMapping, FileMapping, MappingDocument, Options, RecordMapping

REQUIRED_BONUS = 0.05
LIKE_MIN = 0.3
"""A column whose header is less like the field's than this ..."""
UNLIKE_MIN = 0.5
"""... and whose values are just text feeds a required field only where that is likelier than not: of a guess records
would be made, unasked."""
SAYING_NOTHING = frozenset({"text", "longtext"})
EMPTY_LOSS = 0.1
"""Of two columns that may feed a field the one that has more values does."""
POSITION_STEP = 0.0005
ID_BONUS = 0.03
"""Among a parent's id, name and e-mail the id names it best."""

_EVIDENCE_TYPES = {
    "email": "email", "phone": "phone", "postal_code": "postal_code", "street": "street", "address": "street",
    "name": "name", "company": "name",
}  # fmt: skip


def propose(
    detections: Sequence[Detection],
    *,
    scorer: Scorer | None = None,
    entities: Mapping[str, str | None] | None = None,
    source_label: str | None = None,
    region: str = "US",
    strict: bool = False,
    hints: Sequence[FileHints] = (),
) -> MappingDocument:
    """The mapping of a session's files. `entities` sets types by hand (file -> type, None: leave the file out).

    `hints`: evidence from outside the files, for each detection in order; none where left out.
    """
    known = scorer or load_scorer()
    chosen = entities or {}
    named_by = _named_by(detections)
    told = hints or [NO_HINTS] * len(detections)
    platforms = {d.platform for d in detections if d.platform}
    files = [
        propose_file(
            d,
            known,
            entity=chosen.get(d.file),
            given=d.file in chosen,
            hints=own,
            styles=styles,
            named_by=named_by.get(d.file, ()),
        )
        for d, own, styles in zip(detections, told, written_styles(detections, region), strict=True)
    ]
    return MappingDocument(
        source_label=source_label or (platforms.pop() if len(platforms) == 1 else "files"),
        region=region,
        strict=strict,
        files=tuple(_without_lost_places(files, detections, known.evidence)),
    )


def propose_file(
    detection: Detection,
    scorer: Scorer,
    *,
    entity: str | None = None,
    given: bool = False,
    hints: FileHints = NO_HINTS,
    styles: WrittenStyles | None = None,
    named_by: Collection[int] = (),
) -> FileMapping:
    """The mapping of one file: for the detected entity type, or (`given`) for the one set by hand.

    `styles`: how the session writes dates and numbers; without it the file's own columns tell. `named_by`: columns by
    whose values other files name the records of this one.
    """
    kind = entity if given else detection.entity
    confidence = 1.0 if given else detection.entity_confidence
    reasons = ("The entity type was set by hand.",) if given else detection.reasons
    if not given and hints.entity is not None:
        confidence = max(hints.entity_strength, confidence if kind == hints.entity else 0.0)
        kind = hints.entity
    known = _Known(scorer, hints, styles or written_styles([detection])[0], named_by)
    records = _records(detection, scorer.evidence.catalog[kind], known) if kind is not None else ()
    return FileMapping(
        file=detection.file,
        sha256=detection.sha256,
        headers=tuple(column.header for column in detection.columns),
        records=records,
        entity_confidence=confidence,
        reasons=(*hints.reasons, *reasons),
    )


@dataclass(frozen=True)
class _Known:
    """What is known of one file besides its columns."""

    scorer: Scorer
    hints: FileHints
    styles: WrittenStyles
    named_by: Collection[int]
    """Columns by whose values other files name its records."""


def _named_by(detections: Sequence[Detection]) -> dict[str, set[int]]:
    """File -> its columns whose values other files' references hold. A file of the same records refers to nothing."""
    found: dict[str, set[int]] = {}
    for detection in detections:
        for relation in detection.relations:
            if relation.parent_entity != detection.entity:
                found.setdefault(relation.parent_file, set()).add(relation.parent_column)
    return found


def _records(detection: Detection, entity: EntityType, known: _Known) -> tuple[RecordMapping, ...]:
    scorer = known.scorer
    groups = find_address_groups(detection.columns, scorer.evidence) if entity.name == "customers" else []
    primary = _primary(detection, entity, known, groups)
    pair = next((f for f in primary.fields if f.field == "source_id" and f.options.part == "before"), None)
    secondary = [property_record(slot, group, detection, scorer, pair) for slot, group in enumerate(groups)]
    return (primary, *secondary)


# ---- the file's own entity type -------------------------------------------------------------------------------


def _primary(detection: Detection, entity: EntityType, known: _Known, groups: Sequence[AddressGroup]) -> RecordMapping:
    columns, evidence = detection.columns, known.scorer.evidence
    scores = known.scorer.read(columns)
    candidates = [
        candidates_of(
            entity,
            profile,
            detection,
            scores.field_scores(entity.name, at),
            evidence,
            known.hints.about(entity.name, profile.index),
        )
        for at, profile in enumerate(columns)
    ]
    keep_groups_apart(candidates, groups)
    if entity.name == "customers":
        prefer_billing(candidates, columns, evidence)
    name_beside_first_name(candidates, columns, evidence)
    parts_of_the_name(candidates, columns)
    one_name(candidates, columns, entity, evidence, known.named_by)
    if {"street", "property"} <= entity.fields.keys():
        own_street_first(candidates, columns, evidence)
    amounts_of_whole_documents(candidates, columns)
    without_other_units(candidates, columns)
    taken = _taken(entity, columns, candidates)
    times = times_left_out(entity, columns, taken, evidence.lexicon)
    mappings = [
        _mapping(entity, entity.fields[field], columns[column], candidates, known, times.get(column))
        for column, field in sorted(taken.items())
    ]
    _add_evidence(mappings, entity, columns, candidates, taken)
    return RecordMapping(entity=entity.name, slot=0, primary=True, fields=tuple(mappings))


def _taken(
    entity: EntityType, columns: Sequence[ColumnProfile], candidates: Sequence[Sequence[Candidate]]
) -> dict[int, str]:
    """Column -> field, so that as many columns as can be expected are right, those left alone included."""
    fields = list(entity.fields)
    place = {name: i for i, name in enumerate(fields)}
    required = {field for group in entity.required_groups() for field in group}
    gains = np.zeros((len(fields), len(columns)))
    for index, options in enumerate(candidates):
        for candidate in options:
            if candidate.score > (_least(candidate, columns[index]) if candidate.field in required else TAKE_MIN):
                gain = candidate.score - TAKE_MIN - POSITION_STEP * index
                gain += REQUIRED_BONUS * (candidate.field in required)
                if entity.fields[candidate.field].ref and columns[index].type in ("id", "integer", "postal_code"):
                    gain += ID_BONUS
                gain = max(gain - EMPTY_LOSS * (1.0 - columns[index].fill), POSITION_STEP)
                gains[place[candidate.field], index] = gain
    taken = {column: fields[row] for row, column in enumerate(assign(gains)) if column >= 0}
    chances = [
        {c.field: c.score for c in options if column.type != "empty" and _is_called_alike(c, column)}
        for column, options in zip(columns, candidates, strict=True)
    ]
    return fill_required(taken, entity.required_groups(), chances)


def _is_called_alike(candidate: Candidate, column: ColumnProfile) -> bool:
    return not column.header or candidate.basis.header >= LIKE_MIN


def _least(candidate: Candidate, column: ColumnProfile) -> float:
    """What a chance for a required field must be above."""
    says_something = column.type not in SAYING_NOTHING or _is_called_alike(candidate, column)
    return TAKE_MIN if says_something else UNLIKE_MIN


def _mapping(
    entity: EntityType,
    field: Field,
    profile: ColumnProfile,
    candidates: Sequence[Sequence[Candidate]],
    known: _Known,
    left_out: str | None,
) -> FieldMapping:
    scorer = known.scorer
    own = candidates[profile.index]
    candidate = next(c for c in own if c.field == field.name)
    runner_up = next((c.field for c in own if c.field != field.name), None)
    options = options_for(entity.name, field, profile, scorer.evidence.lexicon, known.styles)
    if entity.name == "customers" and field.name == "source_id" and is_pair(profile):
        options = Options(part="before", separator="_")
    told = strongest_for(field.name, candidate.hints)
    notes = [unit_reason(field, profile, options), known.styles.reason(field, profile), left_out]
    confidence = scorer.model.calibrated("column", min(candidate.score, 1.0))
    return FieldMapping(
        field=field.name,
        column=profile.index,
        header=profile.header or None,
        confidence=round(max(confidence, told.strength if told else 0.0), 3),
        reasons=tuple(reasons_for(candidate, field, profile, told, [note for note in notes if note])),
        runner_up=runner_up,
        options=options,
        by=reference_by(field, profile, scorer.evidence.lexicon) if field.type is FieldType.REF else None,
    )


# ---- references -----------------------------------------------------------------------------------------------


def _add_evidence(
    mappings: list[FieldMapping],
    entity: EntityType,
    columns: Sequence[ColumnProfile],
    candidates: Sequence[Sequence[Candidate]],
    taken: Mapping[int, str],
) -> None:
    """Further columns that say something about the customer named: e-mail, phone, another name or id, the street."""
    for at, mapping in enumerate(mappings):
        if mapping.field != "customer" or mapping.column is None:
            continue
        facts: dict[str, int] = {}
        for profile in columns:
            if profile.index == mapping.column or profile.index in taken:
                continue
            if any(c.field == "customer" and c.score >= 0.2 for c in candidates[profile.index]):
                kind = _EVIDENCE_TYPES.get(profile.type)
                if kind is None and profile.type in ("id", "integer"):
                    kind = "source_id"
                if kind is not None and not (kind == "name" and mapping.by == "name"):
                    facts.setdefault(kind, profile.index)
        if entity.name in ("jobs", "invoices", "estimates", "equipment", "memberships"):
            for profile in columns:
                if profile.type in ("street", "address") and taken.get(profile.index) in ("street", "property"):
                    facts.setdefault("street", profile.index)
        if mapping.by in facts:
            facts.pop(str(mapping.by))
        mappings[at] = mapping.model_copy(update={"evidence": facts})


def _without_lost_places(
    files: Sequence[FileMapping], detections: Sequence[Detection], evidence: Evidence
) -> list[FileMapping]:
    """Where a session's customers are there and none has a property, streets in other files name no property either."""
    entities = {record.entity for file in files for record in file.records}
    if "customers" not in entities or "properties" in entities:
        return list(files)
    return [_without_streets_of_places(file, d.columns, evidence) for file, d in zip(files, detections, strict=True)]


def _without_streets_of_places(file: FileMapping, columns: Sequence[ColumnProfile], evidence: Evidence) -> FileMapping:
    def stays(field: FieldMapping) -> bool:
        is_place = field.field == "property" and field.by == "name" and field.column is not None
        return not (is_place and is_street(columns[field.column or 0], evidence))

    records = [record.model_copy(update={"fields": tuple(filter(stays, record.fields))}) for record in file.records]
    return file.model_copy(update={"records": tuple(records)})
