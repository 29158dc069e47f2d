"""Trains the mapping model: first what each column says by itself, then its context, then what the file holds.

Whatever a stage learns from the one before it learns from files which that one had not seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.mapping.cases import NOTHING
from benchmarks.mapping.examples import Corpus, Example, folds_of, labels
from benchmarks.mapping.learning import TreeSettings, boosted_trees, choice, logistic, monotone
from services.analyze.entity_chances import EntityView, chances_of, look_at
from services.mapper.proposals import propose_file
from shared.matching.context_features import CONTEXT, context_features
from shared.matching.entity_features import ENTITY_FEATURES, NONE_FEATURES, OTHER_SUBJECT
from shared.matching.field_space import FieldSpace
from shared.matching.model import Model, Points
from shared.matching.neighbours import Neighbours
from shared.matching.pair_features import FEATURES, file_evidence, first_chances
from shared.matching.scorer import Scorer
from shared.matching.trees import Trees
from shared.matching.value_habits import HabitCounts, Habits
from shared.messages.analysis import Detection

Floats = NDArray[np.float64]

INNER_FOLDS = 3
OPTIONAL_WEIGHT = 0.6
"""Of columns that may as well stay unmapped."""
EASY = 0.02
EASY_KEPT = 12
"""Of pairs for which nothing speaks every twelfth is kept and counts twelve times: they are many and alike."""
COUNTED = {"plain": 1.0, "restyled": 1.0, "shuffled": 0.5}
"""Variants whose values count as habits."""
ENTITY_PENALTY = 1.0
OTHER_SUBJECT_PENALTY = 0.1
"""Small: a supplier's bill looks like an invoice in all but its party, so that alone must be able to decide."""
KNOWN_LAYOUT_WEIGHT = 2.0
"""Set, not learned: known exports are left out of the lexicon in training, so that the columns have to tell."""
COLUMN_DOUBT = 5
"""A column shown as sure is not looked at again: it is rather shown too doubtful than too sure."""
UNMEASURED = ((0.0, 0.0), (1.0, 1.0))

Counts = Mapping[str, HabitCounts]


def train(corpus: Corpus, groups: frozenset[str], settings: TreeSettings | None = None) -> Model:
    """The model of the examples of these groups alone, and of the short lists, which come from nobody's files."""
    known = settings or TreeSettings()
    examples = [example for example in corpus.examples if example.group in groups or example.case.kind == "small"]
    fold = folds_of((example.group for example in examples), INNER_FOLDS)
    views: list[tuple[Example, EntityView, Scorer]] = []
    for number in range(INNER_FOLDS):
        seen = [e for e in examples if fold[e.group] != number and e.case.entity != NOTHING]
        part = _fields(corpus, seen, known)
        scorers: dict[str, Scorer] = {}
        for example in examples:
            if fold[example.group] == number:
                if example.group not in scorers:
                    scorers[example.group] = Scorer(corpus.space_without(example.group), part)
                scorer = scorers[example.group]
                views.append((example, look_at(example.file, scorer.read(example.columns), scorer), scorer))
    whole = _fields(corpus, [e for e in examples if e.case.entity != NOTHING], known)
    entity, none = _entity_weights(corpus.space, [(example, view) for example, view, _ in views])
    entity[ENTITY_FEATURES.index("known_layout")] = KNOWN_LAYOUT_WEIGHT
    none[NONE_FEATURES.index("known_layout")] = -KNOWN_LAYOUT_WEIGHT
    decided = replace(whole, entity=entity, none=none)
    return replace(decided, confidence={"entity": _entity_confidence(views, decided), "column": _columns(views)})


# ---- which field a column feeds -------------------------------------------------------------------------------


def _fields(corpus: Corpus, examples: Sequence[Example], settings: TreeSettings) -> Model:
    space = corpus.space
    counts = _habit_counts(corpus, examples)
    total = _sum(list(counts.values()))
    after = {group: _after(space, [e for e in examples if e.group == group]) for group in counts}
    after_all = np.sum(list(after.values()), axis=0)
    rows = _Rows(corpus, examples, counts, total)
    first = np.round(logistic(rows.features, rows.right, rows.weight), 4)
    second = _second(rows, first, {group: Neighbours(after_all - own) for group, own in after.items()}, settings)
    return Model(
        habits=total,
        usual=_usual(space, examples),
        after=after_all,
        first=first,
        second=second,
        entity=np.zeros(len(ENTITY_FEATURES) + len(space.entities)),
        none=np.zeros(len(NONE_FEATURES)),
        confidence={"entity": UNMEASURED, "column": UNMEASURED},
    )


class _Rows:
    """The pairs of the examples' own entity types, one row each, seen as by a model that does not know their group."""

    def __init__(self, corpus: Corpus, examples: Sequence[Example], counts: Counts, total: HabitCounts) -> None:
        self._corpus = corpus
        self._examples = [e for e in examples if e.columns]
        sizes = [len(e.columns) * len(corpus.space_of(e.case.entity).pairs) for e in self._examples]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self.features = np.empty((self._starts[-1], len(FEATURES)))
        habits = {group: Habits(corpus.space, total.minus(own)) for group, own in counts.items()}
        usual = {group: _usual(corpus.space, [e for e in self._examples if e.group != group]) for group in counts}
        for example, start, end in zip(self._examples, self._starts, self._starts[1:], strict=False):
            part, reading = corpus.space.parts[example.case.entity], corpus.reading(example)
            likeness = habits[example.group].compare(reading.traits)[:, part]
            own = file_evidence(
                corpus.space_of(example.case.entity), reading, likeness, usual[example.group][part]
            ).features
            self.features[start:end] = own.reshape(len(own), -1).T
        self.right = np.concatenate([labels(e, corpus.space).reshape(-1) for e in self._examples])
        self.weight = np.concatenate(
            [_weights(e, len(corpus.space_of(e.case.entity).pairs)).reshape(-1) for e in self._examples]
        )

    def with_context(self, chances: Floats, neighbours: Mapping[str, Neighbours], kept: NDArray[np.bool_]) -> Floats:
        """The features of the rows kept and of their context, by the first chances of all rows."""
        result = [np.zeros((0, len(FEATURES) + len(CONTEXT)))]
        for example, start, end in zip(self._examples, self._starts, self._starts[1:], strict=False):
            own = chances[start:end].reshape(len(example.columns), -1)
            space = self._corpus.space_of(example.case.entity)
            found = context_features(space, neighbours[example.group], example.columns, own)
            chosen = kept[start:end]
            rows = found.reshape(len(found), -1).T[chosen]
            result.append(np.concatenate([self.features[start:end][chosen], rows], axis=1))
        return np.concatenate(result)


def _weights(example: Example, fields: int) -> Floats:
    optional = np.array(
        [OPTIONAL_WEIGHT if None in c.accepted and len(c.accepted) > 1 else 1.0 for c in example.case.columns]
    )
    return np.repeat(optional[:, None] * example.weight, fields, axis=1)


def _second(rows: _Rows, first: Floats, neighbours: Mapping[str, Neighbours], settings: TreeSettings) -> Trees:
    chances = first_chances(rows.features.T, first)
    easy = (chances < EASY) & (rows.right == 0)
    kept = ~easy
    kept[np.flatnonzero(easy)[::EASY_KEPT]] = True
    weight = np.where(easy, rows.weight * EASY_KEPT, rows.weight)[kept]
    return boosted_trees(rows.with_context(chances, neighbours, kept), rows.right[kept], weight, settings)


def _habit_counts(corpus: Corpus, examples: Sequence[Example]) -> dict[str, HabitCounts]:
    pairs, names = len(corpus.space.pairs), len(corpus.names)
    result: dict[str, HabitCounts] = {}
    share = 1.0 / sum(COUNTED.values())
    for example in examples:
        own = result.setdefault(
            example.group, HabitCounts(np.zeros(pairs), np.zeros((pairs, names)), 0.0, np.zeros(names))
        )
        weight = COUNTED.get(example.kind, 0.0) * share
        if not weight:
            continue
        columns = 0.0
        for at, column in enumerate(example.case.columns):
            if example.columns[at].type == "empty":
                continue
            columns += weight
            own.all_traits[:] += weight * example.traits[at]
            field = next((answer for answer in column.accepted if answer), None)
            if field is not None:
                place = corpus.space.place[example.case.entity, field]
                own.pairs[place] += weight
                own.traits[place] += weight * example.traits[at]
        result[example.group] = replace(own, all_columns=own.all_columns + columns)
    return result


def _sum(counts: Sequence[HabitCounts]) -> HabitCounts:
    return HabitCounts(
        np.sum([c.pairs for c in counts], axis=0),
        np.sum([c.traits for c in counts], axis=0),
        sum(c.all_columns for c in counts),
        np.sum([c.all_traits for c in counts], axis=0),
    )


def _after(space: FieldSpace, examples: Sequence[Example]) -> Floats:
    numbers = {name: at for at, name in enumerate(space.field_names)}
    nothing, edge = len(numbers), len(numbers) + 1
    result = np.zeros((len(numbers), len(numbers) + 2))
    for example in examples:
        if example.kind != "plain":
            continue
        before = edge
        for column in example.case.columns:
            now = nothing if column.preferred is None else numbers[column.preferred]
            if now != nothing:
                result[now, before] += 1
            before = now
    return result


def _usual(space: FieldSpace, examples: Sequence[Example]) -> Floats:
    """Log odds, divided by 3, that a file of the entity type has the field."""
    files: defaultdict[str, int] = defaultdict(int)
    having = np.zeros(len(space.pairs))
    for example in examples:
        if example.kind == "plain":
            files[example.case.entity] += 1
            for field in {column.preferred for column in example.case.columns} - {None}:
                having[space.place[example.case.entity, str(field)]] += 1
    result = np.zeros(len(space.pairs))
    for entity, part in space.parts.items():
        share = (having[part] + 0.5) / (files[entity] + 2.0)
        result[part] = np.log(share / (1 - share)) / 3
    return result


# ---- what a file holds ----------------------------------------------------------------------------------------


def _entity_weights(space: FieldSpace, views: Sequence[tuple[Example, EntityView]]) -> tuple[Floats, Floats]:
    own, none, entities = len(ENTITY_FEATURES), len(NONE_FEATURES), len(space.entities)
    alternatives, right, weight = [], [], []
    for example, view in views:
        rows = np.zeros((entities + 1, own + entities + none))
        rows[:-1, :own] = view.rows
        rows[:-1, own : own + entities] = np.eye(entities)
        rows[-1, own + entities :] = view.none_row
        alternatives.append(rows)
        accepted = example.case.entities_accepted
        right.append(np.array([at for at, name in enumerate((*space.entities, NOTHING)) if name in accepted]))
        weight.append(example.weight)
    penalty = np.full(own + entities + none, ENTITY_PENALTY)
    penalty[[own + entities + NONE_FEATURES.index(name) for name in OTHER_SUBJECT]] = OTHER_SUBJECT_PENALTY
    beta = np.round(choice(alternatives, right, np.array(weight), penalty=penalty), 4)
    return beta[: own + entities], beta[own + entities :]


# ---- how sure that is -----------------------------------------------------------------------------------------


def _entity_confidence(views: Sequence[tuple[Example, EntityView, Scorer]], decided: Model) -> Points:
    """Raw chances against what was right, on files that the part of the model had not seen."""
    told: list[tuple[float, bool]] = []
    for example, view, scorer in views:
        if example.kind in ("plain", "vague", "restyled"):
            chances = chances_of(view, scorer.space.entities, decided)
            best, chance = chances.ranked()[0]
            answer = (NOTHING, chances.none) if chances.none > chance else (best, chance)
            told.append((answer[1], answer[0] in example.case.entities_accepted))
    return monotone([c for c, _ in told], [r for _, r in told])


def _columns(views: Sequence[tuple[Example, EntityView, Scorer]]) -> Points:
    """The same for the columns of files whose entity type is given."""
    told: list[tuple[float, bool]] = []
    for example, _, scorer in views:
        if example.kind == "plain" and example.case.entity != NOTHING:
            given = propose_file(_undetected(example), scorer, entity=example.case.entity, given=True)
            primary = next(record for record in given.records if record.primary)
            told.extend(
                (field.confidence, field.field in example.case.columns[field.column].accepted)
                for field in primary.fields
                if field.column is not None
            )
    return monotone([c for c, _ in told], [r for _, r in told], doubt=COLUMN_DOUBT)


def _undetected(example: Example) -> Detection:
    return Detection(
        file=example.file.file, sha256=example.file.sha256, entity=None, entity_confidence=0.0,
        alternatives=(), reasons=(), platform=None,
        columns=example.columns, relations=(), records=example.file.records,
    )  # fmt: skip
