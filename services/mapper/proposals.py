"""Mapping proposals: for every file which column feeds which field, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.mapper.address_groups import AddressGroup, find_address_groups
from services.mapper.assignment import assign
from services.mapper.column_options import is_pair, options_for, reference_by
from shared.catalog.confidence import calibrated
from shared.catalog.evidence import Evidence, FieldScore, load_evidence
from shared.catalog.model import EntityType, Field, FieldType
from shared.messages.analysis import ColumnProfile, Detection, Relation
from shared.messages.mapping import FieldMapping, FileMapping, MappingDocument, Options, RecordMapping

TAKE_MIN = 0.4
"""Below this score leaving a column unmapped is right more often than the best field."""
CONVEXITY = 1.5
"""Above 1: one sure column is worth more than two doubtful ones that would fill two fields."""
REQUIRED_BONUS = 0.05
RELATION_SHARE = 0.5
POSITION_STEP = 0.0005
BILLING_BONUS = 0.02
ADDRESS_PARTS = frozenset({"street", "street2", "city", "state", "postal_code", "country"})
OWN_STREET_BONUS = 0.05
"""A street goes to the record's own street field before it names a property."""
ID_BONUS = 0.03
"""Among a parent's id, name and e-mail the id names it best."""

_STREET_WORDS = frozenset({"street", "address"})
_EVIDENCE_TYPES = {
    "email": "email", "phone": "phone", "postal_code": "postal_code", "street": "street", "address": "street",
    "name": "name", "company": "name",
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One possible field of a column with what speaks for it."""

    field: str
    score: float
    basis: FieldScore
    relation: Relation | None


def propose(
    detections: Sequence[Detection],
    *,
    evidence: Evidence | None = None,
    entities: Mapping[str, str | None] | None = None,
    source_label: str | None = None,
    region: str = "US",
    strict: bool = False,
) -> MappingDocument:
    """The mapping of a session's files. `entities` sets types by hand (file -> type, None: leave the file out)."""
    known = evidence or load_evidence()
    chosen = entities or {}
    platforms = {d.platform for d in detections if d.platform}
    files = [
        propose_file(d, known, entity=chosen[d.file], given=True) if d.file in chosen else propose_file(d, known)
        for d in detections
    ]
    return MappingDocument(
        source_label=source_label or (platforms.pop() if len(platforms) == 1 else "files"),
        region=region,
        strict=strict,
        files=tuple(_without_lost_places(files, detections, known)),
    )


def propose_file(
    detection: Detection, evidence: Evidence, *, entity: str | None = None, given: bool = False
) -> FileMapping:
    """The mapping of one file: for the detected entity type, or (`given`) for the one set by hand."""
    kind = entity if given else detection.entity
    confidence = 1.0 if given else detection.entity_confidence
    reasons = ("The entity type was set by hand.",) if given else detection.reasons
    records = _records(detection, evidence.catalog[kind], evidence) if kind is not None else ()
    return FileMapping(
        file=detection.file,
        sha256=detection.sha256,
        headers=tuple(column.header for column in detection.columns),
        records=records,
        entity_confidence=confidence,
        reasons=reasons,
    )


def _records(detection: Detection, entity: EntityType, evidence: Evidence) -> tuple[RecordMapping, ...]:
    groups = find_address_groups(detection.columns, evidence) if entity.name == "customers" else []
    primary = _primary(detection, entity, evidence, groups)
    pair = next((f for f in primary.fields if f.field == "source_id" and f.options.part == "before"), None)
    secondary = [_property_record(slot, group, detection, evidence, pair) for slot, group in enumerate(groups)]
    return (primary, *secondary)


# ---- the file's own entity type -------------------------------------------------------------------------------


def _primary(
    detection: Detection, entity: EntityType, evidence: Evidence, groups: Sequence[AddressGroup]
) -> RecordMapping:
    columns = detection.columns
    candidates = [_candidates(entity, profile, detection, evidence) for profile in columns]
    _keep_groups_apart(candidates, groups)
    if entity.name == "customers":
        _prefer_billing(candidates, columns, evidence)
    _name_beside_first_name(candidates, columns, evidence)
    if {"street", "property"} <= entity.fields.keys():
        _own_street_first(candidates, columns, evidence)
    fields = list(entity.fields)
    place = {name: i for i, name in enumerate(fields)}
    required = {field for group in entity.required_groups() for field in group}
    gains = np.zeros((len(fields), len(columns)))
    for index, options in enumerate(candidates):
        for candidate in options:
            if candidate.score > TAKE_MIN:
                gain = (candidate.score - TAKE_MIN) ** CONVEXITY - POSITION_STEP * index
                gain += REQUIRED_BONUS * (candidate.field in required)
                if entity.fields[candidate.field].ref and columns[index].type in ("id", "integer", "postal_code"):
                    gain += ID_BONUS
                gains[place[candidate.field], index] = gain
    taken = {column: fields[row] for row, column in enumerate(assign(gains)) if column >= 0}
    mappings = [
        _mapping(entity, entity.fields[field], columns[column], candidates, taken, evidence)
        for column, field in sorted(taken.items())
    ]
    _add_evidence(mappings, entity, columns, candidates, taken)
    return RecordMapping(entity=entity.name, slot=0, primary=True, fields=tuple(mappings))


def _candidates(
    entity: EntityType, profile: ColumnProfile, detection: Detection, evidence: Evidence
) -> list[Candidate]:
    related = {r.parent_entity: r for r in detection.relations if r.column == profile.index}
    scores = {s.field: s for s in evidence.field_scores(entity.name, profile)}
    for ref in entity.refs():
        if ref.ref in related and ref.name not in scores:
            scores[ref.name] = FieldScore(ref.name, 0.0, 0.0, 1.0, 0.0)
    result = []
    for score in scores.values():
        relation = related.get(entity.fields[score.field].ref or "")
        value = score.score
        if relation is not None:
            value += (1 - value) * RELATION_SHARE * relation.share
        result.append(Candidate(score.field, value, score, relation))
    return sorted(result, key=lambda c: (-c.score, c.field))


def _keep_groups_apart(candidates: list[list[Candidate]], groups: Sequence[AddressGroup]) -> None:
    """The customer's address comes from one group: the columns outside all groups, else the first group."""
    in_group = {column for group in groups for column in group.columns.values()}
    has_own = any(
        c.field in ("street", "city") and c.score >= TAKE_MIN
        for index, options in enumerate(candidates)
        if index not in in_group
        for c in options
    )
    kept = set() if has_own or not groups else set(groups[0].columns.values())
    for index in in_group:
        allowed = ADDRESS_PARTS if index in kept else frozenset()
        boosted = (
            next((part for part, column in groups[0].columns.items() if column == index), None)
            if index in kept
            else None
        )
        candidates[index] = [
            Candidate(c.field, max(c.score, 0.8 * c.basis.fit) if c.field == boosted else c.score, c.basis, c.relation)
            for c in candidates[index]
            if c.field in allowed
        ]


def _prefer_billing(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile], evidence: Evidence) -> None:
    """Of two addresses of a customer the billing address is the customer's, if it is as complete as the other."""
    billing: dict[int, str] = {}
    other: set[str] = set()
    for profile, options in zip(columns, candidates, strict=True):
        if options and options[0].field in ADDRESS_PARTS and options[0].score >= 0.7:
            if "billing" in evidence.lexicon.tokens(profile.header):
                billing[profile.index] = options[0].field
            else:
                other.add(options[0].field)
    if len(set(billing.values())) >= len(other):
        for index, field in billing.items():
            candidates[index] = [
                replace(c, score=c.score + BILLING_BONUS) if c.field == field else c for c in candidates[index]
            ]


def _own_street_first(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile], evidence: Evidence) -> None:
    """Of a column that holds streets and is called so the record's own street comes before the name of a property."""
    for profile, options in zip(columns, candidates, strict=True):
        place = next((c for c in options if c.field == "property"), None)
        if place is not None and _is_street(profile, evidence):
            candidates[profile.index] = [
                replace(c, score=max(c.score, place.score) + OWN_STREET_BONUS) if c.field == "street" else c
                for c in options
            ]


def _is_street(profile: ColumnProfile, evidence: Evidence) -> bool:
    """True for street lines, unless the header speaks of the place as such: 'Property', 'Site', 'Location ID'."""
    words = set(evidence.lexicon.tokens(profile.header)) if profile.header else set()
    return profile.type in ("street", "address", "empty") and (not words or bool(words & _STREET_WORDS))


def _name_beside_first_name(
    candidates: list[list[Candidate]], columns: Sequence[ColumnProfile], evidence: Evidence
) -> None:
    """ "Nom" beside "Prénom" is the last name, where no other column is."""
    has = {c.field for options in candidates for c in options if c.score >= 0.9}
    if "first_name" not in has or "last_name" in has:
        return
    for profile, options in zip(columns, candidates, strict=True):
        if evidence.lexicon.tokens(profile.header) == ("name",) and profile.kinds.get("word", 0.0) >= 0.7:
            basis = next((c.basis for c in options if c.field == "name"), None)
            if basis is not None:
                candidates[profile.index] = [
                    Candidate("last_name", 0.9, basis, None),
                    *(c for c in options if c.field != "name"),
                ]
            return


def _mapping(
    entity: EntityType,
    field: Field,
    profile: ColumnProfile,
    candidates: Sequence[Sequence[Candidate]],
    taken: Mapping[int, str],
    evidence: Evidence,
) -> FieldMapping:
    own = candidates[profile.index]
    candidate = next(c for c in own if c.field == field.name)
    rivals = [c.score for c in own if c.field != field.name and c.field not in taken.values()]
    rivals += [
        c.score
        for index, options in enumerate(candidates)
        if index != profile.index and index not in taken
        for c in options[:2]
        if c.field == field.name
    ]
    runner_up = next((c.field for c in own if c.field != field.name), None)
    options = options_for(entity.name, field, profile, evidence.lexicon)
    if entity.name == "customers" and field.name == "source_id" and is_pair(profile):
        options = Options(part="before", separator="_")
    return FieldMapping(
        field=field.name,
        column=profile.index,
        header=profile.header or None,
        confidence=round(calibrated("column", _raw(candidate.score, max(rivals, default=0.0))), 3),
        reasons=tuple(_reasons(candidate, field, profile)),
        runner_up=runner_up,
        options=options,
        by=reference_by(field, profile, evidence.lexicon) if field.type is FieldType.REF else None,
    )


def _raw(score: float, rival: float) -> float:
    """A close rival makes a proposal less sure, a distant one does not."""
    return max(0.0, score - 0.35 * max(0.0, rival - 0.6 * score))


def _reasons(candidate: Candidate, field: Field, profile: ColumnProfile) -> list[str]:
    basis = candidate.basis
    reasons = []
    if basis.header >= 0.9:
        reasons.append(f"The header “{profile.header}” is a usual name for {field.label.lower()}.")
    elif basis.header >= 0.4:
        reasons.append(f"The header “{profile.header}” resembles names for {field.label.lower()}.")
    if candidate.relation is not None:
        relation = candidate.relation
        reasons.append(
            f"{relation.share:.0%} of its values are in the {relation.parent_entity} of {relation.parent_file}."
        )
    if profile.type == "empty":
        reasons.append("The column is empty, so only its header speaks.")
    elif basis.telling >= 0.4:
        reasons.append(f"Its values look like {field.label.lower()} ({profile.type.replace('_', ' ')}).")
    elif basis.fit >= 0.9:
        reasons.append(f"Its values ({profile.type.replace('_', ' ')}) fit.")
    elif basis.fit < 0.5:
        reasons.append(f"Its values ({profile.type.replace('_', ' ')}) are unusual for it.")
    return reasons[:3]


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
        return not (is_place and _is_street(columns[field.column or 0], evidence))

    records = [record.model_copy(update={"fields": tuple(filter(stays, record.fields))}) for record in file.records]
    return file.model_copy(update={"records": tuple(records)})


# ---- further records of the same row --------------------------------------------------------------------------


def _property_record(
    slot: int, group: AddressGroup, detection: Detection, evidence: Evidence, pair: FieldMapping | None
) -> RecordMapping:
    properties = evidence.catalog["properties"]
    fields = [FieldMapping(field="customer", column=None, by="row", reasons=("The customer of the same row.",))]
    if pair is not None and slot == 0:
        fields.append(
            FieldMapping(
                field="source_id",
                column=pair.column,
                header=pair.header,
                confidence=pair.confidence,
                reasons=("The whole id stands for the customer's property, the part before “_” for the customer.",),
            )
        )
    for part, column in sorted(group.columns.items(), key=lambda item: item[1]):
        profile = detection.columns[column]
        fit = evidence.fit("properties", properties.fields[part], profile)
        fields.append(
            FieldMapping(
                field=part,
                column=column,
                header=profile.header or None,
                confidence=round(calibrated("column", 0.95 * fit), 3),
                reasons=(f"“{profile.header}” is part of a further address of the customer ({group.label}).",),
            )
        )
    return RecordMapping(entity="properties", slot=slot, primary=False, fields=tuple(fields))
