"""State changes over HTTP with messages: saved in one document, published, cleared; leftovers are swept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.messages.envelope import Outgoing
from shared.messages.topics import TOPICS
from shared.runtime.service import Runtime
from shared.storage.documents import Documents

_TOPICS = {topic.name: topic for topic in TOPICS}

SWEEP_AFTER_SECONDS = 10.0
"""Messages older than this were left by a process that died between saving and publishing them."""


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    topic: str
    body: bytes
    key: int | str
    subject: str
    headers: dict[str, str]


class Outbox:
    """Documents whose changes carry messages. A message may be published twice, never zero times."""

    def __init__(self, documents: Documents, runtime: Runtime) -> None:
        self._documents = documents
        self._runtime = runtime

    async def put(
        self,
        collection: str,
        id: str,
        body: bytes,
        *,
        account: str,
        expected_revision: int | None,
        order: str | None = None,
        messages: Sequence[Outgoing] = (),
    ) -> int:
        """`Documents.put` with messages; on return they are published too. Raises ConflictError as `put` does."""
        saved = [_pack(message) for message in messages]
        revision = await self._documents.put(
            collection,
            id,
            body,
            account=account,
            expected_revision=expected_revision,
            order=order,
            outbox=saved,
        )
        if messages:
            await self._runtime.publish(messages)
            await self._documents.clear_outbox(collection, id, revision)
        return revision

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publishes messages that are derived from state and need no saving."""
        await self._runtime.publish(messages)

    async def sweep(self, older_than_seconds: float = SWEEP_AFTER_SECONDS) -> int:
        """Publishes what was saved and not published; returns how many messages that were."""
        swept = 0
        for pending in await self._documents.pending_outbox(older_than_seconds):
            await self._runtime.publish([_unpack(saved) for saved in pending.messages])
            await self._documents.clear_outbox(pending.collection, pending.id, pending.revision)
            swept += len(pending.messages)
        return swept


def _pack(message: Outgoing) -> bytes:
    return msgspec.msgpack.encode(
        _Saved(
            message.topic.name,
            message.topic.encode(message.message),
            message.key,
            message.subject,
            message.headers,
        )
    )


def _unpack(saved: bytes) -> Outgoing:
    m = msgspec.msgpack.decode(saved, type=_Saved)
    return Outgoing(_TOPICS[m.topic], m.body, m.key, m.subject, m.headers)
