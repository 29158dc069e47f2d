"""The runtimes under the conformance suite. A new one is added here; the tests stay as they are.

An address names a runtime and its log ("embedded:/tmp/x/log.db"), so that another process can open the same one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.messages.envelope import Clock, Topic
from shared.runtime import EmbeddedRuntime, EmbeddedSettings, Runtime
from tests.contract.runtime.notes import TOPICS

PARTITIONS = 4
BACKLOG_BYTES_MAX = 10_000


def open_runtime(address: str, *, topics: Sequence[Topic] = TOPICS, clock: Clock = time.time) -> Runtime:
    """A runtime on the log at the address, not started."""
    kind, _, place = address.partition(":")
    return _OPENERS[kind](place, topics, clock)


def new_address(kind: str, folder: Path) -> str:
    """The address of a log that does not exist yet."""
    return f"{kind}:{folder / 'log.db'}"


def _open_embedded(place: str, topics: Sequence[Topic], clock: Clock) -> Runtime:
    settings = EmbeddedSettings(partition_count=PARTITIONS, backlog_bytes_max=BACKLOG_BYTES_MAX, poll_seconds=0.01)
    return EmbeddedRuntime(Path(place), topics=topics, settings=settings, clock=clock)


_OPENERS: dict[str, Callable[[str, Sequence[Topic], Clock], Runtime]] = {"embedded": _open_embedded}
KINDS = tuple(_OPENERS)
