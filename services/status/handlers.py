"""Status's messages: keeps outcomes, problems, run states and the last news of sessions. Listeners read the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.status.counting import PAGE_SEEN
from services.status.progress import SESSIONS, Progress
from shared.messages import topics
from shared.messages.control import (
    ENDED,
    BatchLoaded,
    BatchStaged,
    EntityCounts,
    OutcomesRequested,
    ReferencesSettled,
    RunChanged,
    SessionChanged,
)
from shared.messages.envelope import Delivery, Outgoing
from shared.messages.problems import ProblemsFound
from shared.storage.outcomes import Outcome, OutcomeStore, ProblemBatch

_ASKED_AT_ONCE = 200
"""Batches whose outcomes are asked for with one message: what answers it is sent in one piece."""


@dataclass
class StatusHandlers:
    """One short method per message; every effect is keyed, so a repeat changes nothing."""

    store: OutcomeStore
    progress: Progress

    async def staged(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Errors of the validating step."""
        m: BatchStaged = delivery.message
        decision = "staged" if m.given_up is None else "given_up"
        outcomes = [
            Outcome(m.run, 0, m.batch, entity, counts.model_dump_json().encode(), decision)
            for entity, counts in m.entities.items()
        ]
        await self.store.keep_outcomes(outcomes)
        return []

    async def loaded(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The outcome of one entity type of one batch."""
        m: BatchLoaded = delivery.message
        counts = m.counts.model_dump_json().encode()
        await self.store.keep_outcomes([Outcome(m.run, m.step, m.batch, m.entity, counts, m.decision)])
        return []

    async def settled(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Links made in Finalizing; the page takes the place of the batch."""
        m: ReferencesSettled = delivery.message
        outcomes = [
            Outcome(m.run, m.step, m.page, entity, counts.model_dump_json().encode(), "settled")
            for entity, counts in (m.entities | {PAGE_SEEN: EntityCounts()}).items()
        ]
        await self.store.keep_outcomes(outcomes)
        return []

    async def problems(self, delivery: Delivery) -> Sequence[Outgoing]:
        """What there is to say about single records."""
        m: ProblemsFound = delivery.message
        await self.store.keep_problems(m.account, m.run, ProblemBatch(m.batch, m.entity, m.stage, m.problems))
        return []

    async def run_changed(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The state of a run; at the end, outcomes that never came are asked for."""
        m: RunChanged = delivery.message
        await self.store.keep_run(m.run, m.account, m.session, m.sequence, m.model_dump_json().encode())
        return await self._missing_outcomes(m.run) if m.state in ENDED else []

    async def session_changed(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The last news of a session, for those who look at it. They come in their order."""
        m: SessionChanged = delivery.message
        body = m.model_dump_json().encode()
        await self.progress.documents.put(SESSIONS, m.session, body, account=m.account, expected_revision=None)
        return []

    async def _missing_outcomes(self, run: int) -> Sequence[Outgoing]:
        """Asks the loader to repeat its outcomes where an ended run is not completely counted yet."""
        state = await self.progress.state(run)
        if state is None or state.state not in ENDED or not state.closed or await self.progress.is_complete(state):
            return []
        missing = sorted(await self.progress.missing(state))
        parts: list[list[int] | None] = [
            missing[i : i + _ASKED_AT_ONCE] for i in range(0, len(missing), _ASKED_AT_ONCE)
        ]
        return [_outcomes_requested(state, part) for part in parts or [None]]


def _outcomes_requested(state: RunChanged, batches: list[int] | None) -> Outgoing:
    message = OutcomesRequested(account=state.account, session=state.session, run=state.run, batches=batches)
    return Outgoing(topics.OUTCOMES_REQUESTED, message, str(state.run), state.session)
