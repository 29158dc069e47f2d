"""Training examples: every labelled file in its variants, read with a lexicon that does not know its platform."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.mapping.cases import NOTHING, Case
from benchmarks.mapping.held_out import Grouping, group_of, own_phrases
from benchmarks.mapping.small_lists import small_lists
from benchmarks.mapping.variants import KINDS, OTHER_PARTY, has_other_party, variant
from services.analyze.profiles import profile_columns
from shared.catalog.evidence import Evidence
from shared.catalog.lexicon import Lexicon
from shared.matching.field_space import FieldSpace, load_space
from shared.matching.pair_features import Reading, read_columns
from shared.matching.value_habits import traits, traits_of
from shared.messages.analysis import ColumnProfile, SampledFile

Floats = NDArray[np.float64]

WEIGHTS = {"plain": 2.0, "restyled": 1.0, "abbreviated": 1.0, "headless": 0.5, "vague": 1.0, "units": 1.0,
           "shuffled": 0.7, "fewer": 1.0, "other_party": 0.25}  # fmt: skip
"""How much a variant counts: the file as it was written most, one without any header least."""
REPORT_WEIGHT = 1.0
"""Of a file that holds none of the entity types; more would have doubtful files left out."""


@dataclass(frozen=True)
class Example:
    """One variant of one case."""

    case: Case
    kind: str
    group: str
    file: SampledFile
    columns: tuple[ColumnProfile, ...]
    traits: Floats
    weight: float


class Corpus:
    """The cases with their variants and, per group, the space of a lexicon without what only that group teaches."""

    def __init__(self, cases: Sequence[Case], reports: Sequence[Case], grouping: Grouping) -> None:
        self.grouping: Grouping = grouping
        self.cases = tuple(cases)
        self.reports = tuple(reports)
        self.space = load_space()
        self.names = traits(self.space.evidence.lexicon)
        self._own = own_phrases(self.cases, grouping)
        self._spaces: dict[str, FieldSpace] = {}
        self._parts: dict[str, FieldSpace] = {}
        self._readings: dict[tuple[str, str], Reading] = {}

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """Every variant of every case and report."""
        return tuple(
            self._example(case, kind)
            for case in (*self.cases, *small_lists(), *self.reports)
            for kind in self._kinds(case)
        )

    def _kinds(self, case: Case) -> Iterable[str]:
        if case.kind == "small":
            return ("plain", "shuffled", "vague")
        if case.entity == NOTHING:
            return ("plain", "shuffled", "fewer")
        return tuple(kind for kind in KINDS if kind != OTHER_PARTY or has_other_party(case))

    def _example(self, case: Case, kind: str) -> Example:
        made = variant(case, kind)
        file = made.sampled()
        columns = tuple(profile_columns(file.headers, file.rows, file.records))
        group = group_of(case, self.grouping)
        weight = WEIGHTS[kind] * (REPORT_WEIGHT if made.entity == NOTHING else 1.0)
        return Example(made, kind, group, file, columns, traits_of(columns, self.names), weight)

    def space_without(self, group: str) -> FieldSpace:
        """The space as it would be had nobody ever seen the group's files."""
        if group not in self._spaces:
            phrases = self._own.get(group)
            self._spaces[group] = self.space if phrases is None else self._space_without(phrases)
        return self._spaces[group]

    def _space_without(self, phrases: frozenset[frozenset[str]]) -> FieldSpace:
        lexicon = self.space.evidence.lexicon.without(phrases)
        return self.space.without(with_lexicon(self.space.evidence, lexicon), phrases)

    def space_of(self, entity: str) -> FieldSpace:
        """The pairs of one entity type alone."""
        if entity not in self._parts:
            self._parts[entity] = self.space.of(entity)
        return self._parts[entity]

    def reading(self, example: Example) -> Reading:
        """What the example's columns say for the pairs of its own entity type; kept, for every model needs it."""
        key = (example.case.id, example.kind)
        if key not in self._readings:
            whole = read_columns(self.space_without(example.group), self.names, example.columns)
            self._readings[key] = whole.of(self.space.parts[example.case.entity])
        return self._readings[key]


def with_lexicon(evidence: Evidence, lexicon: Lexicon) -> Evidence:
    """The same value evidence over another lexicon."""
    other = copy.copy(evidence)
    other.lexicon = lexicon
    return other


def labels(example: Example, space: FieldSpace) -> Floats:
    """Columns x fields of the case's entity type: 1 where the field is one of the right answers."""
    part = space.parts[example.case.entity]
    result = np.zeros((len(example.columns), part.stop - part.start))
    for at, column in enumerate(example.case.columns):
        for field in column.accepted:
            if field is not None:
                result[at, space.place[example.case.entity, field] - part.start] = 1.0
    return result


def folds_of(groups: Iterable[str], folds: int) -> Mapping[str, int]:
    """Group -> fold, the groups dealt out in alphabetical order."""
    return {group: at % folds for at, group in enumerate(sorted(set(groups)))}
