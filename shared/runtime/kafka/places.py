"""Where a member stands in one partition: what it saw, what of it is finished, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.runtime.records import Stored
from shared.runtime.turns import Held


@dataclass(slots=True)
class Place:
    """One assigned partition. Offsets may have gaps (deleted messages), so only what was seen counts."""

    position: int = -1
    """Behind the last message seen; -1 before the first one."""
    committed: int = -1
    """What this member has committed; -1 before its first commit."""
    open: set[int] = field(default_factory=set)
    """Seen and not finished, waiting ones among them."""
    ahead: set[int] = field(default_factory=set)
    """Finished behind an open one (unordered): not handled again when they are read again."""
    held: dict[int, Held] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    """Waiting ones whose time has come and that are being read again."""

    def ready(self, messages: Sequence[Stored], now: float, *, ordered: bool) -> list[Stored]:
        """Which of the fetched messages may be handled now; these and those that wait are seen from here on."""
        chosen: list[Stored] = []
        for stored in messages:
            self.asked.discard(stored.offset)
            if stored.offset < self.committed or stored.offset in self.ahead:
                continue
            held = self.held.get(stored.offset)
            waits = held is not None and held.due > now
            if not waits:
                chosen.append(stored)
            self.open.add(stored.offset)
            self.position = max(self.position, stored.offset + 1)
            if waits and ordered:
                break
        return chosen

    def finish(self, offset: int) -> None:
        """A message is done with."""
        self.open.discard(offset)
        self.held.pop(offset, None)
        self.ahead.add(offset)

    def hold(self, offset: int, held: Held) -> None:
        """A message waits for its next try."""
        self.held[offset] = held

    def commit_offset(self) -> int:
        """The next offset to handle: everything before it is finished. -1 before the first message."""
        return min(self.open, default=self.position)

    def commit(self, offset: int) -> None:
        """Everything before this offset is committed."""
        self.committed = offset
        self.ahead = {ahead for ahead in self.ahead if ahead > offset}

    def width(self) -> int:
        """How far reading is ahead of the commit."""
        return self.position - self.commit_offset()

    def next_due(self) -> float | None:
        """When the first message that waits is due; None where none waits."""
        return min((held.due for offset, held in self.held.items() if offset not in self.asked), default=None)

    def ask(self, now: float) -> int | None:
        """The offset to read from to get what is due now; None where nothing is, or it was asked for already."""
        due = {offset for offset, held in self.held.items() if held.due <= now and offset not in self.asked}
        self.asked |= due
        return min(due, default=None)

    def rewind(self) -> int:
        """Take back what was seen and not finished; returns the offset to read from. Tries and waits are kept."""
        offset = self.commit_offset()
        self.open.clear()
        self.asked.clear()
        self.position = offset
        return offset
