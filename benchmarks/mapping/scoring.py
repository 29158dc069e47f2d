"""Scores predictions against labelled cases: the figures of the mapping benchmark."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.mapping.cases import Case
from shared.catalog.model import load_catalog

Answer = tuple[str | None, float | None]
BINS = 10
GREEN = 0.80


@dataclass(frozen=True)
class Prediction:
    """What was said about one case. `given`: the columns where the entity type was set by hand."""

    case: str
    entity: str | None
    entity_confidence: float
    columns: tuple[Answer, ...]
    given: tuple[Answer, ...]
    ms: float


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    confident: list[tuple[float, bool]] = field(default_factory=list)
    entity_confident: list[tuple[float, bool]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def share(self, part: str, whole: str) -> float | None:
        return self.counts[part] / self.counts[whole] if self.counts[whole] else None


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """Mean distance of confidence from the share that was right, over ten equal bins."""
    bins: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, right in pairs:
        bins[min(int(confidence * BINS), BINS - 1)].append((confidence, right))
    if not pairs:
        return None
    gaps = (abs(sum(c for c, _ in own) - sum(r for _, r in own)) for own in bins.values())
    return sum(gaps) / len(pairs)


def score(cases: Iterable[Case], predictions: Mapping[str, Prediction]) -> dict[str, dict[str, float | None]]:
    """Figures over all cases, per kind, entity type and tag."""
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    for case in cases:
        names = ["overall", f"kind {case.kind}", f"entity {case.entity}", *(f"tag {tag}" for tag in case.tags)]
        for name in names:
            _add(tallies[name], case, predictions[case.id])
    order = sorted(tallies, key=lambda name: (name != "overall", name))
    return {name: _figures(tallies[name]) for name in order}


def _add(tally: _Tally, case: Case, said: Prediction) -> None:
    counts = tally.counts
    counts["cases"] += 1
    right_entity = (said.entity or "none") in case.entities_accepted
    counts["entity_right"] += right_entity
    tally.entity_confident.append((said.entity_confidence, right_entity))
    tally.ms.append(said.ms)
    if said.entity == case.entity or not right_entity:
        counts["end_to_end"] += len(case.columns)
        if right_entity:
            counts["end_to_end_right"] += sum(
                answer in column.accepted for column, (answer, _) in zip(case.columns, said.columns, strict=True)
            )
    _add_columns(tally, case, said.given)
    _add_targets(counts, case, said.given, right_entity)


def _add_columns(tally: _Tally, case: Case, given: Sequence[Answer]) -> None:
    counts = tally.counts
    perfect = True
    for column, (answer, confidence) in zip(case.columns, given, strict=True):
        right = answer in column.accepted
        perfect &= right
        counts["columns"] += 1
        counts["columns_right"] += right
        if answer is not None:
            counts["proposed"] += 1
            counts["proposed_right"] += right
            tally.confident.append((confidence or 0.0, right))
            if (confidence or 0.0) >= GREEN:
                counts["green"] += 1
                counts["green_right"] += right
        if None not in column.accepted:
            counts["must"] += 1
            counts["must_right"] += right
        if column.accepted == (None,):
            counts["null"] += 1
            counts["null_right"] += right
    counts["perfect"] += perfect


def _add_targets(counts: Counter[str], case: Case, given: Sequence[Answer], right_entity: bool) -> None:
    """Did each field of the record get its data, and could the import start without an edit?"""
    hits: defaultdict[str, list[bool]] = defaultdict(list)
    wanted: defaultdict[str, list[int]] = defaultdict(list)
    for at, (column, (answer, _)) in enumerate(zip(case.columns, given, strict=True)):
        if answer is not None:
            hits[answer].append(answer in column.accepted)
        if column.preferred is not None:
            wanted[column.preferred].append(at)
    groups = _required(case.entity)
    required = {name for group in groups for name in group}
    for name, columns in wanted.items():
        taken = any(hits[name]) or all(
            given[at][0] is not None and given[at][0] in case.columns[at].accepted for at in columns
        )
        counts["targets"] += 1
        counts["targets_right"] += taken
        counts["required"] += name in required
        counts["required_right"] += taken and name in required
    ready = right_entity
    for group in groups:
        if set(group) & set(wanted) and not any(any(hits[name]) for name in group):
            ready = False
        if any(not hit for name in group for hit in hits[name]):
            ready = False
    counts["ready"] += ready


def _required(entity: str) -> list[tuple[str, ...]]:
    catalog = load_catalog()
    if entity not in catalog:
        return []
    kind = catalog[entity]
    expected = [tuple(group) for group in kind.expect_any]
    return [tuple(group) for group in kind.required_groups()] + expected


def _figures(tally: _Tally) -> dict[str, float | None]:
    share = tally.share
    return {
        "cases": tally.counts["cases"],
        "columns": tally.counts["columns"],
        "entity_accuracy": share("entity_right", "cases"),
        "entity_ece": calibration_error(tally.entity_confident),
        "column_accuracy": share("columns_right", "columns"),
        "end_to_end_accuracy": share("end_to_end_right", "end_to_end"),
        "mapping_precision": share("proposed_right", "proposed"),
        "mapping_recall": share("must_right", "must"),
        "null_accuracy": share("null_right", "null"),
        "target_recall": share("targets_right", "targets"),
        "required_accuracy": share("required_right", "required"),
        "ready_rate": share("ready", "cases"),
        "perfect_rate": share("perfect", "cases"),
        "ece_mapped": calibration_error(tally.confident),
        "green_precision": share("green_right", "green"),
        "green_coverage": share("green", "proposed"),
        "ms_per_file": sum(tally.ms) / len(tally.ms) if tally.ms else None,
    }
