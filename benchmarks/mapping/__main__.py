"""Trains the mapping model and measures it.

    python -m benchmarks.mapping train                                writes shared/matching/model.json
    python -m benchmarks.mapping score [CASES.json] [--json]          as shipped
    python -m benchmarks.mapping score --cross-validate platform|case --folds 6
    python -m benchmarks.mapping speed                                time to load and time per file
    python -m benchmarks.mapping predict [CASES.json]                 predictions as JSON, for another scorer

Plain figures flatter: the lexicon was written and the model trained by people and programs that knew the open cases.
`--cross-validate` judges every case with a model trained without its platform (or the case), and with a lexicon without
the phrases that only this platform's headers have. Nothing that was written down as single words is taken out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from benchmarks.mapping.cases import Case, load_cases, read_cases
from benchmarks.mapping.examples import Corpus
from benchmarks.mapping.held_out import group_of
from benchmarks.mapping.other_reports import other_reports
from benchmarks.mapping.predicting import cross_validated, predict
from benchmarks.mapping.scoring import Answer, Prediction, score
from benchmarks.mapping.training import train
from benchmarks.mapping.variants import scrambled_name
from services.analyze.entity_detection import detect
from services.mapper.proposals import propose_file
from shared.matching.field_space import load_space
from shared.matching.model import decode, encode
from shared.matching.scorer import Scorer, load_scorer

MODEL = Path("shared/matching/model.json")
PARTS = (
    "entity_accuracy",
    "column_accuracy",
    "end_to_end_accuracy",
    "mapping_precision",
    "mapping_recall",
    "ready_rate",
)

Figures = dict[str, dict[str, float | None]]


def trained_file() -> str:
    """The text of the model file, trained on all open cases."""
    corpus = Corpus(load_cases(), other_reports(), "platform")
    groups = frozenset(group_of(case, "platform") for case in (*corpus.cases, *corpus.reports))
    model = train(corpus, groups)
    return json.dumps(encode(model, corpus.space, made_from()), indent=1, sort_keys=False) + "\n"


def made_from() -> str:
    """A mark of the cases, the lexicon and the value evidence, so that a stale model is noticed."""
    digest = hashlib.sha256()
    for package, name in (
        ("benchmarks.mapping", "cases.json"),
        ("shared.catalog", "lexicon.yaml"),
        ("shared.catalog", "value_evidence.yaml"),
        ("shared.catalog", "catalog.yaml"),
    ):
        digest.update(resources.files(package).joinpath(name).read_bytes())
    return digest.hexdigest()[:16]


def _train(arguments: argparse.Namespace) -> int:
    text = trained_file()
    arguments.output.write_text(text, encoding="utf-8")
    print(f"{arguments.output}: {len(text) / 1024:.0f} KB")
    return 0


def _score(arguments: argparse.Namespace) -> int:
    if arguments.cross_validate:
        figures, extra = _cross_validated(arguments.cross_validate, arguments.folds)
    else:
        figures, extra = _as_shipped(read_cases(arguments.cases) if arguments.cases else load_cases())
    if arguments.json:
        print(json.dumps({**figures, **extra}, indent=1))
    else:
        _print(figures, extra)
    return 0


def _as_shipped(cases: Sequence[Case]) -> tuple[Figures, Figures]:
    scorer = load_scorer()
    plain = {case.id: predict(case, scorer) for case in cases}
    scrambled = {case.id: predict(scrambled_name(case), scorer) for case in cases}
    return score(cases, plain), _scrambled(cases, scrambled)


def _cross_validated(grouping: Any, folds: int) -> tuple[Figures, Figures]:
    corpus = Corpus(load_cases(), other_reports(), grouping)
    plain: dict[str, Prediction] = {}
    scrambled: dict[str, Prediction] = {}
    none_right = reports = 0
    for number, fold in enumerate(cross_validated(corpus, folds), start=1):
        scorers: dict[str, Scorer] = {}
        for case in fold.cases:
            group = group_of(case, grouping)
            scorer = scorers.get(group) or scorers.setdefault(group, fold.scorer(group))
            plain[case.id] = predict(case, scorer)
            scrambled[case.id] = predict(scrambled_name(case), scorer)
        for report in fold.reports:
            reports += 1
            none_right += predict(report, fold.scorer(group_of(report, grouping))).entity is None
        print(f"fold {number} of {folds} done", file=sys.stderr)
    extra = _scrambled(corpus.cases, scrambled)
    extra["reports that are none"] = {"cases": reports, "entity_accuracy": none_right / reports if reports else None}
    return score(corpus.cases, plain), extra


def _scrambled(cases: Sequence[Case], scrambled: dict[str, Prediction]) -> Figures:
    found = score(cases, scrambled)["overall"]
    return {"file names scrambled": {name: found[name] for name in ("entity_accuracy", "end_to_end_accuracy")}}


def _print(figures: Figures, extra: Figures) -> None:
    for name, value in figures["overall"].items():
        print(f"  {name:22s} {_text(value)}")
    for name, found in extra.items():
        print(f"{name}: " + ", ".join(f"{key} {_text(value)}" for key, value in found.items()))
    print(f"{'':22s} {'cases':>5s} " + " ".join(part.removesuffix("_accuracy")[:14].rjust(14) for part in PARTS))
    for name, found in figures.items():
        if name != "overall":
            print(f"{name:22s} {found['cases']!s:>5s} " + " ".join(_text(found[part]).rjust(14) for part in PARTS))


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _speed(arguments: argparse.Namespace) -> int:
    """Processor time, so that a busy machine does not count; words are read before the model is."""
    space = load_space()
    start = time.process_time()
    text = resources.files("shared.matching").joinpath("model.json").read_text(encoding="utf-8")
    scorer = Scorer(space, decode(json.loads(text), space))
    loaded = (time.process_time() - start) * 1000
    spent = []
    for case in load_cases():
        file = case.sampled()
        start = time.process_time()
        propose_file(detect([file], scorer)[0], scorer)
        spent.append((time.process_time() - start) * 1000)
    spent.sort()
    print(f"model loaded in {loaded:.0f} ms; {len(text) / 1024:.0f} KB")
    mean, median = sum(spent) / len(spent), spent[len(spent) // 2]
    print(f"a file: mean {mean:.1f} ms, median {median:.1f} ms, worst {spent[-1]:.0f} ms")
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    scorer = load_scorer()
    cases = read_cases(arguments.cases) if arguments.cases else load_cases()
    json.dump([_as_json(case, predict(case, scorer)) for case in cases], sys.stdout)
    return 0


def _as_json(case: Case, said: Prediction) -> dict[str, Any]:
    return {
        "case_id": case.id,
        "entity": said.entity,
        "entity_confidence": said.entity_confidence,
        "columns": _columns(case, said.columns),
        "columns_given": _columns(case, said.given),
        "ms": round(said.ms, 2),
    }


def _columns(case: Case, said: Sequence[Answer]) -> list[dict[str, Any]]:
    return [
        {"index": at, "header": column.header, "field": answer, "confidence": confidence}
        for at, (column, (answer, confidence)) in enumerate(zip(case.columns, said, strict=True))
    ]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train", help="train on the open cases and write the model file")
    training.add_argument("--output", type=Path, default=MODEL)
    training.set_defaults(run=_train)
    scoring = commands.add_parser("score", help="measure detection and mapping on labelled cases")
    scoring.add_argument("cases", type=Path, nargs="?")
    scoring.add_argument("--cross-validate", choices=("platform", "case"))
    scoring.add_argument("--folds", type=int, default=6)
    scoring.add_argument("--json", action="store_true")
    scoring.set_defaults(run=_score)
    timing = commands.add_parser("speed", help="measure the time to load the model and the time per file")
    timing.set_defaults(run=_speed)
    predicting = commands.add_parser("predict", help="print predictions in the form of the shared scorer")
    predicting.add_argument("cases", type=Path, nargs="?")
    predicting.set_defaults(run=_predict)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
