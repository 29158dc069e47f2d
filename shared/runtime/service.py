"""What a service is made of, and the port of the runtime that runs it. The same declarations run on every runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shared.errors import RetryableError
from shared.messages.envelope import Delivery, Outgoing, Topic
from shared.runtime.fail_points import require_known

if TYPE_CHECKING:
    from fastapi import APIRouter

    from shared.runtime.dead_letters import DeadLetter, DeadLetterFilter

Handler = Callable[[Delivery], Awaitable[Sequence[Outgoing]]]
"""One message in, the messages to send out. It may run again for the same message and must then return the same."""

Hook = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class GivenUp:
    """Why a message is given up."""

    reason_code: str
    """Stable code: that of the HubError, `undecodable_message`, `attempts_used_up` or `unexpected_error`."""
    message: str
    """In words; may name customer values, so it goes to internal topics only."""
    attempts: int


GiveUp = Callable[[Delivery, GivenUp], Awaitable[Sequence[Outgoing]]]
"""What to send in place of a handler's outputs. `Delivery.message` is None where the body could not be decoded."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and after which waits a message is tried again. Waits never hold up other partitions.

    The wait before try n+1 is `first_wait_seconds` doubled n-1 times, at most `wait_seconds_max`, less up to half of it
    by chance. A RetryableError with `after_seconds` is a pause the other side asked for: it waits just that long (up to
    `pause_seconds_max`) and counts against `pauses_max` instead of `attempts_max`. None means without end, for handlers
    whose message must not be given up (a store that is away makes the run wait).
    """

    attempts_max: int | None = 8
    pauses_max: int | None = 1_000
    unexpected_attempts_max: int = 3
    first_wait_seconds: float = 0.1
    wait_seconds_max: float = 30.0
    pause_seconds_max: float = 3_600.0


@dataclass(frozen=True)
class Route:
    """One consumer group on one topic, and the handler of its messages.

    `ordered`: messages of one partition are handled one after the other, partitions at the same time. Otherwise up to
    `in_flight` messages of one turn are handled at the same time. `in_flight` bounds a member's turn in both cases.
    `members`: consumers that share the route's partitions in each process, if more than the service has. One that is
    busy for minutes (landing a large file) then holds up its own partitions only.
    `fail_point_before_commit` is hit after the handler returned and before its outputs and offset are committed.
    """

    topic: Topic
    handler: Handler
    group: str
    give_up: GiveUp | None = None
    ordered: bool = True
    in_flight: int = 8
    members: int = 1
    fail_point_before_commit: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        if self.in_flight < 1:
            raise ValueError(f"in_flight of {self.group} must be at least 1, not {self.in_flight}")
        if self.members < 1:
            raise ValueError(f"{self.group} needs at least one member, not {self.members}")
        if self.fail_point_before_commit is not None:
            require_known(self.fail_point_before_commit)


@dataclass
class Service:
    """A service as it is declared once: `start` runs before its first message, `stop` after its last.

    `stopping` runs as soon as the runtime begins to stop, while messages are still handled: handlers that may take
    longer than a stop waits are told there to give their message back (RetryableError with `after_seconds` 0).
    """

    name: str
    routes: Sequence[Route]
    router: APIRouter | None = None
    start: Hook | None = None
    stop: Hook | None = None
    stopping: Hook | None = None


@dataclass(frozen=True)
class Lag:
    """How far a consumer group is behind on one partition."""

    topic: str
    group: str
    partition: int
    committed: int
    """Offset of the next message to commit."""
    end: int
    """Offset that the next published message gets."""

    @property
    def messages(self) -> int:
        """Messages published and not yet committed by the group."""
        return self.end - self.committed


@dataclass(frozen=True)
class Fault:
    """A consumer that stopped and kept its offset, and what an operator can do. It goes on after a restart."""

    service: str
    topic: str
    group: str
    partition: int | None
    offset: int | None
    error_class: str
    message: str
    next_step: str
    at: float
    """Seconds since the epoch."""


class Runtime(Protocol):
    """Runs services on a durable log with topics, partitions and consumer groups. Delivery is at least once.

    Guarantees, held by `tests/contract/runtime` for every implementation:
    - A handler's outputs are durable before its offset is; where the log can do it, both at once.
    - On ordered routes messages with one key are handled in the order they were published; repeats may come between.
    - A new group starts with the oldest message kept. A message is kept until every known group has committed it.
    - The outcomes of a failure are those of `shared/runtime/delivery.py`.

    A state change over HTTP with messages (outbox): save the messages in the same document as the change, `publish`
    them, then clear them. At start and from time to time publish what was left and clear it. So a message may be
    published twice, never zero times; consumers are idempotent.
    """

    def add(self, service: Service, members: int = 1) -> None:
        """Declare a service, before `start`. Each of its routes gets `members` consumers sharing the partitions."""
        ...

    async def start(self) -> None:
        """Run the services' start hooks in the order of `add`, then begin consuming. Raises what a hook raises."""
        ...

    async def stop(self, timeout_seconds: float = 30.0) -> None:
        """Run the stopping hooks, finish and commit what is being handled, run the stop hooks in reverse order.

        Handlers that take longer than the timeout are cancelled; their messages come again at the next start.
        """
        ...

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send messages; on return all are durable. After an error some may have been sent: publish all again.

        Waits while a group of the topic is too far behind (bounded bytes in flight); RetryableError when that takes too
        long. Handlers return their messages instead of calling this.
        """
        ...

    async def lag(self) -> list[Lag]:
        """Where every known group stands, one entry per partition."""
        ...

    def faults(self) -> list[Fault]:
        """Consumers that stopped. Empty means healthy."""
        ...

    async def dead_letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        """The dead letters that match, oldest first within a topic."""
        ...

    async def replay(self, wanted: DeadLetterFilter) -> int:
        """Publish the matching dead letters' bodies to their topics again, as they came; returns how many.

        Every group of the topic gets them. They stay listed until their retention ends.
        """
        ...


def not_running() -> RetryableError:
    """What a runtime answers before its start and after its stop."""
    return RetryableError("The runtime is not running. Nothing was sent.", next_step="Start it and try again.")


def too_far_behind(topic: str, seconds: float) -> RetryableError:
    """What `publish` answers after waiting in vain for a group that is too far behind."""
    return RetryableError(
        f"The consumers of {topic} are too far behind; nothing was sent after waiting {seconds:g} seconds.",
        next_step="Try again later. If it stays so, look for a stopped consumer in the health report.",
    )
