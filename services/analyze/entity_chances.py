"""How likely each entity type is as the content of a file, and how likely it is none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.catalog.evidence import Evidence
from shared.catalog.lexicon import is_custom_field, spelling
from shared.catalog.model import Catalog
from shared.matching.entity_features import (
    ENTITY_FEATURES,
    WITH_A_PARTY,
    Explained,
    Surroundings,
    entity_rows,
    explain,
    none_row,
    status_shares,
)
from shared.matching.model import Model
from shared.matching.pair_features import DIGITS
from shared.matching.scorer import FileScores, Scorer
from shared.messages.analysis import ColumnProfile, SampledFile

Floats = NDArray[np.float64]

OF_THE_EXPORT_MIN = 0.8
"""Share of a file's headers that must be those of a known export before the file is said to come from its platform."""


@dataclass(frozen=True)
class EntityView:
    """A file as each entity type sees it, with the features that the model weighs."""

    explained: tuple[Explained, ...]
    rows: Floats
    """Entity types x features."""
    none_row: Floats
    around: Surroundings
    other_table: str
    """The best other kind of table, "" where none is near."""


@dataclass(frozen=True)
class EntityChances:
    """Chances that sum to 1."""

    view: EntityView
    by_entity: Mapping[str, float]
    none: float

    def ranked(self) -> list[tuple[str, float]]:
        """The entity types, the likeliest first."""
        return sorted(self.by_entity.items(), key=lambda item: (-item[1], item[0]))

    def explained(self, entity: str) -> Explained:
        """How the entity type explains the file."""
        return next(one for one in self.view.explained if one.entity == entity)

    def as_child_of(self, parents: Mapping[str, float], catalog: Catalog, odds: float) -> EntityChances:
        """The chances where values of the file's columns are records of these entity types (share of the values)."""
        raised = dict(self.by_entity)
        for entity in raised:
            shares = [parents.get(ref.ref or "", 0.0) for ref in catalog[entity].refs()]
            raised[entity] *= 1.0 + (odds - 1.0) * max(shares, default=0.0)
        total = sum(raised.values()) + self.none
        return replace(self, by_entity={e: p / total for e, p in raised.items()}, none=self.none / total)


def entity_chances(file: SampledFile, scores: FileScores, scorer: Scorer) -> EntityChances:
    """The chances of one file, from its columns' scores, its header row and its name."""
    return chances_of(look_at(file, scores, scorer), scorer.space.entities, scorer.model)


def chances_of(view: EntityView, entities: Sequence[str], model: Model) -> EntityChances:
    """The chances of one file, by the model's weights of what was seen."""
    weights = model.entity
    own = view.rows @ weights[: len(ENTITY_FEATURES)] + weights[len(ENTITY_FEATURES) :]
    values = np.append(own, view.none_row @ model.none)
    shares = np.exp(values - values.max())
    shares = np.round(shares / shares.sum(), DIGITS)
    return EntityChances(view, dict(zip(entities, map(float, shares[:-1]), strict=True)), float(shares[-1]))


def look_at(file: SampledFile, scores: FileScores, scorer: Scorer) -> EntityView:
    """The features of every entity type and of none."""
    space, evidence, columns = scorer.space, scorer.evidence, scores.columns
    fields = {entity: [field for _, field in space.pairs[part]] for entity, part in space.parts.items()}
    explained = tuple(explain(entity, fields[entity], scores.of(entity)) for entity in space.entities)
    usual = {
        entity: dict(zip(fields[entity], map(float, scorer.model.usual[part]), strict=True))
        for entity, part in space.parts.items()
    }
    groups = {entity: evidence.catalog[entity].required_groups() for entity in space.entities}
    words = {entity: scores.evidence.words[:, part] for entity, part in space.parts.items()}
    other_table, share, is_named = _other_table(file, columns, evidence)
    statuses = {entity: tuple(evidence.telling(entity, "status")) for entity in WITH_A_PARTY}
    status_chances = {entity: scores.of(entity)[:, fields[entity].index("status")] for entity in statuses}
    around = Surroundings(
        named=evidence.lexicon.named_in(file.file),
        known_layout=known_layout(file.headers, evidence),
        other_table=share,
        other_table_name=float(is_named),
        other_subject_named=float(not evidence.lexicon.other_subjects.isdisjoint(evidence.lexicon.tokens(file.file))),
        statuses=status_shares(statuses, status_chances, columns),
    )
    rows = entity_rows(explained, groups, usual, words, columns, evidence.lexicon, around)
    at = int(np.argmax(rows[:, 0] - rows[:, 7]))
    none = none_row(
        explained[at], float(rows[at, 7]), columns, scores.evidence.other_meaning, float(rows[at, 3]), around,
        evidence.lexicon,
    )  # fmt: skip
    return EntityView(explained, rows, none, around, other_table)


def _other_table(file: SampledFile, columns: Sequence[ColumnProfile], evidence: Evidence) -> tuple[str, float, bool]:
    """The best other kind of table, the share of the named columns it explains, and whether the file is named so."""
    headers = [frozenset(evidence.lexicon.tokens(c.header)) for c in columns if c.header]
    name = set(evidence.lexicon.tokens(file.file))
    best, best_share, is_named = "", 0.0, False
    for label, (words, phrases) in evidence.lexicon.others.items():
        hits = sum(1 for header in headers if header in phrases)
        share = hits / max(len(headers), 1)
        if hits >= 2 and share > best_share:
            best, best_share, is_named = label, share, bool(name & words)
    return best, best_share, is_named


def known_layout(headers: Sequence[str], evidence: Evidence) -> str | None:
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


def platform_of(headers: Sequence[str], evidence: Evidence) -> str | None:
    """The platform whose export has these headers, letter by letter. It names the namespace of ids: no guess."""
    spelled = {spelling(header) for header in headers if header and not is_custom_field(header)}
    found: dict[str, float] = {}
    for known in evidence.lexicon.platforms:
        hits = len(spelled & known.spelled)
        of_the_export = len(spelled & (known.spelled | known.also))
        if hits >= known.at_least and of_the_export >= OF_THE_EXPORT_MIN * len(spelled):
            found[known.platform] = max(found.get(known.platform, 0.0), of_the_export / len(spelled))
    return max(found, key=lambda platform: (found[platform], platform)) if found else None
