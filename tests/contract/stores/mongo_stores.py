"""Opens the MongoDB adapters for the contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

from shared.storage.mongo import MongoDatabase


class Startable(Protocol):
    async def start(self) -> None: ...


T = TypeVar("T", bound=Startable)


def opener(url: str, make: Callable[[MongoDatabase], T]) -> Callable[[], AbstractAsyncContextManager[T]]:
    """A function whose every call opens the same store once more, over a connection of its own."""

    @asynccontextmanager
    async def open_again() -> AsyncIterator[T]:
        database = MongoDatabase(url)
        await database.open()
        try:
            store = make(database)
            await store.start()
            yield store
        finally:
            await database.close()

    return open_again
