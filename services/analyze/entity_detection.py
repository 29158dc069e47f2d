"""Which entity type a file holds, from its headers, its values, its name and the session's other files."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from services.analyze.entity_chances import EntityChances, entity_chances, platform_of
from services.analyze.profiles import profile_columns
from services.analyze.relations import SURE, UNIQUE_MIN, Look, find_relations
from shared.catalog.evidence import Evidence
from shared.catalog.lexicon import platform_label
from shared.matching.entity_features import AMOUNTS, NONE_FEATURES, TAKEN_MIN, Explained
from shared.matching.scorer import Scorer, load_scorer
from shared.messages.analysis import Alternative, ColumnProfile, Detection, Relation, SampledFile

ALTERNATIVES = 3
ALTERNATIVE_MIN = 0.03
RELATION_ODDS = 3.0
"""How much likelier an entity type becomes when all values of a column are records of a type that it refers to."""
TELLING_MAX = 4
OTHER_MEANING_MIN = 0.6
"""From here on a header names what no entity type holds."""
COMMON_FIELDS = frozenset({"name", "email", "phone", "street", "city", "state", "postal_code", "notes", "created_at"})
"""Fields that many entity types have: they tell little about what a file holds."""


def detect(files: Sequence[SampledFile], scorer: Scorer | None = None) -> list[Detection]:
    """One detection per file, in the order given. All files are looked at together: relations between them count."""
    known = scorer or load_scorer()
    looks = [_look(file, known) for file in files]
    return [
        _with_relations(look, tuple(related), known) for look, related in zip(looks, find_relations(looks), strict=True)
    ]


def _look(file: SampledFile, scorer: Scorer) -> Look:
    columns = profile_columns(file.headers, file.rows, file.records)
    if not any(c.header or c.type != "empty" for c in columns):
        empty = _detection(file, columns, None, 0.97, (), ["The file has no columns."], None)
        return Look(file, None, empty)
    scores = scorer.read(columns)
    return Look(file, scores, _decided(file, columns, entity_chances(file, scores, scorer), scorer))


def _with_relations(look: Look, related: tuple[Relation, ...], scorer: Scorer) -> Detection:
    """The detection with its relations; where the file by itself is doubtful they help to decide what it holds."""
    if not related:
        return look.detection
    detection = look.detection
    telling = [relation for relation in related if not _is_same_records(relation, detection)]
    if look.scores is not None and telling and detection.entity_confidence < SURE:
        scores = look.scores.as_child_of((r.column, r.parent_entity, r.share) for r in telling)
        parents = {relation.parent_entity: relation.share for relation in telling}
        chances = entity_chances(look.file, scores, scorer).as_child_of(parents, scorer.evidence.catalog, RELATION_ODDS)
        detection = _decided(look.file, detection.columns, chances, scorer)
    return msgspec.structs.replace(detection, relations=related)


def _is_same_records(relation: Relation, detection: Detection) -> bool:
    """Each value once, in a file of what the other file holds: rather its records once more than their children."""
    return relation.parent_entity == detection.entity and detection.columns[relation.column].unique_share >= UNIQUE_MIN


def _decided(file: SampledFile, columns: Sequence[ColumnProfile], chances: EntityChances, scorer: Scorer) -> Detection:
    platform = platform_of(file.headers, scorer.evidence)
    best, chance = chances.ranked()[0]
    is_none = chances.none > chance
    confidence = scorer.model.calibrated("entity", chances.none if is_none else chance)
    if is_none:
        reasons = _reasons_against(chances, columns, scorer)
    else:
        reasons = _reasons_for(chances.explained(best), columns, chances, platform, file, scorer.evidence)
    entity = None if is_none else best
    others = tuple(
        Alternative(
            entity=name, confidence=round(min(scorer.model.calibrated("entity", p), confidence, 1 - confidence), 3)
        )
        for name, p in chances.ranked()[: ALTERNATIVES + 1]
        if name != entity and (p >= ALTERNATIVE_MIN or is_none)
    )
    return _detection(file, columns, entity, confidence, others[:ALTERNATIVES], reasons, platform)


def _detection(
    file: SampledFile,
    columns: Sequence[ColumnProfile],
    entity: str | None,
    confidence: float,
    alternatives: tuple[Alternative, ...],
    reasons: Sequence[str],
    platform: str | None,
) -> Detection:
    return Detection(
        file=file.file, sha256=file.sha256, entity=entity, entity_confidence=round(confidence, 3),
        alternatives=alternatives, reasons=tuple(reasons), platform=platform, columns=tuple(columns), relations=(),
        records=file.records,
    )  # fmt: skip


def _reasons_against(chances: EntityChances, columns: Sequence[ColumnProfile], scorer: Scorer) -> list[str]:
    reasons, evidence = [], scorer.evidence
    if chances.view.other_table and chances.view.around.other_table >= 0.4:
        reasons.append(f"The columns look like {chances.view.other_table}, which is not imported.")
    best = chances.explained(chances.ranked()[0][0])
    entity = evidence.catalog[best.entity]
    held = sum(1 for _, chance in best.by_field.values() if chance >= TAKEN_MIN)
    filled = sum(1 for c in columns if c.header or c.type != "empty")
    nearest = f"The nearest entity type is {entity.label.lower()}"
    if filled == 1:
        reasons.append(f"{nearest}, but one column alone tells too little.")
    elif 2 * held < filled:
        reasons.append(f"{nearest}, but {f'only {held}' if held else 'none'} of {filled} columns fit it.")
    else:
        reasons += [f"{nearest}: {held} of {filled} columns fit it.", _against_nearest(chances, columns, scorer)]
    for group in entity.required_groups():
        if best.chance(group) < TAKEN_MIN:
            labels = " or ".join(entity.fields[field].label.lower() for field in group)
            reasons.append(f"There is no column for {labels}.")
    return reasons


def _against_nearest(chances: EntityChances, columns: Sequence[ColumnProfile], scorer: Scorer) -> str:
    """Why a file is none of the types though most of its columns fit one: what weighs most in the model's decision."""
    weight = dict(zip(NONE_FEATURES, chances.view.none_row * scorer.model.none, strict=True))
    lexicon = scorer.evidence.lexicon
    foreign = [f"“{c.header}”" for c in columns if c.header and lexicon.nothing_score(c.header) >= OTHER_MEANING_MIN]
    numbers = sum(1 for column in columns if column.type in AMOUNTS)
    possible = [
        (weight["few_explained"], "So few columns could belong to many kinds of lists."),
        (weight["no_contact_details"], "No column holds e-mail addresses, phone numbers or streets."),
    ]
    if foreign:
        told = ", ".join(foreign[:TELLING_MAX])
        possible.append((weight["other_meaning"], f"No entity type has what these headers name: {told}."))
    if 2 * numbers > len(columns):
        possible.append((weight["amounts"], f"{numbers} columns hold numbers, as in a report."))
    most, reason = max(possible)
    return reason if most > 0 else "As a whole it looks more like a list that is not imported."


def _reasons_for(
    best: Explained,
    columns: Sequence[ColumnProfile],
    chances: EntityChances,
    platform: str | None,
    file: SampledFile,
    evidence: Evidence,
) -> list[str]:
    entity = evidence.catalog[best.entity]
    held = sorted((f for f in best.by_field.items() if f[1][1] >= TAKEN_MIN), key=lambda item: -item[1][1])
    reasons = []
    if platform:
        reasons.append(f"The header row is a known export of {platform_label(platform)}.")
    reasons.append(f"{len(held)} of {len(columns)} columns fit {entity.label.lower()}.")
    telling = [
        f"“{columns[column].header}”" if columns[column].header else f"column {column + 1}"
        for field, (column, _) in held
        if field not in COMMON_FIELDS
    ]
    if telling:
        reasons.append("Telling columns: " + ", ".join(telling[:TELLING_MAX]) + ".")
    if best.entity in chances.view.around.named:
        reasons.append(f"The file name “{file.file}” speaks of {entity.label.lower()}.")
    return reasons
