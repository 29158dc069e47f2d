"""What the loader tells about its records, for log lines and metrics: each decision once, and no cell's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.loader.outcomes import GIVEN_UP, seal_failure, staged_summary
from shared.messages.batches import CANCELLED
from shared.messages.control import BatchStaged
from shared.observability.events import RECORDS_DECIDED, RECORDS_STAGED, Event, listen
from tests.support.builders import make_plan, mapped_batch
from tests.unit.loader.test_handlers import BATCHES, FILES, Loader, loader

__all__ = ["loader"]

PLAN = make_plan(*FILES, run=1)


@pytest.fixture
def told() -> Iterator[list[tuple[Event, Mapping[str, Any]]]]:
    """Every event with its facts."""
    found: list[tuple[Event, Mapping[str, Any]]] = []
    stop = listen(lambda event, facts: found.append((event, dict(facts))))
    yield found
    stop()


async def test_a_decision_is_told_when_it_is_first_stored_and_not_on_a_redelivery(
    loader: Loader, told: list[tuple[Event, Mapping[str, Any]]]
) -> None:
    run = await loader.sealed(1, BATCHES)

    first = await run.load("customers", 0)
    again = await run.load("customers", 0)

    decided = [facts for event, facts in told if event is RECORDS_DECIDED]
    assert decided == [
        {"entity": "customers", "decision": "load", "imported": 2, "skipped": 0, "errored": 0, "warnings": 0}
    ]
    assert [message.message for message in first] == [message.message for message in again]


async def test_a_preflight_decides_nothing_that_counts(
    loader: Loader, told: list[tuple[Event, Mapping[str, Any]]]
) -> None:
    run = await loader.sealed(1, BATCHES)

    await run.load("customers", 0, dry_run=True)

    assert [event for event, _ in told if event is RECORDS_DECIDED] == []


async def test_cancelled_records_are_told_as_skipped(
    loader: Loader, told: list[tuple[Event, Mapping[str, Any]]]
) -> None:
    run = await loader.sealed(1, BATCHES)

    await run.load("customers", 0, cancelled=True)

    [facts] = [facts for event, facts in told if event is RECORDS_DECIDED]
    assert (facts["decision"], facts["imported"], facts["skipped"]) == ("cancelled", 0, 2)


async def test_staged_records_are_told_by_entity_type(
    loader: Loader, told: list[tuple[Event, Mapping[str, Any]]]
) -> None:
    plan, _ = await loader.plan(1)

    await loader.stage(plan, 0, BATCHES[0], errored={"customers": 1})

    assert [facts for event, facts in told if event is RECORDS_STAGED] == [
        {"entity": "customers", "valid": 2, "errored": 1, "skipped": 0}
    ]


@pytest.mark.parametrize(
    ("reason", "public"),
    [(None, None), (CANCELLED, CANCELLED), ("ValueError: 'Ana Ruiz' is no number", GIVEN_UP)],
)
def test_a_batch_that_was_not_mapped_is_public_by_its_code_only(reason: str | None, public: str | None) -> None:
    summary = staged_summary(mapped_batch(PLAN, 0, errored={"customers": 2}, given_up=reason))

    assert BatchStaged.model_validate_json(summary).given_up == public
    assert b"Ana" not in summary


def test_the_words_of_an_unknown_exception_do_not_reach_the_public_event_of_a_run() -> None:
    assert "Ana" not in seal_failure("unexpected_error", "KeyError: 'Ana Ruiz'")


def test_words_of_the_hub_itself_do() -> None:
    assert seal_failure("permanent", "The staged batches differ.") == "The staged batches differ."
