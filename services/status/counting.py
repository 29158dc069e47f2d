"""Counts as sums over outcomes, progress as fractions of what is planned. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.catalog import Catalog
from shared.messages.control import ENDED, RunChanged
from shared.messages.plan import RunPlan
from shared.storage.outcomes import Outcome

PAGE_SEEN = ""
"""Entity type of the outcome that says a page of open references was looked at, whatever came of it."""

COUNTED = ("imported", "skipped", "errored", "warnings", "references", "linked", "pending", "unresolved")


@dataclass
class EntityTotals:
    """Sums of one entity type."""

    extracted: int = 0
    imported: int = 0
    skipped: int = 0
    errored: int = 0
    warnings: int = 0
    references: int = 0
    linked: int = 0
    pending: int = 0
    unresolved: int = 0
    money: dict[str, int] = field(default_factory=dict)
    money_left_out: dict[str, int] = field(default_factory=dict)


class Tally:
    """Outcomes of one run added up as they come; each outcome must be added once.

    `extracted` comes from the landing index for a file's primary type and from the staged records for secondary ones.
    """

    def __init__(self, plan: RunPlan, kind: str, catalog: Catalog) -> None:
        self._plan = plan
        self._names = steps(kind, plan, catalog)
        self._sums = {e.name: EntityTotals() for e in catalog.in_load_order() if e.name in plan.entities}
        self._secondary: dict[str, int] = {}
        self._batches: dict[str, set[int]] = {name: set() for name in self._names}
        self._to_load: set[tuple[str, int]] = set()
        """(entity type, batch) with valid records: what the importing steps go through."""
        self._explained: set[tuple[int, str, str]] = set()
        """(batch, entity type, stage) of the problems that the outcomes so far come with."""

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Adds outcomes that were not added before."""
        for outcome in outcomes:
            name = self._names[outcome.step]
            if name != "finalizing" or outcome.entity == PAGE_SEEN:
                self._batches[name].add(outcome.batch)
            if outcome.entity != PAGE_SEEN:
                self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        counts = json.loads(outcome.counts)
        sums = self._sums.setdefault(outcome.entity, EntityTotals())
        for name in COUNTED:
            setattr(sums, name, getattr(sums, name) + counts[name])
        for name in ("money", "money_left_out"):
            target = getattr(sums, name)
            for money, amount in counts[name].items():
                target[money] = target.get(money, 0) + amount
        if self._names[outcome.step] != "finalizing" and (counts["errored"] or counts["skipped"] or counts["warnings"]):
            is_staged = outcome.step == 0
            key = (outcome.batch, "" if is_staged else outcome.entity, "staged" if is_staged else "loaded")
            self._explained.add(key)
        if outcome.step == 0:
            if counts["valid"]:
                self._to_load.add((outcome.entity, outcome.batch))
            made = counts["valid"] + counts["errored"] + counts["skipped"]
            self._secondary[outcome.entity] = self._secondary.get(outcome.entity, 0) + made

    def totals(self) -> dict[str, EntityTotals]:
        """Sums per entity type in load order; types of earlier runs whose links were settled come last."""
        primary = _primary_extracted(self._plan)
        for name, sums in self._sums.items():
            if name in self._plan.entities:
                only_primary = all(s.primary for file in self._plan.files for s in file.streams if s.entity == name)
                sums.extracted = primary.get(name, 0) if only_primary else self._secondary.get(name, 0)
        return self._sums

    def is_complete(self, planned: Mapping[str, int], problems: Iterable[tuple[int, str, str]]) -> bool:
        """Whether every outcome an ended run announced is there, with the problems that explain it."""
        has_all = all(len(batches) >= planned.get(name, 0) for name, batches in self._batches.items())
        return has_all and self._explained.issubset(problems)

    def missing(self, planned: Mapping[str, int], problems: Iterable[tuple[int, str, str]]) -> set[int]:
        """Batches (and pages of open references) of an ended run of which an outcome or its problems are missing."""
        found = set(self._plan.positions) - self._batches["validating"]
        found |= {batch for entity, batch in self._to_load if batch not in self._batches.get(entity, ())}
        if "finalizing" in self._batches:
            found |= set(range(planned.get("finalizing", 0))) - self._batches["finalizing"]
        return found | {batch for batch, _, _ in self._explained.difference(problems)}

    def fractions(self, state: RunChanged) -> Fractions:
        """Progress from the outcomes that are there; it never goes back, since outcomes are never taken away."""
        planned = state.planned
        ended = state.state in ENDED
        is_past_validating = state.step > 0 or ended
        loading = [name for name in self._names if name not in ("validating", "finalizing")]
        loaded = sum(len(self._batches[name]) for name in loading)
        validating = _share(len(self._batches["validating"]), planned.get("validating", len(self._plan.positions)))
        importing = _share(loaded, sum(planned.get(name, 0) for name in loading)) if is_past_validating else 0.0
        settled = len(self._batches.get("finalizing", ()))
        # Nothing is through before it is planned: else the share would begin at 1 and go back.
        finalizing = 1.0 if ended else _share(settled, planned["finalizing"]) if "finalizing" in planned else 0.0
        shares = {"validating": validating, "importing": importing, "finalizing": finalizing}
        whole = sum(_SHARES[name] * share for name, share in shares.items())
        return Fractions(**shares, percent=100 if ended else min(99, int(100 * whole)))


def _primary_extracted(plan: RunPlan) -> dict[str, int]:
    extracted: dict[str, int] = {}
    wanted = set(plan.positions)
    for file in plan.files:
        records = sum(span.records for k, span in enumerate(file.spans) if file.first_batch + k in wanted)
        for stream in file.streams:
            if stream.primary:
                extracted[stream.entity] = extracted.get(stream.entity, 0) + records
    return extracted


def steps(kind: str, plan: RunPlan, catalog: Catalog) -> list[str]:
    """Names of the run's steps, by number."""
    types = [entity.name for entity in catalog.in_load_order() if entity.name in plan.entities]
    return ["validating", *types, *([] if kind == "preflight" else ["finalizing"])]


@dataclass(frozen=True)
class Fractions:
    """How far each phase is (0 to 1), and the whole run in percent; 100 only at the end."""

    validating: float
    importing: float
    finalizing: float
    percent: int


# Measured on the sample runs: reading and mapping take about as long as writing and linking.
_SHARES = {"validating": 0.5, "importing": 0.45, "finalizing": 0.05}


def _share(done: int, planned: int) -> float:
    return min(1.0, done / planned) if planned else 1.0
