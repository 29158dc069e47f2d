"""Token buckets."""

from __future__ import annotations

import pytest

from shared.errors import RateLimitedError
from shared.http.rate_limit import RateLimit
from tests.contract.stores.document_contract import FakeClock


def test_a_burst_is_allowed_and_the_next_call_told_how_long_to_wait() -> None:
    limit = RateLimit(per_second=2, burst=3, clock=FakeClock())
    for _ in range(3):
        limit.take("a")

    with pytest.raises(RateLimitedError) as refused:
        limit.take("a")

    assert refused.value.after_seconds == 0.5


def test_the_bucket_fills_again_with_time_and_not_above_the_burst() -> None:
    clock = FakeClock()
    limit = RateLimit(per_second=2, burst=3, clock=clock)
    for _ in range(3):
        limit.take("a")
    clock.now += 3_600
    for _ in range(3):
        limit.take("a")

    with pytest.raises(RateLimitedError):
        limit.take("a")


def test_a_refused_call_costs_nothing() -> None:
    clock = FakeClock()
    limit = RateLimit(per_second=1, burst=1, clock=clock)
    limit.take("a")
    for _ in range(5):
        with pytest.raises(RateLimitedError):
            limit.take("a")

    clock.now += 1

    limit.take("a")


def test_callers_do_not_share_a_bucket() -> None:
    limit = RateLimit(per_second=1, burst=1, clock=FakeClock())

    limit.take("a")
    limit.take("b")


def test_the_number_of_callers_remembered_is_bounded() -> None:
    limit = RateLimit(per_second=1, burst=1, clock=FakeClock(), callers_max=2)
    for caller in ("a", "b", "c"):
        limit.take(caller)

    limit.take("a")  # forgotten, so its bucket is full again
    with pytest.raises(RateLimitedError):
        limit.take("c")
