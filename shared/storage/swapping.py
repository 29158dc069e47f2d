"""Compare-and-swap among several writers: how often a change is tried again, and how it gives way to the others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from shared.errors import RetryableError

TRIES_MAX = 12
_FIRST_WAIT_SECONDS = 0.004
_WAIT_SECONDS_MAX = 0.25


async def tries(what: str) -> AsyncIterator[int]:
    """One number per try, with a growing wait by chance before each but the first.

    Leave the loop when the swap succeeded. RetryableError, naming `what`, when others were quicker every time.
    """
    for number in range(TRIES_MAX):
        if number:
            await asyncio.sleep(random.random() * min(_WAIT_SECONDS_MAX, _FIRST_WAIT_SECONDS * 2.0**number))
        yield number
    raise RetryableError(f"{what} is being changed by others all the time. Nothing was changed by this call.")
