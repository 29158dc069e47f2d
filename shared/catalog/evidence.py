"""What the values of a column say about a field: whether it could hold them, and how much they speak for it."""

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


@dataclass(frozen=True)
class FieldScore:
    """How likely a column holds one field of an entity type (`score`), and what speaks for it; all from 0 to 1."""

    field: str
    score: float
    header: float
    fit: float
    telling: float
    """How much the values alone speak for the field; 0 where they speak as much for another one."""


class Evidence:
    """Catalogue, lexicon and what kinds of values fit and tell which fields. Immutable after loading."""

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


def build_evidence(lexicon: Lexicon) -> Evidence:
    """The shipped value evidence over a lexicon."""
    text = resources.files("shared.catalog").joinpath("value_evidence.yaml").read_text(encoding="utf-8")
    return Evidence(yaml.safe_load(text), load_catalog(), lexicon)


@lru_cache(maxsize=1)
def load_evidence() -> Evidence:
    """The evidence that ships with the hub."""
    return build_evidence(load_lexicon())
