"""A run that repeats failed batches of an earlier one takes their place in the report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.status.counting import steps
from shared.catalog import Catalog
from shared.messages.control import RunChanged
from shared.messages.plan import RunPlan
from shared.storage.outcomes import Outcome


@dataclass(frozen=True)
class RunPart:
    """The batches of a report that one run answers for."""

    state: RunChanged
    plan: RunPlan
    batches: frozenset[int]


def parts_of(runs: Sequence[tuple[RunChanged, RunPlan]]) -> list[RunPart]:
    """The runs a report is made of, the latest first. `runs` are a session's, the one to report on last.

    Every batch belongs to the latest run that worked on it. The last part is of a run over all batches, unless an
    earlier run had other files: then nothing can be put together and the latest run stands alone.
    """
    state, plan = runs[-1]
    parts = [RunPart(state, plan, frozenset(plan.positions))]
    covered = set(plan.positions)
    for earlier, earlier_plan in reversed(runs[:-1]):
        if parts[-1].plan.only_batches is None:
            break
        if earlier.kind != state.kind:
            continue
        if _batches(earlier_plan) != _batches(plan):
            return parts[:1]
        parts.append(RunPart(earlier, earlier_plan, frozenset(earlier_plan.positions) - covered))
        covered |= set(earlier_plan.positions)
    return parts if parts[-1].plan.only_batches is None else parts[:1]


def merged(parts: Sequence[RunPart], outcomes: Mapping[int, Iterable[Outcome]], catalog: Catalog) -> list[Outcome]:
    """The outcomes that count. Links made in Finalizing count in every run: it looks at all open references."""
    found: list[Outcome] = []
    for part in parts:
        finalizing = len(steps(part.state.kind, part.plan, catalog)) - 1 if part.state.kind != "preflight" else -1
        for outcome in outcomes[part.state.run]:
            if outcome.step == finalizing or outcome.batch in part.batches:
                found.append(outcome)
    return found


def _batches(plan: RunPlan) -> list[tuple[str, int, int]]:
    return [(file.sha256, file.first_batch, len(file.spans)) for file in plan.files]
