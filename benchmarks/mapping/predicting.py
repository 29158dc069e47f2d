"""Runs detection and proposals over cases, as they are shipped or as if a part of the cases had never been seen."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.mapping.cases import NOTHING, Case
from benchmarks.mapping.examples import Corpus, folds_of, with_lexicon
from benchmarks.mapping.held_out import Phrases, group_of, own_phrases
from benchmarks.mapping.scoring import Answer, Prediction
from benchmarks.mapping.training import train
from services.analyze.entity_detection import detect
from services.mapper.proposals import propose_file
from shared.catalog.evidence import load_evidence
from shared.catalog.lexicon import build_lexicon
from shared.matching.field_space import FieldSpace
from shared.matching.model import Model
from shared.matching.scorer import Scorer
from shared.messages.mapping import FileMapping


def answers(mapping: FileMapping, columns: int) -> tuple[Answer, ...]:
    """Per column the field of the primary record, or nothing."""
    primary = next((record for record in mapping.records if record.primary), None)
    by_column = {field.column: field for field in primary.fields} if primary else {}
    return tuple(
        (by_column[at].field, by_column[at].confidence) if at in by_column else (None, None) for at in range(columns)
    )


def predict(case: Case, scorer: Scorer) -> Prediction:
    """One prediction. Nothing of the case but its file name, headers and samples reaches detection."""
    file = case.sampled()
    start = time.perf_counter()
    detection = detect([file], scorer)[0]
    mapping = propose_file(detection, scorer)
    elapsed = (time.perf_counter() - start) * 1000
    columns = len(case.columns)
    given: tuple[Answer, ...] = ((None, None),) * columns
    if case.entity != NOTHING:
        given = answers(propose_file(detection, scorer, entity=case.entity, given=True), columns)
    return Prediction(case.id, detection.entity, detection.entity_confidence, answers(mapping, columns), given, elapsed)


@dataclass(frozen=True)
class Fold:
    """One part of the cases, with a scorer for each of its groups that has never seen it."""

    cases: tuple[Case, ...]
    reports: tuple[Case, ...]
    model: Model
    own: dict[str, Phrases]
    corpus: Corpus

    def scorer(self, group: str) -> Scorer:
        """Model and lexicon without the group: the lexicon is built anew, so that no word remains of its phrases."""
        phrases = self.own.get(group)
        if phrases is None:
            return Scorer(self.corpus.space, self.model)
        evidence = with_lexicon(load_evidence(), build_lexicon(without=phrases))
        return Scorer(FieldSpace(evidence), self.model)


def cross_validated(corpus: Corpus, folds: int) -> Iterable[Fold]:
    """Every case and report once, in the fold whose model was trained without its group."""
    everything = (*corpus.cases, *corpus.reports)
    groups = {group_of(case, corpus.grouping) for case in everything}
    fold = folds_of(groups, folds)
    own = own_phrases(corpus.cases, corpus.grouping)
    for number in range(folds):
        seen = frozenset(group for group in groups if fold[group] != number)

        def is_out(case: Case, unseen: frozenset[str] = frozenset(groups - seen)) -> bool:
            return group_of(case, corpus.grouping) in unseen

        yield Fold(
            tuple(filter(is_out, corpus.cases)), tuple(filter(is_out, corpus.reports)), train(corpus, seen), own, corpus
        )
