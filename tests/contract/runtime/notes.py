"""Small topics and handlers for the runtime tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from shared.messages.envelope import Delivery, Outgoing, Topic
from shared.runtime import Handler, RetryPolicy, Route, Runtime, Service


class Note(msgspec.Struct, frozen=True):
    """A numbered message."""

    n: int
    text: str = ""


def topic(name: str, retention_hours: int = 24) -> Topic:
    """A topic of notes."""
    return Topic(name, "For tests.", Note, "batch", "tests", (), retention_hours)


NOTES = topic("hub.note.written.v1")
ANSWERS = topic("hub.note.answered.v1")
TOPICS = (NOTES, ANSWERS)

QUICK = RetryPolicy(first_wait_seconds=0.001, wait_seconds_max=0.01)
"""Retries without waiting."""

WAIT_SECONDS_MAX = 30.0
"""After which a wait in a test counts as failed; nothing takes nearly so long."""


def note(n: int, *, key: int | str | None = None, to: Topic = NOTES, text: str = "", session: str = "s1") -> Outgoing:
    """A note to send; by default its number chooses the partition."""
    return Outgoing(to, Note(n, text), n if key is None else key, session)


def undecodable(key: int) -> Outgoing:
    """A message whose body is no note."""
    return Outgoing(NOTES, b"\xc1 not MessagePack", key, "s1")


class Collector:
    """A handler that remembers what it got and answers nothing."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    async def __call__(self, delivery: Delivery) -> Sequence[Outgoing]:
        self.deliveries.append(delivery)
        return ()

    @property
    def numbers(self) -> list[int]:
        """The notes' numbers as they came."""
        return [delivery.message.n for delivery in self.deliveries]


async def answer(delivery: Delivery) -> Sequence[Outgoing]:
    """Answer a note with one of the same number."""
    return [note(delivery.message.n, to=ANSWERS)]


def reader(handler: Handler, *, name: str = "reader", of: Topic = NOTES, **route: Any) -> Service:
    """A service with one route; quick retries unless told otherwise."""
    return Service(name, [Route(of, handler, f"hub.{name}", **{"retry": QUICK, **route})])


async def until(is_true: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not is_true():
            await asyncio.sleep(0.002)


async def lag_of(runtime: Runtime, group: str = "hub.reader") -> int:
    """How many messages the group has not committed."""
    return sum(lag.messages for lag in await runtime.lag() if lag.group == group)


async def drained(runtime: Runtime, group: str = "hub.reader") -> None:
    """Wait until the group has committed everything."""
    await committed_but(runtime, 0, group)


async def committed_but(runtime: Runtime, count: int, group: str = "hub.reader") -> None:
    """Wait until the group has committed everything but so many messages."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while await lag_of(runtime, group) != count:
            await asyncio.sleep(0.002)
