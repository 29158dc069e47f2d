"""Server-sent events: whole states, ids, heartbeat, ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from shared.http.events import ServerEvent, StateFeed, event_response


async def take(events: AsyncIterator[ServerEvent], count: int) -> list[tuple[str, bytes]]:
    taken = []
    async with asyncio.timeout(10):
        while len(taken) < count:
            event = await anext(events)
            taken.append((event.event, event.data))
    return taken


def test_an_event_is_encoded_line_by_line() -> None:
    event = ServerEvent("run.state", b'{"a": 1,\n "b": 2}', "f-7")

    assert event.encode() == b'id: f-7\nevent: run.state\ndata: {"a": 1,\ndata:  "b": 2}\n\n'


def test_an_event_without_data_is_still_dispatched() -> None:
    assert ServerEvent("ping", b"", "1").encode() == b"id: 1\nevent: ping\ndata: \n\n"


async def test_a_new_listener_gets_the_latest_state_of_each_kind_in_order_of_change() -> None:
    feed = StateFeed()
    feed.publish("run.progress", b"1")
    feed.publish("run.state", b"importing")
    feed.publish("run.progress", b"2")

    assert await take(feed.follow(), 2) == [("run.state", b"importing"), ("run.progress", b"2")]


async def test_a_change_reaches_every_listener() -> None:
    feed = StateFeed()
    listening = [asyncio.ensure_future(take(feed.follow(), 1)) for _ in range(3)]
    await asyncio.sleep(0)

    feed.publish("run.state", b"importing")

    assert await asyncio.gather(*listening) == [[("run.state", b"importing")]] * 3


async def test_a_returning_listener_gets_only_what_is_newer() -> None:
    feed = StateFeed()
    feed.publish("run.state", b"importing")
    first = await anext(feed.follow())
    feed.publish("run.progress", b"2")
    feed.close()

    newer = [event.event async for event in feed.follow(first.id, interval_seconds=0)]

    assert newer == ["run.progress"]


async def test_an_id_of_an_earlier_feed_or_none_of_ours_gives_every_state() -> None:
    earlier, feed = StateFeed(), StateFeed()
    for number in range(5):
        earlier.publish("run.progress", str(number).encode())
    stale = await anext(earlier.follow())
    feed.publish("run.state", b"importing")
    feed.close()

    for last_event_id in (stale.id, "nonsense", "", "x-y"):
        assert [event.event async for event in feed.follow(last_event_id)] == ["run.state"]


async def test_the_same_state_again_is_no_event() -> None:
    feed = StateFeed()
    feed.publish("run.state", b"importing")
    feed.publish("run.state", b"importing")
    feed.close()

    assert len([event async for event in feed.follow(interval_seconds=0)]) == 1


async def test_a_slow_listener_misses_states_in_between_and_never_the_last() -> None:
    feed = StateFeed()
    feed.publish("run.progress", b"0")
    events = feed.follow(interval_seconds=0)
    await anext(events)
    for number in range(1, 100):
        feed.publish("run.progress", str(number).encode())
    feed.close()

    assert [event.data async for event in events] == [b"99"]


async def test_heartbeats_fill_the_silence_and_lose_no_event() -> None:
    feed = StateFeed()
    parts = event_response(feed.follow(interval_seconds=0), heartbeat_seconds=0.01).body_iterator
    silence = [await anext(parts) for _ in range(3)]

    feed.publish("run.state", b"importing")
    rest = []
    async with asyncio.timeout(10):
        while not rest or rest[-1].startswith(b":"):
            rest.append(await anext(parts))
    feed.close()
    async for _ in parts:
        pass

    assert silence == [b": heartbeat\n\n"] * 3
    assert b"event: run.state\ndata: importing\n\n" in rest[-1]


async def test_a_listener_that_leaves_ends_its_waiting() -> None:
    feed = StateFeed()
    parts = event_response(feed.follow(), heartbeat_seconds=0.01).body_iterator
    await anext(parts)

    await parts.aclose()

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
