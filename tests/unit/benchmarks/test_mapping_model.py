"""The shipped model: as trained, as good as it was, and honest about what it does not know."""

from __future__ import annotations

from importlib import resources

import pytest

from benchmarks.mapping.__main__ import made_from, trained_file
from benchmarks.mapping.cases import load_cases
from benchmarks.mapping.examples import Corpus
from benchmarks.mapping.held_out import group_of
from benchmarks.mapping.other_reports import other_reports
from benchmarks.mapping.predicting import cross_validated, predict
from benchmarks.mapping.scoring import score
from benchmarks.mapping.variants import scrambled_name
from shared.matching.model import shipped
from shared.matching.scorer import load_scorer


def test_the_shipped_model_was_trained_on_the_present_cases_and_words() -> None:
    assert shipped()["made_from"] == made_from(), "Train it anew: python -m benchmarks.mapping train"


def test_a_fresh_training_gives_the_shipped_model() -> None:
    shipped_file = resources.files("shared.matching").joinpath("model.json").read_text(encoding="utf-8")

    assert trained_file() == shipped_file, "Train it anew: python -m benchmarks.mapping train"


def test_the_open_cases_are_understood_as_well_as_before() -> None:
    scorer = load_scorer()
    figures = score(load_cases(), {case.id: predict(case, scorer) for case in load_cases()})["overall"]

    least = {"entity_accuracy": 0.985, "column_accuracy": 0.98, "end_to_end_accuracy": 0.97, "ready_rate": 0.96}
    assert {name: figures[name] for name, floor in least.items() if (figures[name] or 0.0) < floor} == {}


def test_files_called_anything_are_still_known() -> None:
    scorer = load_scorer()
    right = [predict(scrambled_name(case), scorer).entity in case.entities_accepted for case in load_cases()]

    assert sum(right) >= 0.93 * len(right)


@pytest.mark.slow
def test_platforms_nobody_has_seen_are_understood() -> None:
    corpus = Corpus(load_cases(), other_reports(), "platform")
    fold = next(iter(cross_validated(corpus, 6)))
    predictions = {case.id: predict(case, fold.scorer(group_of(case, "platform"))) for case in fold.cases}

    figures = score(fold.cases, predictions)["overall"]

    assert (figures["entity_accuracy"] or 0.0) >= 0.9
    assert (figures["column_accuracy"] or 0.0) >= 0.93
