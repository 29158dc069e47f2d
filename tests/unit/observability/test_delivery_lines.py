"""The lines that are written while a message is handled name the message, and its batch gets one summary."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import structlog

from shared.errors import BadInputError
from shared.messages.control import LoadRequested, RunClosed
from shared.messages.envelope import Delivery, Outgoing
from shared.messages.topics import LOAD_REQUESTED, RUN_CLOSED
from shared.observability.events import FILE_LANDED, emit
from shared.observability.logs import configure_logging
from shared.observability.metrics import Metrics
from shared.runtime.delivery import Courier, Tries
from shared.runtime.records import Encoder, Stored
from shared.runtime.service import Handler, Route

NOW = 1_800_000_000.0
ENCODER = Encoder({LOAD_REQUESTED.name: LOAD_REQUESTED, RUN_CLOSED.name: RUN_CLOSED}, 12, lambda: NOW)
LOAD = Outgoing(
    LOAD_REQUESTED,
    LoadRequested(
        account="main", session="s1", run=7, step=1, position=0, batch=14, entity="jobs", plan="p", seal="s"
    ),
    14,
    "s1",
    {"run": "7", "batch": "14"},
)  # fmt: skip
CLOSED = Outgoing(RUN_CLOSED, RunClosed(account="main", session="s1", run=7), "7", "s1", {"run": "7"})


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def nothing(delivery: Delivery) -> Sequence[Outgoing]:
    return ()


async def deliver(message: Outgoing, handler: Handler, *, offset: int = 5) -> None:
    record = ENCODER.encode(message)
    stored = Stored(record.topic, record.partition, record.key, record.headers, record.body, offset)
    courier = Courier(ENCODER, lambda: NOW, random.Random(1), Metrics("1.0"))
    await courier.deliver("loader", Route(message.topic, handler, "hub.loader.load"), stored, Tries())


async def test_a_batch_gets_one_summary_line_that_names_where_it_came_from(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    await deliver(LOAD, nothing)

    [line] = lines(stream)
    assert line["event"] == "batch_handled"
    where = {name: line[name] for name in ("service", "topic", "group", "partition", "offset")}
    assert where == {
        "service": "loader",
        "topic": LOAD_REQUESTED.name,
        "group": "hub.loader.load",
        "partition": 2,
        "offset": 5,
    }
    assert (line["session_id"], line["run"], line["batch_id"]) == ("s1", "7", "14")
    assert (line["outcome"], line["outputs"]) == ("finished", 0)


async def test_messages_that_are_no_batches_are_told_at_debug_only(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    await deliver(CLOSED, nothing)

    assert lines(stream) == []


async def test_a_line_of_a_handler_names_its_message(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    async def landing(delivery: Delivery) -> Sequence[Outgoing]:
        emit(FILE_LANDED, file_id="f1", records=1, size_bytes=1)
        return ()

    await deliver(CLOSED, landing, offset=9)

    [line] = lines(stream)
    assert (line["event"], line["offset"], line["session_id"], line["run"]) == ("file_landed", 9, "s1", "7")


async def test_messages_handled_at_the_same_time_keep_their_lines_apart(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)
    both = asyncio.Barrier(2)

    async def landing(delivery: Delivery) -> Sequence[Outgoing]:
        await both.wait()
        emit(FILE_LANDED, file_id=str(delivery.offset), records=1, size_bytes=1)
        return ()

    async with asyncio.TaskGroup() as group:
        group.create_task(deliver(CLOSED, landing, offset=1))
        group.create_task(deliver(CLOSED, landing, offset=2))

    assert sorted((line["file_id"], line["offset"]) for line in lines(stream)) == [("1", 1), ("2", 2)]


async def test_lines_after_a_delivery_do_not_name_it(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    await deliver(CLOSED, nothing)
    emit(FILE_LANDED, file_id="f1", records=1, size_bytes=1)

    [line] = lines(stream)
    assert "offset" not in line


async def test_a_batch_that_is_given_up_says_so_in_its_summary(stream: io.StringIO) -> None:
    configure_logging(json_lines=True, stream=stream)

    async def refuse(delivery: Delivery) -> Sequence[Outgoing]:
        raise BadInputError("Ana Ruiz has no phone.")

    await deliver(LOAD, refuse)

    assert [(line["event"], line.get("outcome")) for line in lines(stream)] == [
        ("message_dead_lettered", None),
        ("batch_handled", "dead_letter"),
    ]
    assert "Ana" not in stream.getvalue()
