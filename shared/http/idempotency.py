"""Idempotency-Key: a creating call that is sent again gets the first answer again, and creates nothing more."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec
from fastapi import Request
from starlette.responses import Response

from shared.errors import BadInputError, ConflictError
from shared.security.principal import Principal
from shared.storage.documents import Document, Documents

COLLECTION = "idempotency"
HEADER = "Idempotency-Key"
KEPT_SECONDS = 24 * 3600.0
# A call answers within seconds; one that has not after this was killed, and the next one with its key does it again.
ABANDONED_SECONDS = 60.0

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a creating call answers: status, JSON body, and headers such as Location."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class _Kept(msgspec.Struct, frozen=True):
    """What is kept for a key. `status` 0: the first call is still being answered."""

    fingerprint: bytes
    at: float
    status: int = 0
    body: bytes = b""
    headers: dict[str, str] = {}


class Idempotency:
    """Answers kept by account, path and key on `Documents`, for 24 hours."""

    def __init__(self, documents: Documents, *, clock: Callable[[], float] = time.time) -> None:
        self._documents = documents
        self._clock = clock

    async def answer(
        self,
        request: Request,
        principal: Principal,
        make: Callable[[str | None], Awaitable[Answer]],
        *,
        content: bytes | None = None,
    ) -> Response:
        """The answer of `make`, or with a known Idempotency-Key the first one again (header `Idempotency-Replayed`).

        `make` gets a text that is the same for every call with this key (None without a key): derive the new resource's
        id from it and create it only if absent. Then a call that was killed half-way is finished by its repetition.
        A call that raises is forgotten, so that it can be repeated when its cause is mended.
        `content`: what tells two calls apart; the request's body where None (give a file's hash for uploads).
        ConflictError (409) while the first call is being answered, BadInputError (422) for the same key with other
        content or a key that is none.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return _response(await make(None))
        if not _KEY.fullmatch(key):
            raise BadInputError(
                f"{HEADER} must be 1 to 200 printable ASCII characters without blanks. Nothing was done.",
                next_step="Use a UUID.",
            )
        name = "\n".join((principal.account, request.method, request.url.path, key))
        id = hashlib.sha256(name.encode()).hexdigest()
        fingerprint = hashlib.sha256(await request.body() if content is None else content).digest()
        claimed = await self._claim(id, principal.account, fingerprint)
        if isinstance(claimed, _Kept):
            return _response(Answer(claimed.status, claimed.body, claimed.headers), is_replayed=True)
        return _response(await self._make(id, principal.account, fingerprint, claimed, make))

    async def purge(self) -> int:
        """Forget answers older than 24 hours; how many. To be called at start and now and then."""
        oldest = _order(self._clock() - KEPT_SECONDS)
        purged = 0
        while True:
            page = await self._documents.find(COLLECTION, limit=100)
            old = [document for document in page.documents if document.order < oldest]
            for document in old:
                purged += await self._documents.delete(COLLECTION, document.id)
            if not old or len(old) < len(page.documents) or page.cursor is None:
                return purged

    async def _claim(self, id: str, account: str, fingerprint: bytes) -> int | _Kept:
        """The revision of our claim on the key, or the answer kept for it."""
        stored = await self._documents.get(COLLECTION, id)
        kept = _known(stored, fingerprint)
        if kept is not None and kept.status:
            return kept
        if kept is not None and kept.at > self._clock() - ABANDONED_SECONDS:
            raise _in_progress()
        try:
            return await self._store(
                id, account, _Kept(fingerprint, self._clock()), stored.revision if stored is not None else 0
            )
        except ConflictError:
            # Another call was quicker: it has just been answered after all, or begins as this one does.
            kept = _known(await self._documents.get(COLLECTION, id), fingerprint)
            if kept is not None and kept.status:
                return kept
            raise _in_progress() from None

    async def _make(
        self,
        id: str,
        account: str,
        fingerprint: bytes,
        revision: int,
        make: Callable[[str | None], Awaitable[Answer]],
    ) -> Answer:
        try:
            answer = await make(id)
        except BaseException:
            # ConflictError: we took so long that a repetition has taken the key over; it is not ours to forget.
            with contextlib.suppress(ConflictError):
                await self._documents.delete(COLLECTION, id, expected_revision=revision)
            raise
        kept = _Kept(fingerprint, self._clock(), answer.status, answer.body, answer.headers)
        await self._store(id, account, kept, revision)
        return answer

    async def _store(self, id: str, account: str, kept: _Kept, revision: int) -> int:
        return await self._documents.put(
            COLLECTION,
            id,
            msgspec.msgpack.encode(kept),
            account=account,
            expected_revision=revision,
            order=_order(kept.at),
        )


def _response(answer: Answer, *, is_replayed: bool = False) -> Response:
    headers = {**answer.headers, "Idempotency-Replayed": "true"} if is_replayed else answer.headers
    return Response(answer.body, answer.status, headers=headers, media_type="application/json")


def _in_progress() -> ConflictError:
    return ConflictError(
        "The first call with this key is still being answered. Nothing was done by this one.",
        next_step="Send it again in some seconds to get the first answer.",
        code="idempotency_in_progress",
    )


def _known(stored: Document | None, fingerprint: bytes) -> _Kept | None:
    """What is kept for a key; BadInputError where that belongs to a call with other content."""
    if stored is None:
        return None
    kept = msgspec.msgpack.decode(stored.body, type=_Kept)
    if kept.fingerprint != fingerprint:
        raise BadInputError(
            f"This {HEADER} was used before, for a call with other content. Nothing was done.",
            next_step="Use a new key for a new call.",
            code="idempotency_key_reused",
        )
    return kept


def _order(at: float) -> str:
    return f"{at:017.3f}"
