"""The view of a run while it goes on: phase, percent, counts; and who is told when it changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pydantic import BaseModel

from services.status.counting import COUNTED, Tally
from shared.catalog import Catalog
from shared.http.events import ServerEvent, StateFeed
from shared.messages.control import ENDED, RunChanged
from shared.messages.envelope import Clock
from shared.messages.plan import RunPlan
from shared.storage.files import Files
from shared.storage.outcomes import OutcomeStore

_FEEDS_MAX = 1_000
_COLLECTED_SECONDS = 0.4
_PLANS_KEPT = 8


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


_Followed = tuple[str, str]
"""(account, session) of a feed."""


@dataclass
class _Known:
    """What was added up of a run so far; `place` is behind the last outcome that was read."""

    tally: Tally
    place: int = 0
    adding: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Progress:
    """Views over the outcomes, with one feed of states per session that somebody listens to."""

    store: OutcomeStore
    files: Files
    catalog: Catalog
    clock: Clock
    _plans: OrderedDict[str, RunPlan] = field(default_factory=OrderedDict)
    _tallies: OrderedDict[int, _Known] = field(default_factory=OrderedDict)
    _feeds: OrderedDict[_Followed, StateFeed] = field(default_factory=OrderedDict)
    _touched: dict[_Followed, int] = field(default_factory=dict)
    """Whose view is to be made anew, and of which run."""
    _refreshing: dict[_Followed, asyncio.Task[None]] = field(default_factory=dict)

    async def plan(self, address: str) -> RunPlan:
        """The plan of an address."""
        if address not in self._plans:
            self._plans[address] = RunPlan.decode(await self.files.read(address))
            while len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        return self._plans[address]

    async def state(self, run: int) -> RunChanged | None:
        """The newest known state of a run."""
        body = await self.store.run(run)
        return RunChanged.model_validate_json(body) if body else None

    async def is_complete(self, state: RunChanged) -> bool:
        """Whether every outcome of an ended run is counted."""
        tally = await self._tally(state)
        return tally.is_complete(state.planned, await self.store.problems(state.run))

    async def _tally(self, state: RunChanged) -> Tally:
        """The run's outcomes added up; only those that came since the last look are read."""
        known = self._tallies.get(state.run)
        if known is None:
            known = self._tallies[state.run] = _Known(Tally(await self.plan(state.plan), state.kind, self.catalog))
            while len(self._tallies) > _PLANS_KEPT:
                self._tallies.popitem(last=False)
        async with known.adding:
            outcomes, known.place = await self.store.outcomes_since(state.run, known.place)
            known.tally.add(outcomes)
        return known.tally

    async def view(self, state: RunChanged) -> RunProgress:
        """The view of a run."""
        tally = await self._tally(state)
        sums, shares = tally.totals(), tally.fractions(state)
        done = state.state in ENDED and state.closed and await self.is_complete(state)
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

    def touched(self, account: str, session: str, run: int) -> None:
        """Something of the run changed: its view is made anew for listeners, at most twice a second."""
        followed = (account, session)
        if followed not in self._feeds:
            return
        self._touched[followed] = run
        if followed not in self._refreshing:
            task = asyncio.create_task(self._refresh(followed), name=f"progress of {session}")
            self._refreshing[followed] = task

    def session_touched(self, account: str, session: str, body: bytes) -> None:
        """The session's files, analysis or mapping changed."""
        if feed := self._feeds.get((account, session)):
            feed.publish("session.updated", body)

    async def _refresh(self, followed: _Followed) -> None:
        """Goes on while changes come: one that comes while a view is made is in the next one."""
        try:
            while followed in self._touched:
                await asyncio.sleep(_COLLECTED_SECONDS)
                state = await self.state(self._touched.pop(followed))
                feed = self._feeds.get(followed)
                if state is not None and feed is not None:
                    view = await self.view(state)
                    feed.publish("run.progress", view.model_dump_json(exclude={"updated_at"}).encode())
                    known = state.model_dump_json(include={"run", "state", "paused", "closed"})
                    feed.publish("run.state", known.encode())
        finally:
            del self._refreshing[followed]

    async def follow(self, account: str, session: str, last_event_id: str | None) -> AsyncIterator[ServerEvent]:
        """States of a session as they change, the present ones first. Another account's session never changes."""
        followed = (account, session)
        feed = self._feeds.get(followed)
        if feed is None:
            feed = self._feeds[followed] = StateFeed()
            while len(self._feeds) > _FEEDS_MAX:
                self._feeds.popitem(last=False)[1].close()
        for body in (await self.store.runs_of(account, session))[-1:]:
            self.touched(account, session, RunChanged.model_validate_json(body).run)
        async for event in feed.follow(last_event_id):
            yield event

    async def stop(self) -> None:
        """Lets every listener end."""
        for feed in self._feeds.values():
            feed.close()
        tasks = list(self._refreshing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _phase(state: str) -> str:
    """The four phases people know; cancelling counts as importing until it is over."""
    return {"validated": "completed", "cancelling": "importing"}.get(state, state)
