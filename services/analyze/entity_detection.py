"""Which entity type a file holds, from its headers, its values, its name and the session's other files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from services.analyze.profiles import profile_columns
from services.analyze.relations import find_relations
from shared.catalog.confidence import calibrated
from shared.catalog.evidence import Evidence, FieldScore, load_evidence
from shared.catalog.lexicon import is_custom_field, spelling
from shared.catalog.model import EntityType
from shared.messages.analysis import Alternative, ColumnProfile, Detection, Relation, SampledFile

TAKEN_MIN = 0.4
"""Below this a column does not count as holding the field."""
CERTAINTY = 1.9
"""How fast a lead of explained columns turns into certainty."""
NAME_BONUS = 1.3
FIRST_COLUMN_BONUS = 0.35
SUBJECT_BONUS = 0.25
MISSING_REQUIRED = 1.1
ALTERNATIVE_MIN = 0.03
OF_THE_EXPORT_MIN = 0.8
"""Share of a file's headers that must be those of a known export before the file is said to come from its platform."""

# Where two entity types explain the columns equally well: the one with fewer fields of its own needs less to be there.
PRIOR = {"customers": 0.2, "jobs": 0.1, "invoices": 0.1}
# A file of these without a parent is more likely something else.
NEEDS_PARENT = {"contacts": ("customer", 0.9), "equipment": ("serial_number", 0.2)}


@dataclass(frozen=True)
class _Explained:
    """How one entity type explains a file."""

    entity: str
    score: float
    by_field: dict[str, tuple[int, float]]
    """Field -> (column, score)."""


def detect(files: Sequence[SampledFile], evidence: Evidence | None = None) -> list[Detection]:
    """One detection per file, in the order given. All files are looked at together: relations between them count."""
    known = evidence or load_evidence()
    profiles = [profile_columns(file.headers, file.rows, file.records) for file in files]
    first = [_detect_one(file, columns, known) for file, columns in zip(files, profiles, strict=True)]
    relations = find_relations(files, first, known)
    return [_with_relations(detection, related) for detection, related in zip(first, relations, strict=True)]


def _with_relations(detection: Detection, related: Sequence[Relation]) -> Detection:
    return msgspec.structs.replace(detection, relations=tuple(related)) if related else detection


def _detect_one(file: SampledFile, columns: list[ColumnProfile], evidence: Evidence) -> Detection:
    named = evidence.lexicon.named_in(file.file)
    explained = [_explain(entity, columns, evidence) for entity in evidence.catalog.detectable()]
    scores = {e.entity: e.score + NAME_BONUS * named.get(e.entity, 0.0) for e in explained}
    platform, platform_entity = _platform(file.headers, evidence), _known_layout(file.headers, evidence)
    if platform_entity is not None:
        scores[platform_entity] += 2.0
    none, none_score = _none_of_these(file, columns, evidence)
    filled = [c for c in columns if c.header or c.type != "empty"]
    best = max(explained, key=lambda e: (scores[e.entity], e.entity))
    chances = _chances(scores)
    ranked = sorted(chances.items(), key=lambda item: (-item[1], item[0]))
    reasons: list[str]
    if _is_none(best, len(filled), none_score, evidence, platform_entity is not None):
        entity = None
        share = sum(1 for _, s in best.by_field.values() if s >= TAKEN_MIN) / max(len(filled), 1)
        confidence = round(min(0.97, max(0.55, 1.0 - share * 0.6)), 3)
        reasons = _reasons_against(best, none, none_score, len(filled), evidence)
        alternatives = tuple(Alternative(entity=e, confidence=round(p * (1 - confidence), 3)) for e, p in ranked[:3])
    else:
        entity = ranked[0][0]
        best = next(e for e in explained if e.entity == entity)
        coverage = sum(s for _, s in best.by_field.values()) / max(len(filled), 1)
        confidence = round(calibrated("entity", chances[entity] * min(1.0, 0.55 + coverage)), 3)
        reasons = _reasons_for(best, columns, named, platform, file, evidence)
        alternatives = tuple(
            Alternative(entity=e, confidence=round(min(p, 1 - confidence), 3))
            for e, p in ranked[1:4]
            if p >= ALTERNATIVE_MIN
        )
    return Detection(
        file=file.file, sha256=file.sha256, entity=entity, entity_confidence=confidence, alternatives=alternatives,
        reasons=tuple(reasons), platform=platform, columns=tuple(columns), relations=(), records=file.records,
    )  # fmt: skip


def _explain(entity: EntityType, columns: Sequence[ColumnProfile], evidence: Evidence) -> _Explained:
    """Greedy one-to-one: each field takes its best free column. Good enough to compare entity types."""
    candidates: list[tuple[float, int, FieldScore]] = []
    for profile in _once(columns, evidence):
        candidates.extend((s.score, profile.index, s) for s in evidence.field_scores(entity.name, profile)[:4])
    candidates.sort(key=lambda c: (-c[0], c[1], c[2].field))
    taken: dict[str, tuple[int, float]] = {}
    used: set[int] = set()
    for score, column, field in candidates:
        if field.field not in taken and column not in used:
            taken[field.field] = (column, score)
            used.add(column)
    total = sum(score**1.5 for _, score in taken.values())
    total += PRIOR.get(entity.name, 0.0)
    for group in entity.required_groups():
        if not any(taken.get(field, (0, 0.0))[1] >= TAKEN_MIN for field in group):
            total -= MISSING_REQUIRED
    if entity.name in NEEDS_PARENT:
        field_name, penalty = NEEDS_PARENT[entity.name]
        if taken.get(field_name, (0, 0.0))[1] < TAKEN_MIN:
            total -= penalty
    total += FIRST_COLUMN_BONUS * _own_key_first(entity, columns, evidence)
    total += SUBJECT_BONUS * min(5, max(0, _subject_headers(entity, columns, evidence) - 1))
    return _Explained(entity.name, total, taken)


def _once(columns: Sequence[ColumnProfile], evidence: Evidence) -> list[ColumnProfile]:
    """The columns without those that repeat a header: a second "Name" says no more about what the file holds."""
    first: dict[tuple[str, ...], ColumnProfile] = {}
    nameless = [column for column in columns if not column.header]
    for column in columns:
        if column.header:
            first.setdefault(evidence.lexicon.tokens(column.header), column)
    return [*first.values(), *nameless]


def _own_key_first(entity: EntityType, columns: Sequence[ColumnProfile], evidence: Evidence) -> float:
    """1 where one of the first two headers is the entity type's own number, id or name with its word in it."""
    own = evidence.lexicon.entity_words[entity.name]
    for profile in columns[:2]:
        words = set(evidence.lexicon.tokens(profile.header)) if profile.header else set()
        if words & own and words & {"id", "number", "name", "code"} and len(words) <= 3:
            return 1.0
    return 0.0


def _subject_headers(entity: EntityType, columns: Sequence[ColumnProfile], evidence: Evidence) -> int:
    """How many headers of several words name the entity type first: "Quote #", "Quote status", "Quote date"."""
    nouns = evidence.lexicon.subjects.get(entity.name, frozenset())
    words = (evidence.lexicon.tokens(column.header) for column in columns if column.header)
    return sum(1 for header in words if len(header) > 1 and header[0] in nouns)


def _chances(scores: dict[str, float]) -> dict[str, float]:
    top = max(scores.values())
    weights = {entity: math.exp(CERTAINTY * (score - top)) for entity, score in scores.items()}
    total = sum(weights.values())
    return {entity: weight / total for entity, weight in weights.items()}


def _known_layout(headers: Sequence[str], evidence: Evidence) -> str | None:
    """The entity type of the known export whose columns, by their meaning, are those of the file."""
    words = {evidence.lexicon.tokens(header) for header in headers if header}
    best: tuple[float, str] | None = None
    for known in evidence.lexicon.platforms:
        hits = len(words & known.headers)
        if hits >= known.at_least and (hits >= 0.5 * len(words) or hits >= 0.75 * len(known.headers)):
            share = hits / len(known.headers)
            if best is None or share > best[0]:
                best = (share, known.entity)
    return best[1] if best else None


def _platform(headers: Sequence[str], evidence: Evidence) -> str | None:
    """The platform whose export has these headers, letter by letter. It names the namespace of ids: no guess."""
    spelled = {spelling(header) for header in headers if header and not is_custom_field(header)}
    found: dict[str, float] = {}
    for known in evidence.lexicon.platforms:
        hits = len(spelled & known.spelled)
        of_the_export = len(spelled & (known.spelled | known.also))
        if hits >= known.at_least and of_the_export >= OF_THE_EXPORT_MIN * len(spelled):
            found[known.platform] = max(found.get(known.platform, 0.0), of_the_export / len(spelled))
    return max(found, key=lambda platform: (found[platform], platform)) if found else None


# ---- none of these --------------------------------------------------------------------------------------------


def _none_of_these(file: SampledFile, columns: Sequence[ColumnProfile], evidence: Evidence) -> tuple[str, float]:
    """The best other kind of table with the share of the named columns it explains."""
    headers = [frozenset(evidence.lexicon.tokens(c.header)) for c in columns if c.header]
    name = set(evidence.lexicon.tokens(file.file))
    best = ("", 0.0)
    for label, (words, phrases) in evidence.lexicon.others.items():
        hits = sum(1 for header in headers if header in phrases)
        score = hits / max(len(headers), 1) + (0.15 if name & words else 0.0)
        if hits >= 2 and score > best[1]:
            best = (label, score)
    return best


def _is_none(best: _Explained, columns: int, none_score: float, evidence: Evidence, is_platform: bool) -> bool:
    if is_platform:
        return False
    if columns < 1:
        return True
    held = [score for _, score in best.by_field.values() if score >= TAKEN_MIN]
    share = sum(held) / columns
    entity = evidence.catalog[best.entity]
    complete = all(
        any(best.by_field.get(field, (0, 0.0))[1] >= TAKEN_MIN for field in group) for group in entity.required_groups()
    )
    if not complete:
        return share < 0.62 or none_score >= 0.5
    if len(held) < 2 and columns > 1:
        return True
    return share < 0.22 or (none_score >= 0.6 and none_score > share * 1.02)


def _reasons_against(best: _Explained, none: str, none_score: float, columns: int, evidence: Evidence) -> list[str]:
    reasons = []
    if none and none_score >= 0.4:
        reasons.append(f"The columns look like {none}, which is not imported.")
    entity = evidence.catalog[best.entity]
    held = sum(1 for _, score in best.by_field.values() if score >= TAKEN_MIN)
    reasons.append(f"The nearest entity type is {entity.label.lower()}, but only {held} of {columns} columns fit it.")
    for group in entity.required_groups():
        if not any(best.by_field.get(field, (0, 0.0))[1] >= TAKEN_MIN for field in group):
            labels = " or ".join(entity.fields[field].label.lower() for field in group)
            reasons.append(f"There is no column for {labels}.")
    return reasons


def _reasons_for(
    best: _Explained,
    columns: Sequence[ColumnProfile],
    named: dict[str, float],
    platform: str | None,
    file: SampledFile,
    evidence: Evidence,
) -> list[str]:
    entity = evidence.catalog[best.entity]
    held = sorted((s for s in best.by_field.items() if s[1][1] >= TAKEN_MIN), key=lambda item: -item[1][1])
    reasons = []
    if platform:
        reasons.append(f"The header row is a known export of {platform.replace('_', ' ').title()}.")
    reasons.append(f"{len(held)} of {len(columns)} columns fit {entity.label.lower()}.")
    telling = [
        f"“{columns[column].header}”" if columns[column].header else f"column {column + 1}"
        for field, (column, _) in held
        if field not in {"name", "email", "phone", "street", "city", "state", "postal_code", "notes", "created_at"}
    ]
    if telling:
        reasons.append("Telling columns: " + ", ".join(telling[:4]) + ".")
    if best.entity in named:
        reasons.append(f"The file name “{file.file}” speaks of {entity.label.lower()}.")
    return reasons
