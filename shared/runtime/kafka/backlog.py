"""How far the groups of this process are behind what this process has published.

In the cluster a publisher and its readers are different processes: there the run's window bounds what is in flight.
This bound is for processes that run both sides.
"""

from __future__ import annotations

import asyncio
from collections import deque

_Waiting = deque[tuple[int, int]]
"""(offset, body bytes) of what is not committed yet."""


class Backlog:
    """Bytes published and not yet committed, by topic, assigned partition and group."""

    def __init__(self) -> None:
        self._readings: dict[tuple[str, int], dict[str, _Waiting]] = {}
        self._shrunk = asyncio.Event()

    def assign(self, group: str, topic: str, partition: int) -> None:
        """The group reads this partition here from now on."""
        self._readings.setdefault((topic, partition), {})[group] = deque()

    def forget(self, group: str, topic: str, partition: int) -> None:
        """The group reads this partition here no more."""
        self._readings.get((topic, partition), {}).pop(group, None)
        self._shrunk.set()

    def published(self, topic: str, partition: int, offset: int, body_bytes: int) -> None:
        """A message was confirmed."""
        for waiting in self._readings.get((topic, partition), {}).values():
            waiting.append((offset, body_bytes))

    def committed(self, group: str, topic: str, partition: int, offset: int) -> None:
        """A group has committed everything before an offset."""
        waiting = self._readings.get((topic, partition), {}).get(group, deque())
        while waiting and waiting[0][0] < offset:
            waiting.popleft()
        self._shrunk.set()

    async def wait_below(self, topic: str, bytes_max: int) -> None:
        """Return when no group is further behind on the topic than that."""
        while any(behind > bytes_max for behind in self._behind(topic).values()):
            self._shrunk.clear()
            await self._shrunk.wait()

    def _behind(self, topic: str) -> dict[str, int]:
        behind: dict[str, int] = {}
        for (read, _), groups in self._readings.items():
            for group, waiting in groups.items() if read == topic else ():
                behind[group] = behind.get(group, 0) + sum(size for _, size in waiting)
        return behind
