"""What `MongoDatabase` promises about addresses, guarantees, and a server that goes away and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from shared.connectors.destination import RecordRow, Stored
from shared.errors import RetryableError
from shared.messages.plan import record_id
from shared.storage.mongo import MongoDatabase, MongoRecordStore
from tests.contract.stores.mongo_stores import opener
from tests.contract.stores.record_contract import KEY
from tests.support.kafka_broker import free_port
from tests.support.tcp_proxy import TcpProxy

T = TypeVar("T")
pytestmark = pytest.mark.mongo


@pytest.fixture
def proxy(mongo_url: str) -> Iterator[TcpProxy]:
    """A line to the server that can be cut."""
    port = urlsplit(mongo_url).port
    assert port is not None
    with TcpProxy(free_port(), port) as proxy:
        yield proxy


def through(proxy: TcpProxy, url: str) -> str:
    """The address of the same database through the proxy; the driver gives up soon."""
    parts = urlsplit(url)
    limits = "directConnection=true&serverSelectionTimeoutMS=300&connectTimeoutMS=300&socketTimeoutMS=600"
    return parts._replace(netloc=f"127.0.0.1:{proxy.port}", query="&".join([parts.query, limits])).geturl()


async def tried_again(call: Callable[[], Awaitable[T]]) -> T:
    """As whoever delivers messages does it: again and again while the server is away."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RetryableError):
                return await call()


def rows(count: int) -> list[RecordRow]:
    return [RecordRow(record_id(1, n), n, 0, None, b"{}") for n in range(count)]


async def test_a_server_that_was_away_is_used_again(mongo_url: str, proxy: TcpProxy) -> None:
    async with opener(through(proxy, mongo_url), MongoRecordStore)() as store:
        await store.decide(KEY, Stored(b"before", b""), b"", rows(2))

        proxy.cut()
        for call in (store.outcome(KEY), store.existing([1]), store.decide(KEY, Stored(b"x", b""), b"", rows(1))):
            with pytest.raises(RetryableError, match=r"could not be used: .*Check that it runs"):
                await call
        proxy.restore()

        assert await tried_again(lambda: store.outcome(KEY)) == Stored(b"before", b"")
        assert await store.decide(KEY._replace(batch=1), Stored(b"after", b""), b"", []) == Stored(b"after", b"")


async def test_a_server_that_does_not_answer_is_waited_for_until_the_limit(mongo_url: str, proxy: TcpProxy) -> None:
    async with opener(through(proxy, mongo_url), MongoRecordStore)() as store:
        await store.decide(KEY, Stored(b"before", b""), b"", rows(2))

        proxy.hang()
        with pytest.raises(RetryableError):
            await store.outcome(KEY)
        proxy.restore()

        assert await tried_again(lambda: store.outcome(KEY)) == Stored(b"before", b"")


async def test_a_decision_whose_answer_was_lost_can_be_made_again(mongo_url: str, proxy: TcpProxy) -> None:
    async with opener(through(proxy, mongo_url), MongoRecordStore)() as store:
        await store.outcome(KEY)  # connected
        proxy.hang(answers_only=True)
        with pytest.raises(RetryableError, match="may be stored"):
            await store.decide(KEY, Stored(b"load", b""), b"", rows(3))
        proxy.restore()

        again = await tried_again(lambda: store.decide(KEY, Stored(b"again", b""), b"", rows(5)))
        assert again == Stored(b"load", b"")
        assert await store.existing([row.id for row in rows(5)]) == {row.id for row in rows(3)}


async def test_what_is_written_waits_for_a_majority_and_its_journal(mongo_url: str) -> None:
    database = MongoDatabase(f"{mongo_url}{'&' if '?' in mongo_url else '?'}w=1&journal=false")
    await database.open()
    try:
        concern = database.driver().write_concern.document
        reads = database.driver().read_concern.level
    finally:
        await database.close()

    assert (concern["w"], concern["j"], concern["wtimeout"], reads) == ("majority", True, 30_000, "majority")


async def test_an_index_that_is_there_may_be_made_again(mongo_url: str) -> None:
    for _ in range(2):
        async with opener(mongo_url, MongoRecordStore)() as store:
            assert await store.segments("main") == []
