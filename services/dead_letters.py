"""Dead letters of an account: listed, and replayed with an audit entry; and their HTTP."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.model import SESSIONS
from shared.http.auth import Admin, Owner
from shared.http.pagination import Page, Paging
from shared.messages.envelope import Clock
from shared.observability.events import emit, register
from shared.runtime import DeadLetter, DeadLetterFilter, Runtime
from shared.security.principal import LOCAL_TOKEN_ID, Principal
from shared.storage.documents import Documents

REPLAYS = "dead_letter_replays"
LETTERS_MAX = 1_000
"""Letters of one call."""
_LOOKED_AT_MAX = 1_000
"""They come with their bodies: this bounds memory."""

DEAD_LETTERS_REPLAYED = register("dead_letters_replayed", "warning", "Messages that were set aside were sent again.")


class Wanted(BaseModel):
    """Which dead letters are meant; what is left out is any."""

    model_config = ConfigDict(extra="forbid")

    session: str | None = None
    topic: str | None = None
    group: str | None = None
    reason: str | None = Field(None, description="Reason code.")
    since: float | None = Field(None, description="Seconds since the epoch.")
    limit: int = Field(100, ge=1, le=LETTERS_MAX)

    def filter(self) -> DeadLetterFilter:
        """As the runtime takes it."""
        return DeadLetterFilter(self.topic, self.group, self.session, self.reason, self.since, self.limit)


class ReplayRequest(Wanted):
    """`dry_run`: only count."""

    dry_run: bool = False


class DeadLetterView(BaseModel):
    """A message that was set aside, without its body."""

    topic: str
    partition: int
    offset: int
    group: str
    session: str
    type: str
    code: str
    reason: str
    error_class: str
    attempts: int
    at: float
    size_bytes: int


class Replay(BaseModel):
    """A replay: who sent what again. `replayed` is 0 for a dry run, or where it broke off."""

    id: str
    at: float
    actor: str
    wanted: Wanted
    matched: int
    replayed: int
    dry_run: bool


@dataclass(frozen=True)
class DeadLetterDesk:
    """Dead letters as an account may see them: those of its sessions.

    Letters without a session are shown to the command line on the hub's own machine only; so are those of all accounts.
    """

    runtime: Runtime
    documents: Documents
    clock: Clock

    async def listed(self, principal: Principal, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """Those that match, oldest first within a topic."""
        letters = await self.runtime.dead_letters(replace(wanted, count_max=_LOOKED_AT_MAX))
        own = {session: await self._is_own(principal, session) for session in {letter.session for letter in letters}}
        return [letter for letter in letters if own[letter.session]][: wanted.count_max]

    async def replayed(self, principal: Principal, request: ReplayRequest) -> Replay:
        """Sends them again to every group of their topics, after saying so in the audit."""
        letters = await self.listed(principal, request.filter())
        replay = Replay(
            id=secrets.token_hex(8),
            at=self.clock(),
            actor=principal.name,
            wanted=Wanted(**request.model_dump(exclude={"dry_run"})),
            matched=len(letters),
            replayed=0,
            dry_run=request.dry_run,
        )
        if request.dry_run or not letters:
            return replay
        await self._keep(principal, replay)
        counts: dict[str, int] = {}
        for letter in letters:
            counts[letter.session] = counts.get(letter.session, 0) + 1
        for session, count in counts.items():
            replay.replayed += await self.runtime.replay(replace(request.filter(), session=session, count_max=count))
        await self._keep(principal, replay)
        emit(DEAD_LETTERS_REPLAYED, account=principal.account, token_id=principal.token_id, messages=replay.replayed)
        return replay

    async def _keep(self, principal: Principal, replay: Replay) -> None:
        await self.documents.put(
            REPLAYS,
            replay.id,
            replay.model_dump_json().encode(),
            account=principal.account,
            expected_revision=None,
            order=f"{replay.at:017.6f}",
        )

    async def _is_own(self, principal: Principal, session: str) -> bool:
        if principal.token_id == LOCAL_TOKEN_ID:
            return True
        return bool(session) and await self.documents.get(SESSIONS, session, account=principal.account) is not None


def make_dead_letter_router(desk: DeadLetterDesk) -> APIRouter:
    """The routes over this desk. For admins: a reason may name a customer's value."""
    router = APIRouter(tags=["dead letters"])

    @router.get("/dead-letters")
    async def list_dead_letters(principal: Admin, wanted: Annotated[Wanted, Query()]) -> list[DeadLetterView]:
        """Messages of the account's sessions that were set aside, oldest first within a topic."""
        return [_view(letter) for letter in await desk.listed(principal, wanted.filter())]

    @router.post("/dead-letters/replays", status_code=201)
    async def replay_dead_letters(principal: Owner, body: ReplayRequest) -> Replay:
        """Sends them to their topics again, for every consumer group; each replay is audited. For owners."""
        return await desk.replayed(principal, body)

    @router.get("/dead-letters/replays")
    async def list_replays(principal: Admin, paging: Paging) -> Page[Replay]:
        """Replays of the account, newest first."""
        page = await desk.documents.find(
            REPLAYS, account=principal.account, newest_first=True, after=paging.cursor, limit=paging.limit
        )
        items = [Replay.model_validate_json(document.body) for document in page.documents]
        return Page(items=items, next_cursor=page.cursor)

    return router


def _view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        group=letter.group,
        session=letter.session,
        type=letter.headers.get("type", letter.topic),
        code=letter.reason_code,
        reason=letter.reason,
        error_class=letter.error_class,
        attempts=letter.attempts,
        at=letter.at,
        size_bytes=len(letter.body),
    )
