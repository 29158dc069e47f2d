"""What a process that has started asks of the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from shared.runtime.garbage import settle_garbage_collector


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_a_thousand_new_containers_start_no_collection() -> None:
    settle_garbage_collector()

    before = [generation["collections"] for generation in gc.get_stats()]
    batch = [[number] for number in range(1_000)]
    after = [generation["collections"] for generation in gc.get_stats()]

    assert len(batch) == 1_000
    assert after == before


def test_what_the_start_has_made_is_not_looked_through_again() -> None:
    settle_garbage_collector()

    assert gc.get_freeze_count() > 0
