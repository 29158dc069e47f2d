"""The contract of `Documents` on MongoDB, and the limit of its documents."""

from __future__ import annotations

import asyncio

import pytest

from shared.errors import RetryableError
from shared.storage.documents import DOCUMENT_BYTES_MAX
from shared.storage.mongo import MongoDocuments
from tests.contract.stores.document_contract import DocumentContract, FakeClock, OpenStore
from tests.contract.stores.mongo_stores import opener

pytestmark = pytest.mark.mongo


class TestMongoDocuments(DocumentContract):
    @pytest.fixture
    def open_store(self, mongo_url: str, clock: FakeClock) -> OpenStore:
        return opener(mongo_url, lambda database: MongoDocuments(database, clock=clock))


async def test_body_and_waiting_messages_of_nearly_the_limit_fit_one_document(mongo_url: str) -> None:
    async with opener(mongo_url, MongoDocuments)() as documents:
        messages = [bytes(7_900_000)]
        await documents.put("runs", "r1", b"", account="main", expected_revision=0, outbox=messages)

        await documents.put("runs", "r1", bytes(DOCUMENT_BYTES_MAX), account="main", expected_revision=1)

        found = await documents.get("runs", "r1")
    assert found is not None
    assert len(found.body) == DOCUMENT_BYTES_MAX


async def test_more_waiting_messages_than_fit_are_refused_until_some_are_published(mongo_url: str) -> None:
    async with opener(mongo_url, MongoDocuments)() as documents:
        for revision in range(2):
            await documents.put(
                "runs", "r1", b"", account="main", expected_revision=revision, outbox=[bytes(3_000_000)]
            )

        with pytest.raises(RetryableError, match="still to be published"):
            await documents.put("runs", "r1", b"new", account="main", expected_revision=2, outbox=[bytes(3_000_000)])

        await documents.clear_outbox("runs", "r1", 1)
        await documents.put("runs", "r1", b"new", account="main", expected_revision=2, outbox=[bytes(3_000_000)])
        assert [item.revision for item in await documents.pending_outbox(0)] == [2, 3]


async def test_clearing_while_others_put_loses_neither(mongo_url: str) -> None:
    """Clearing keeps the revision, so it must not be overwritten by a put that had read the document before."""
    async with opener(mongo_url, MongoDocuments)() as one, opener(mongo_url, MongoDocuments)() as other:
        revisions = [
            await one.put("runs", "r1", b"", account="main", expected_revision=None, outbox=[b"%d" % n])
            for n in range(6)
        ]

        await asyncio.gather(
            *(one.clear_outbox("runs", "r1", revision) for revision in revisions),
            *(other.put("runs", "r1", b"x", account="main", expected_revision=None, outbox=[b"new"]) for _ in range(6)),
        )

        pending = await one.pending_outbox(0)
    assert [(item.revision, item.messages) for item in pending] == [(n, (b"new",)) for n in range(7, 13)]
