"""Messages that vanish from their topics (deleted records): what they would have led to comes all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.app import embedded_hub
from services.settings import load_settings
from shared.messages import topics
from shared.messages.topics import TOPICS
from shared.runtime import DeadLetterFilter
from tests.support.drive import Driver, client_of
from tests.support.oracle import differences, dump, stored_rows
from tests.support.scheduler import AdversarialRuntime, Nastiness
from tests.support.tricky_trio import make_tricky_trio

BATCH_RECORDS = 40
REPAIR_SECONDS = 0.1

BEFORE_A_RUN = frozenset(
    {topics.SESSION_SAMPLED, topics.ENTITIES_DETECTED, topics.MAPPING_PROPOSED, topics.MAPPING_APPROVED}
)
"""Whoever waits for these asks again: the analysis, or the approval."""

NOTHING_WAITS_FOR = frozenset({topics.SESSION_CHANGED})

MADE_UP_FOR = frozenset(TOPICS) - BEFORE_A_RUN - NOTHING_WAITS_FOR


async def _import(data: Path, sessions: Sequence[Sequence[Path]], runtime: AdversarialRuntime | None) -> dict[str, Any]:
    data.mkdir()
    settings = load_settings(data_dir=data).model_copy(
        update={"bus": None, "store": None, "files": None, "repair_seconds": REPAIR_SECONDS}
    )
    async with (
        embedded_hub(data, workers=1, window=4, page_records=25, runtime=runtime, settings=settings) as hub,
        client_of(hub) as client,
    ):
        driver = Driver(client, options={"batch_records": BATCH_RECORDS})
        if runtime is not None:
            driver.pump = runtime.run_until_idle
        runs = [await driver.drive(f"session {number}", paths) for number, paths in enumerate(sessions)]
        left = await dump(driver, stored_rows(data / "store.db"), runs)
        assert await hub.runtime.dead_letters(DeadLetterFilter()) == []
        assert hub.runtime.faults() == []
    return left


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """Children first, so that Finalizing has pages to settle when their parents come."""
    customers_a, customers_b, invoices, jobs = make_tricky_trio(tmp_path_factory.mktemp("trio"), seed=9)
    return [[invoices, jobs], [customers_a, customers_b]]


@pytest.fixture(scope="module")
def undisturbed(sessions: list[list[Path]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return asyncio.run(_import(tmp_path_factory.mktemp("order") / "data", sessions, None))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_import_whose_topics_lose_messages_ends_like_an_undisturbed_one(
    seed: int, sessions: list[list[Path]], undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_RATE_LIMIT_PER_SECOND", "100000")
    monkeypatch.setenv("HUB_RATE_LIMIT_BURST", "100000")
    losable = frozenset(topic.name for topic in MADE_UP_FOR)
    runtime = AdversarialRuntime(seed, nastiness=Nastiness(repeats_max=20, losable=losable))

    found = await _import(tmp_path / "data", sessions, runtime)

    assert differences(undisturbed, found) == []
    assert sum(runtime.lost.values()) > 20


@pytest.mark.parametrize("topic", sorted(MADE_UP_FOR, key=lambda topic: topic.name), ids=lambda topic: topic.name)
async def test_a_topic_that_loses_its_first_message_holds_nothing_up(
    topic: topics.Topic, sessions: list[list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_RATE_LIMIT_PER_SECOND", "100000")
    monkeypatch.setenv("HUB_RATE_LIMIT_BURST", "100000")
    (_, jobs), (customers, _) = sessions
    calm = Nastiness(0.0, 0.0, 0, 1, frozenset({topic.name}), lost_max=1, lost_share=1.0)
    runtime = AdversarialRuntime(1, nastiness=calm)

    found = await _import(tmp_path / "data", [[jobs], [customers]], runtime)

    assert len(found["reports"]) == 2
    assert runtime.lost[topic.name] == (0 if topic is topics.OUTCOMES_REQUESTED else 1)
