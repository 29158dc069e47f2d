"""The page for subscribers tells what the registry says, and its consumer runs as it is printed, on a real broker."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.messages.control import BatchLoaded, EntityCounts
from shared.messages.envelope import Outgoing
from shared.messages.generate import EXAMPLES, FOLDER
from shared.messages.topics import BATCH_LOADED, TOPICS
from tests.support.kafka_broker import KafkaBrokerHandle

PAGE = (FOLDER / "SUBSCRIBE.md").read_text(encoding="utf-8")
LINES_MAX = 20
SECONDS_MAX = 60


def blocks(language: str) -> list[str]:
    """The page's blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def listed_topics() -> dict[str, str]:
    """Topic -> what the page says it is ordered by."""
    return dict(re.findall(r"^\| `(hub\.[a-z.-]+\.v\d+)` \| .* \| per (\w+) \|$", PAGE, re.MULTILINE))


def test_the_page_lists_the_public_topics_with_their_keys() -> None:
    assert listed_topics() == {topic.name: topic.keyed_by for topic in TOPICS if topic.public}


def test_the_sample_event_is_the_committed_example() -> None:
    [sample] = blocks("json")

    assert json.loads(sample) == json.loads((FOLDER / EXAMPLES / f"{BATCH_LOADED.name}.json").read_text("utf-8"))


def test_the_days_that_events_are_kept_are_those_of_the_registry() -> None:
    [days] = re.findall(r"\((\d+) days\)", PAGE)

    assert {int(days) * 24} == {topic.retention_hours for topic in TOPICS if topic.public}


def test_the_consumer_is_short() -> None:
    [code] = blocks("python")

    assert len([line for line in code.splitlines() if line.strip()]) <= LINES_MAX


def loaded(run: int, batch: int, imported: int) -> Outgoing:
    message = BatchLoaded(
        account="main", session="s1", run=run, step=1, position=batch, batch=batch, entity="customers",
        decision="load", counts=EntityCounts(imported=imported),
    )  # fmt: skip
    return Outgoing(BATCH_LOADED, message, str(run), "s1", {"run": str(run), "batch": str(batch)})


async def publish(kafka: KafkaBrokerHandle, *messages: Outgoing) -> None:
    """As the hub does: topics of the registry, all headers, compressed."""
    from shared.runtime.kafka import KafkaRuntime, KafkaSettings

    runtime = KafkaRuntime(KafkaSettings((kafka.bootstrap,), partition_count=3), topics=[BATCH_LOADED])
    await runtime.create_topics()
    await runtime.start()
    try:
        await runtime.publish(messages)
    finally:
        await runtime.stop()


def _heed_interrupts() -> None:
    """A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@asynccontextmanager
async def subscriber(folder: Path, kafka: KafkaBrokerHandle) -> AsyncIterator[Process]:
    """The page's consumer as a program of its own; stopped as by Ctrl-C at the end."""
    (folder / "subscriber.py").write_text(blocks("python")[0], encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "subscriber.py", kafka.bootstrap, "imports.db", cwd=folder, stdout=PIPE, stderr=PIPE,
        preexec_fn=_heed_interrupts,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.communicate()


async def said(process: Process, line: str) -> None:
    """Waits until the consumer has said something."""
    assert process.stdout is not None
    heard: list[str] = []
    async with asyncio.timeout(SECONDS_MAX):
        while (text := (await process.stdout.readline()).decode().strip()) != line:
            assert text, f"it ended, after {heard}: {(await process.communicate())[1].decode()}"
            heard.append(text)


def stored(folder: Path, run: int) -> list[int]:
    """Imported records of a run's batches as the consumer keeps them."""
    store = sqlite3.connect(folder / "imports.db")
    try:
        found = store.execute("SELECT imported FROM loaded WHERE run = ? ORDER BY key", (run,))
        return [imported for (imported,) in found]
    finally:
        store.close()


@pytest.mark.kafka
async def test_the_printed_consumer_gets_what_was_before_it_counts_repeats_once_and_goes_on_after_a_stop(
    kafka: KafkaBrokerHandle, tmp_path: Path
) -> None:
    run = uuid.uuid4().int % 1_000_000_000
    await publish(kafka, loaded(run, 0, 497), loaded(run, 1, 500), loaded(run, 0, 497))

    async with subscriber(tmp_path, kafka) as process:
        await said(process, f"run {run}: 997 records imported")
    first = stored(tmp_path, run)
    await publish(kafka, loaded(run, 1, 500), loaded(run, 2, 3))
    async with subscriber(tmp_path, kafka) as process:
        await said(process, f"run {run}: 1000 records imported")

    assert first == [497, 500]
    assert stored(tmp_path, run) == [497, 500, 3]
