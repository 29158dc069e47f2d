"""Counts as sums over outcomes, progress as fractions of what is planned. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    valid: int = 0
    money: dict[str, int] = field(default_factory=dict)
    money_left_out: dict[str, int] = field(default_factory=dict)


def totals(plan: RunPlan, outcomes: Iterable[Outcome], catalog: Catalog) -> dict[str, EntityTotals]:
    """Sums per entity type in load order.

    `extracted` comes from the landing index for a file's primary type and from the staged records for secondary ones.
    """
    found = {e.name: EntityTotals() for e in catalog.in_load_order() if e.name in plan.entities}
    primary = _primary_extracted(plan)
    secondary: dict[str, int] = {}
    for outcome in outcomes:
        if outcome.entity == PAGE_SEEN:
            continue
        counts = json.loads(outcome.counts)
        sums = found.setdefault(outcome.entity, EntityTotals())
        for name in COUNTED:
            setattr(sums, name, getattr(sums, name) + counts[name])
        for name in ("money", "money_left_out"):
            target = getattr(sums, name)
            for money, amount in counts[name].items():
                target[money] = target.get(money, 0) + amount
        sums.valid += counts["valid"]
        if outcome.step == 0:
            secondary[outcome.entity] = (
                secondary.get(outcome.entity, 0) + counts["valid"] + counts["errored"] + counts["skipped"]
            )
    for name, sums in found.items():
        if name in plan.entities:
            only_primary = all(s.primary for file in plan.files for s in file.streams if s.entity == name)
            sums.extracted = primary.get(name, 0) if only_primary else secondary.get(name, 0)
    return found


def _primary_extracted(plan: RunPlan) -> dict[str, int]:
    extracted: dict[str, int] = {}
    wanted = set(plan.positions)
    for file in plan.files:
        records = sum(span.records for k, span in enumerate(file.spans) if file.first_batch + k in wanted)
        for stream in file.streams:
            if stream.primary:
                extracted[stream.entity] = extracted.get(stream.entity, 0) + records
    return extracted


def steps(state: RunChanged, plan: RunPlan, catalog: Catalog) -> list[str]:
    """Names of the run's steps, by number."""
    types = [entity.name for entity in catalog.in_load_order() if entity.name in plan.entities]
    return ["validating", *types, *([] if state.kind == "preflight" else ["finalizing"])]


def is_complete(state: RunChanged, plan: RunPlan, outcomes: Iterable[Outcome], catalog: Catalog) -> bool:
    """Whether every outcome an ended run announced is there."""
    names = steps(state, plan, catalog)
    held: dict[str, set[int]] = {name: set() for name in names}
    for outcome in outcomes:
        if names[outcome.step] != "finalizing" or outcome.entity == PAGE_SEEN:
            held[names[outcome.step]].add(outcome.batch)
    return all(len(held[name]) >= state.planned.get(name, 0) for name in names)


@dataclass(frozen=True)
class Fractions:
    """How far each phase is (0 to 1), and the whole run in percent; 100 only at the end."""

    validating: float
    importing: float
    finalizing: float
    percent: int


# Measured on the sample runs: reading and mapping take about as long as writing and linking.
_SHARES = {"validating": 0.5, "importing": 0.45, "finalizing": 0.05}


def fractions(state: RunChanged, plan: RunPlan, outcomes: Iterable[Outcome], catalog: Catalog) -> Fractions:
    """Progress from the outcomes that are there; it never goes back, since outcomes are never taken away."""
    names = steps(state, plan, catalog)
    staged: set[int] = set()
    loaded = settled = 0
    for outcome in outcomes:
        name = names[outcome.step] if outcome.step < len(names) else ""
        if name == "validating":
            staged.add(outcome.batch)
        elif name == "finalizing":
            settled += outcome.entity == PAGE_SEEN
        else:
            loaded += 1
    planned = state.planned
    validating = _share(len(staged), planned.get("validating", len(plan.positions)))
    to_load = sum(count for name, count in planned.items() if name not in ("validating", "finalizing"))
    is_past_validating = state.step > 0 or state.state in ENDED
    importing = _share(loaded, to_load) if is_past_validating else 0.0
    ended = state.state in ENDED
    is_finalizing = is_past_validating and state.step < len(names) and names[state.step] == "finalizing"
    finalizing = 1.0 if ended else _share(settled, planned.get("finalizing", 0)) if is_finalizing else 0.0
    whole = (
        _SHARES["validating"] * validating + _SHARES["importing"] * importing + _SHARES["finalizing"] * finalizing
    )
    return Fractions(validating, importing, finalizing, 100 if ended else min(99, int(100 * whole)))


def _share(done: int, planned: int) -> float:
    return min(1.0, done / planned) if planned else 1.0
