"""Evidence that a column holds a field: its header against the lexicon, its values against what the field expects.

Used by detection (which entity type explains the columns best) and by mapping proposals alike, so both see the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from shared.catalog.lexicon import Lexicon, load_lexicon
from shared.catalog.model import Catalog, EntityType, Field, load_catalog
from shared.messages.analysis import ColumnProfile

SCORE_MIN = 0.2
"""Weaker evidence is none: it would only fill fields with whatever column is left."""
NOTHING_MIN = 0.55
"""Below this a header merely shares a word with something that no field holds."""
EXACT = 0.95
"""A header that is one of the field's own phrases holds it, whatever else it may mean elsewhere."""
VALUES_WITH_HEADER = 0.22
VALUES_WITH_UNKNOWN_HEADER = 0.45
VALUES_WITHOUT_HEADER = 1.0
"""How much values say by themselves, by what the header says."""


@dataclass(frozen=True)
class FieldScore:
    """What speaks for one field of an entity type: `score` 0..1 from the header alone, the fit of the values, both."""

    field: str
    score: float
    header: float
    fit: float
    telling: float


class Evidence:
    """Scores columns against fields. Immutable after loading."""

    def __init__(self, raw: Mapping[str, Any], catalog: Catalog, lexicon: Lexicon) -> None:
        self.catalog = catalog
        self.lexicon = lexicon
        self._fit: dict[tuple[str, str], dict[str, float]] = {}
        self._against: Mapping[str, Mapping[str, float]] = raw["against"]
        self._telling: dict[str, list[tuple[str, dict[str, float]]]] = {}
        for entity in catalog.detectable():
            for field in entity.fields.values():
                by_type = raw["fit_by_type"][field.type.value]
                by_field = raw["fit_by_field"].get(field.name, {})
                self._fit[entity.name, field.name] = {**by_type, **by_field}
            self._telling[entity.name] = list(self._telling_of(entity, raw["telling"]))

    def _telling_of(self, entity: EntityType, telling: Mapping[str, dict[str, float]]) -> Any:
        for name in entity.fields:
            kinds = telling.get(f"{entity.name}.{name}") or telling.get(name)
            if kinds:
                yield name, kinds

    def fit(self, entity: str, field: Field, profile: ColumnProfile) -> float:
        """0..1: could the values be stored in the field at all?"""
        table = self._fit[entity, field.name]
        fit = table.get(profile.type, table["*"])
        against = self._against.get(f"{entity}.{field.name}") or self._against.get(field.name, {})
        for kind, loss in against.items():
            fit *= 1 - loss * profile.kinds.get(kind, 0.0)
        return fit

    def fit_table(self, entity: str, field: str) -> dict[str, float]:
        """How well values of each column type fit the field; "*" for those not listed."""
        return self._fit[entity, field]

    def speaking_against(self, entity: str, field: str) -> dict[str, float]:
        """Kinds of values that speak against the field, with the fit it loses where all values are of the kind."""
        return dict(self._against.get(f"{entity}.{field}") or self._against.get(field, {}))

    def telling(self, entity: str, field: str) -> dict[str, float]:
        """Kinds of values that by themselves speak for the field, with their strength."""
        return next((wanted for name, wanted in self._telling[entity] if name == field), {})

    def field_scores(self, entity: str, profile: ColumnProfile) -> list[FieldScore]:
        """Every field of the entity type for which something speaks, the best first."""
        header = profile.header
        named = self.lexicon.header_scores(header) if header else {}
        nothing = self.lexicon.nothing_score(header) if header else 0.0
        told = self._told(entity, profile)
        known = bool(header) and (nothing >= 0.6 or any(score >= 0.5 for score in named.values()))
        trust = VALUES_WITHOUT_HEADER if not header else VALUES_WITH_HEADER if known else VALUES_WITH_UNKNOWN_HEADER
        result = []
        for name, field in self.catalog[entity].fields.items():
            by_header = named.get((entity, name), 0.0)
            telling = told.get(name, 0.0)
            if not by_header and not (telling and (not known or not header)):
                continue
            fit = self.fit(entity, field, profile)
            score = by_header * fit
            if by_header < EXACT and nothing >= max(by_header, NOTHING_MIN):
                score *= 0.35
            elif by_header < EXACT and nothing > max(NOTHING_MIN, 0.85 * by_header):
                score *= 0.75
            score += (1 - score) * telling * trust * (fit if header else 1.0) * (1.0 - 0.8 * nothing)
            if score >= SCORE_MIN:
                result.append(FieldScore(name, min(score, 1.0), by_header, fit, telling))
        result.sort(key=lambda s: (-s.score, s.field))
        return result

    def _told(self, entity: str, profile: ColumnProfile) -> dict[str, float]:
        kinds = profile.kinds
        result = {}
        for name, wanted in self._telling[entity]:
            strength = sum(kinds.get(kind, 0.0) * weight for kind, weight in wanted.items())
            if strength > 0.1:
                result[name] = min(strength, 0.95)
        return result


def build_evidence(lexicon: Lexicon) -> Evidence:
    """The shipped value evidence over a lexicon."""
    text = resources.files("shared.catalog").joinpath("value_evidence.yaml").read_text(encoding="utf-8")
    return Evidence(yaml.safe_load(text), load_catalog(), lexicon)


@lru_cache(maxsize=1)
def load_evidence() -> Evidence:
    """The evidence that ships with the hub."""
    return build_evidence(load_lexicon())
