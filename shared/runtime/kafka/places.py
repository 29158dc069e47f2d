"""Where a member stands in one partition: what it saw, what of it is finished, what waits.

What is seen and not finished is kept here with its body, so that a message that waits is handled again from memory: the
log is read forwards only, and a message that is deleted from its topic while it waits is handled all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.runtime.records import Stored
from shared.runtime.turns import Held


@dataclass(slots=True)
class Seen:
    """A message that is not finished; `held` says that it waits, and what was tried."""

    stored: Stored
    held: Held | None = None

    def waits(self, now: float) -> bool:
        """Whether its next try is not due yet."""
        return self.held is not None and self.held.due > now


@dataclass(slots=True)
class Place:
    """One assigned partition. Offsets may have gaps (deleted messages), so only what was seen counts."""

    position: int = -1
    """Behind the last message seen; -1 before the first one."""
    committed: int = -1
    """What this member has committed; -1 before its first commit."""
    open: dict[int, Seen] = field(default_factory=dict)
    """What was seen and is not finished, by offset, in their order."""
    is_paused: bool = False

    def see(self, messages: Iterable[Stored]) -> None:
        """Take over fetched messages, which come in their order and are never before the position."""
        for stored in messages:
            if stored.offset >= self.position:
                self.open[stored.offset] = Seen(stored)
                self.position = stored.offset + 1

    def ready(self, now: float, *, ordered: bool) -> list[Stored]:
        """What may be handled now. On ordered routes nothing behind a message that waits."""
        chosen: list[Stored] = []
        for seen in self.open.values():
            if not seen.waits(now):
                chosen.append(seen.stored)
            elif ordered:
                break
        return chosen

    def held(self, offset: int) -> Held | None:
        """What was tried with an open message before."""
        return self.open[offset].held

    def finish(self, offset: int) -> None:
        """A message is done with."""
        del self.open[offset]

    def hold(self, offset: int, held: Held) -> None:
        """A message waits for its next try."""
        self.open[offset].held = held

    def commit_offset(self) -> int:
        """The next offset to handle: everything before it is finished. -1 before the first message."""
        return next(iter(self.open), self.position)

    def must_pause(self, in_flight: int, *, ordered: bool) -> bool:
        """Whether nothing more may be read for now.

        On ordered routes nothing is handled behind a message that waits; on others up to `in_flight` messages from
        there on: so much is handled again should this process die.
        """
        if not self.open:
            return False
        return ordered or self.position - self.commit_offset() >= in_flight

    def next_due(self, *, ordered: bool) -> float | None:
        """When the next message may be handled: 0 for one that need not wait; None where none is open."""
        dues = [seen.held.due if seen.held is not None else 0.0 for seen in self.open.values()]
        return dues[0] if dues and ordered else min(dues, default=None)
