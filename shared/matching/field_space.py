"""All (entity type, field) pairs of the catalogue in one order, and what the lexicon and value evidence say as arrays.

A file is scored against every pair at once: with rows per column and columns per pair that is a few numpy operations.
"""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.catalog.evidence import Evidence, load_evidence
from shared.matching.letter_groups import LetterGroups
from shared.matching.value_tables import ValueTables
from shared.messages.analysis import ColumnProfile

Floats = NDArray[np.float64]

HEADERS_KEPT_MAX = 4096
"""Headers whose scores are remembered: a session's files share most of theirs."""


class FieldSpace:
    """The pairs and their evidence. Immutable but for a bounded memory of headers; build it once with `load_space`."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        entities = evidence.catalog.detectable()
        self.entities = tuple(entity.name for entity in entities)
        self.pairs = tuple((entity.name, field) for entity in entities for field in entity.fields)
        self.place = {pair: at for at, pair in enumerate(self.pairs)}
        self.parts: dict[str, slice] = {}
        start = 0
        for entity in entities:
            self.parts[entity.name] = slice(start, start + len(entity.fields))
            start += len(entity.fields)
        self.field_names = tuple(sorted({field for _, field in self.pairs}))
        numbers = {name: at for at, name in enumerate(self.field_names)}
        self.field_of = np.array([numbers[field] for _, field in self.pairs])
        self.by_field = np.argsort(self.field_of, kind="stable")
        """Pairs in the order of their fields' names; those of one field begin at `field_starts`."""
        self.field_starts = np.searchsorted(self.field_of[self.by_field], np.arange(len(self.field_names)))
        fields = [evidence.catalog[entity].fields[name] for entity, name in self.pairs]
        self.field_types = tuple(field.type.value for field in fields)
        self.is_ref = np.array([float(field.ref is not None) for field in fields])
        self._values = ValueTables(evidence, self.pairs)
        self._letters = LetterGroups(evidence.lexicon, self.place)
        self._headers: dict[str, tuple[Floats, Floats, float]] = {}

    def without(self, evidence: Evidence, phrases: frozenset[frozenset[str]]) -> FieldSpace:
        """The same space over a lexicon that lacks these phrases: for training, where building it anew takes long."""
        other = copy.copy(self)
        other.evidence = evidence
        other._letters = self._letters.without(phrases)
        other._headers = {}
        return other

    def of(self, entity: str) -> FieldSpace:
        """The pairs of one entity type alone: for features of what is known to be of that type. Reads no headers."""
        part = self.parts[entity]
        other = copy.copy(self)
        other.pairs = self.pairs[part]
        other.parts = {entity: slice(0, len(other.pairs))}
        other.field_of = self.field_of[part]
        other.is_ref = self.is_ref[part]
        return other

    def header(self, header: str) -> tuple[Floats, Floats, float]:
        """By words and by letters what the header says for each pair (0..1), and how much it means something else."""
        known = self._headers.get(header)
        if known is None:
            if len(self._headers) >= HEADERS_KEPT_MAX:
                self._headers.clear()
            known = self._headers[header] = self._read(header)
        return known

    def _read(self, header: str) -> tuple[Floats, Floats, float]:
        by_words = np.zeros(len(self.pairs))
        if not header:
            return by_words, by_words, 0.0
        for pair, score in self.evidence.lexicon.header_scores(header).items():
            by_words[self.place[pair]] = score
        by_letters = self._letters.scores(self.evidence.lexicon.tokens(header))
        return by_words, by_letters, self.evidence.lexicon.nothing_score(header)

    def fit(self, profile: ColumnProfile) -> Floats:
        """0..1 per pair: could the values be stored in the field?"""
        return self._values.fit(profile)

    def telling(self, profile: ColumnProfile) -> Floats:
        """0..1 per pair: how much the values by themselves speak for the field."""
        return self._values.telling(profile)


@lru_cache(maxsize=1)
def load_space() -> FieldSpace:
    """The space over the evidence that ships with the hub."""
    return FieldSpace(load_evidence())
