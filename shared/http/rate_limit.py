"""Token buckets: how often one caller may call."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from shared.errors import RateLimitedError

# Callers remembered at once, some 200 bytes each. The one unused longest goes first; its bucket is full again by then.
CALLERS_MAX = 10_000


class RateLimit:
    """One bucket per caller: `burst` calls at once, refilled by `per_second`.

    Kept in memory: behind a balancer each process allows that much, so the limit of all is theirs times their number.
    """

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        callers_max: int = CALLERS_MAX,
    ) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._callers_max = callers_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one call. RateLimitedError, with the seconds to wait, where the bucket is empty."""
        now = self._clock()
        left, since = self._buckets.get(caller, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        if left < 1:
            wait = (1 - left) / self._per_second
            raise RateLimitedError(
                f"Too many calls: {self._per_second:g} a second are allowed on average.",
                after_seconds=wait,
                next_step="Wait as long as Retry-After says, then go on.",
            )
        self._buckets[caller] = (left - 1, now)
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._callers_max:
            self._buckets.popitem(last=False)
