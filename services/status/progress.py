"""The view of a run while it goes on: phase, percent, counts; and who is told when it changes.

Everything is read from status' own store, so that any process can answer, also one that handles no message.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pydantic import BaseModel

from services.status.counting import COUNTED, Tally
from shared.catalog import Catalog
from shared.errors import RetryableError
from shared.http.events import ServerEvent, StateFeed
from shared.messages.control import ENDED, RunChanged
from shared.messages.envelope import Clock
from shared.messages.plan import RunPlan
from shared.storage.artifacts import Artifacts
from shared.storage.documents import Documents
from shared.storage.files import Files
from shared.storage.outcomes import OutcomeKey, OutcomeStore

SESSIONS = "status.sessions"
"""Collection of the last news of each session."""

_FEEDS_MAX = 1_000
_LOOK_SECONDS = 0.4
_TALLIES_KEPT = 8


class EntityProgress(BaseModel):
    """One entity type of a run."""

    extracted: int
    imported: int
    skipped: int
    errored: int
    warnings: int
    references: int
    linked: int
    pending: int
    unresolved: int


class RunProgress(BaseModel):
    """Where a run stands. `percent` never goes back and is 100 only at the end; totals add up at the end."""

    run: int
    session: str
    kind: str
    state: str
    phase: str
    paused: bool
    done: bool
    """Ended, everything counted, and the account free."""
    percent: int
    validating: float
    importing: float
    finalizing: float
    total: int
    imported: int
    skipped: int
    errored: int
    to_go: int
    entities: dict[str, EntityProgress]
    started_at: float
    ended_at: float | None
    updated_at: float
    failure: str | None


@dataclass
class _Known:
    """What was added up of a run so far."""

    tally: Tally
    keys: set[OutcomeKey] = field(default_factory=set)
    is_whole: bool = False
    """Ended, and nothing is missing: it stays so."""
    adding: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class _Followed:
    """A session that somebody listens to, or did; it is looked at while somebody does."""

    feed: StateFeed = field(default_factory=StateFeed)
    listeners: int = 0
    looking: asyncio.Task[None] | None = None


@dataclass
class Progress:
    """Views over the outcomes, with one feed of states per session that somebody listens to."""

    store: OutcomeStore
    documents: Documents
    files: Files
    catalog: Catalog
    clock: Clock
    _plans: Artifacts[RunPlan] = field(init=False)
    _tallies: OrderedDict[int, _Known] = field(default_factory=OrderedDict)
    _followed: OrderedDict[tuple[str, str], _Followed] = field(default_factory=OrderedDict)
    """By account and session."""

    def __post_init__(self) -> None:
        self._plans = Artifacts(self.files, RunPlan.decode)

    async def plan(self, address: str) -> RunPlan:
        """The plan of an address."""
        return await self._plans.get(address)

    async def state(self, run: int) -> RunChanged | None:
        """The newest known state of a run."""
        body = await self.store.run(run)
        return RunChanged.model_validate_json(body) if body else None

    async def is_complete(self, state: RunChanged) -> bool:
        """Whether every outcome of an ended run is counted."""
        known = await self._known(state)
        if not known.is_whole:
            known.is_whole = known.tally.is_complete(state.planned, await self.store.problems(state.run))
        return known.is_whole

    async def missing(self, state: RunChanged) -> set[int]:
        """Batches (and pages) of an ended run of which something is missing."""
        known = await self._known(state)
        return known.tally.missing(state.planned, await self.store.problems(state.run))

    async def _known(self, state: RunChanged) -> _Known:
        """The run's outcomes added up; only those that came since the last look are read."""
        known = self._tallies.get(state.run)
        if known is None:
            tally = Tally(await self.plan(state.plan), state.kind, self.catalog)
            known = self._tallies.setdefault(state.run, _Known(tally))
            while len(self._tallies) > _TALLIES_KEPT:
                self._tallies.popitem(last=False)
        async with known.adding:
            outcomes = await self.store.outcomes_beyond(state.run, known.keys)
            known.tally.add(outcomes)
            known.keys.update(outcome.key for outcome in outcomes)
        return known

    async def view(self, state: RunChanged) -> RunProgress:
        """The view of a run."""
        # First, since it may add what has just come: what is shown with `done` is then all there is.
        done = state.state in ENDED and state.closed and await self.is_complete(state)
        tally = (await self._known(state)).tally
        sums, shares = tally.totals(), tally.fractions(state)
        entities = {
            name: EntityProgress(extracted=s.extracted, **{key: getattr(s, key) for key in COUNTED})
            for name, s in sums.items()
        }
        total = sum(s.extracted for s in sums.values())
        imported, skipped, errored = (
            sum(getattr(s, k) for s in sums.values()) for k in ("imported", "skipped", "errored")
        )
        return RunProgress(
            run=state.run,
            session=state.session,
            kind=state.kind,
            state=state.state,
            phase=_phase(state.state),
            paused=state.paused,
            done=done,
            percent=shares.percent if done else min(shares.percent, 99),
            validating=round(shares.validating, 4),
            importing=round(shares.importing, 4),
            finalizing=round(shares.finalizing, 4),
            total=total,
            imported=imported,
            skipped=skipped,
            errored=errored,
            to_go=max(0, total - imported - skipped - errored),
            entities=entities,
            started_at=state.started_at,
            ended_at=state.ended_at,
            updated_at=self.clock(),
            failure=state.failure,
        )

    # ---- listening --------------------------------------------------------------------------------------------

    async def follow(self, account: str, session: str, last_event_id: str | None) -> AsyncIterator[ServerEvent]:
        """States of a session as they change, the present ones first. Another account's session never changes."""
        followed = self._followed.setdefault((account, session), _Followed())
        while len(self._followed) > _FEEDS_MAX:
            await _end(self._followed.popitem(last=False)[1])
        followed.listeners += 1
        if followed.looking is None:
            looking = self._look_on(account, session, followed.feed)
            followed.looking = asyncio.create_task(looking, name=f"progress of {session}")
        try:
            async for event in followed.feed.follow(last_event_id):
                yield event
        finally:
            followed.listeners -= 1
            if not followed.listeners and followed.looking is not None:
                followed.looking.cancel()
                followed.looking = None

    async def _look_on(self, account: str, session: str, feed: StateFeed) -> None:
        """Looks at the store twice a second: what is told comes from there, whoever wrote it."""
        try:
            while True:
                with contextlib.suppress(RetryableError):  # a busy store passes
                    await self._look(account, session, feed)
                await asyncio.sleep(_LOOK_SECONDS)
        except Exception:
            self._followed.pop((account, session), None)
            feed.close()  # listeners come again, and get an error that says what is wrong
            raise

    async def _look(self, account: str, session: str, feed: StateFeed) -> None:
        """Publishes the session's news and the state of its latest run; the feed tells only what is new."""
        news = await self.documents.get(SESSIONS, session, account=account)
        if news is not None:
            feed.publish("session.updated", news.body)
        runs = await self.store.runs_of(account, session)
        if runs:
            state = RunChanged.model_validate_json(runs[-1])
            view = await self.view(state)
            feed.publish("run.progress", view.model_dump_json(exclude={"updated_at"}).encode())
            feed.publish("run.state", state.model_dump_json(include={"run", "state", "paused", "closed"}).encode())

    async def stop(self) -> None:
        """Lets every listener end."""
        for followed in self._followed.values():
            await _end(followed)


async def _end(followed: _Followed) -> None:
    followed.feed.close()
    if followed.looking is not None:
        followed.looking.cancel()
        await asyncio.gather(followed.looking, return_exceptions=True)


def _phase(state: str) -> str:
    """The four phases people know; cancelling counts as importing until it is over."""
    return {"validated": "completed", "cancelling": "importing"}.get(state, state)
