"""What becomes of one delivered message. The rules stand here once, for every runtime.

A failed handler has exactly one of four outcomes:

- **Again.** RetryableError, OSError (TimeoutError among them): tried again after a growing wait with jitter, as often
  as the route's RetryPolicy allows. A RetryableError with `after_seconds` is a pause: it waits as long as was asked.
  A wait parks the partition and never sleeps in the handler's place, so other partitions go on.
- **Dead letter.** PermanentError, a body that cannot be decoded, or tries used up. What the route's `give_up` returns
  and the dead letter are committed together with the offset. Nothing else stops.
- **Unexpected.** Any other exception is tried `unexpected_attempts_max` times in all. Then it is a dead letter if the
  route has a `give_up` (so that a run always ends, with the message's rows as errors), otherwise it halts.
- **Halt.** ConfigurationError, or an unexpected exception as above: the group stops on this topic in this process,
  keeps its offset and shows a Fault. It halts too when `give_up` fails for good, or the log cannot take a dead letter:
  nothing is ever dropped.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from shared.errors import ConfigurationError, HubError, PermanentError, RetryableError
from shared.messages.envelope import Clock, Delivery, Outgoing
from shared.observability.delivery_context import delivery_context
from shared.runtime.dead_letters import DeadLetter
from shared.runtime.fail_points import fail_point
from shared.runtime.records import Encoder, Record, Stored
from shared.runtime.service import Fault, GivenUp, RetryPolicy, Route

REASON_CHARACTERS_MAX = 2_000
"""A reason is for reading; some exceptions quote a whole document."""

_log = structlog.get_logger("hub.runtime")


@dataclass(frozen=True, slots=True)
class Tries:
    """What was tried with one message before now, by why it did not end there."""

    failures: int = 0
    pauses: int = 0
    give_ups: int = 0

    @property
    def attempt(self) -> int:
        """Number of the try that comes now, from 1."""
        return self.failures + self.pauses + self.give_ups + 1


@dataclass(frozen=True, slots=True)
class Finished:
    """Commit these records together with the offset. `dead_letter` is among them where the message was given up."""

    records: tuple[Record, ...]
    dead_letter: DeadLetter | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Keep the offset and deliver the message again, with `tries`, after the wait (`is_pause`: that was asked for)."""

    wait_seconds: float
    tries: Tries
    is_pause: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """Keep the offset and stop the group on this topic."""

    fault: Fault


Verdict = Finished | Again | Halt


class Observer(Protocol):
    """Is told of each delivery and once what became of it, for metrics and logs. It must be quick and raise nothing."""

    def delivering(self, service: str) -> AbstractContextManager[None]:
        """Entered while a handler has a message."""
        ...

    def delivered(self, service: str, route: Route, stored: Stored, verdict: Verdict, seconds: float) -> None:
        """A handler's turn with one message is over, after so many seconds."""
        ...


class Courier:
    """Hands messages to handlers and decides what becomes of them. It has no state of its own."""

    def __init__(self, encoder: Encoder, clock: Clock, chance: random.Random, observer: Observer | None = None) -> None:
        self._encoder = encoder
        self._clock = clock
        self._observer = observer
        self.chance = chance

    async def deliver(self, service: str, route: Route, stored: Stored, tries: Tries) -> Verdict:
        """Decode, handle, encode the outputs, tell the observer. Raises nothing but cancellation."""
        with delivery_context(service, route.group, stored):
            if self._observer is None:
                return await self._deliver(service, route, stored, tries)
            began = time.perf_counter()
            with self._observer.delivering(service):
                verdict = await self._deliver(service, route, stored, tries)
            self._observer.delivered(service, route, stored, verdict, time.perf_counter() - began)
            return verdict

    async def _deliver(self, service: str, route: Route, stored: Stored, tries: Tries) -> Verdict:
        delivery = Delivery(route.topic, None, stored.partition, stored.offset, stored.headers, tries.attempt)
        try:
            delivery = replace(delivery, message=route.topic.decode(stored.body))
        except ValueError as error:
            return await self._give_up(service, route, delivery, stored, tries, error, "undecodable_message")
        try:
            records = self._encoded(await route.handler(delivery), stored)
        except Exception as error:
            return await self._after_failure(service, route, delivery, stored, tries, error)
        if route.fail_point_before_commit is not None:
            fail_point(route.fail_point_before_commit)
        return Finished(records)

    def _encoded(self, outputs: Sequence[Outgoing], stored: Stored) -> tuple[Record, ...]:
        return tuple(self._encoder.encode(output, stored.headers) for output in outputs)

    async def _after_failure(
        self, service: str, route: Route, delivery: Delivery, stored: Stored, tries: Tries, error: Exception
    ) -> Verdict:
        policy = route.retry
        used_up = "attempts_used_up"
        if isinstance(error, ConfigurationError):
            return Halt(self.fault(service, route, error, stored))
        if isinstance(error, PermanentError):
            return await self._give_up(service, route, delivery, stored, tries, error, error.code)
        if isinstance(error, RetryableError) and error.after_seconds is not None:
            if _may_go_on(tries.pauses, policy.pauses_max):
                return self._pause(route, stored, tries, error, error.after_seconds)
        elif isinstance(error, RetryableError | OSError):
            if _may_go_on(tries.failures, policy.attempts_max):
                return self._again(route, stored, replace(tries, failures=tries.failures + 1), error)
        elif _may_go_on(tries.failures, policy.unexpected_attempts_max):
            return self._again(route, stored, replace(tries, failures=tries.failures + 1), error)
        elif route.give_up is None:
            return Halt(self.fault(service, route, error, stored))
        else:
            used_up = "unexpected_error"
        return await self._give_up(service, route, delivery, stored, tries, error, used_up)

    async def _give_up(
        self,
        service: str,
        route: Route,
        delivery: Delivery,
        stored: Stored,
        tries: Tries,
        error: Exception,
        reason_code: str,
    ) -> Verdict:
        reason = _text(error)[:REASON_CHARACTERS_MAX]
        given_up = GivenUp(reason_code, reason, tries.attempt)
        try:
            outputs = await route.give_up(delivery, given_up) if route.give_up else ()
            records = self._encoded(outputs, stored)
        except Exception as hook_error:
            return self._after_failed_give_up(service, route, stored, tries, hook_error)
        letter = DeadLetter(
            topic=stored.topic,
            partition=stored.partition,
            offset=stored.offset,
            key=stored.key,
            headers=stored.headers,
            body=stored.body,
            group=route.group,
            error_class=type(error).__name__,
            reason_code=reason_code,
            reason=reason,
            attempts=tries.attempt,
            at=self._clock(),
        )
        _log.error(
            "message_dead_lettered", reason_code=reason_code, attempts=tries.attempt, **_where(route, stored, error)
        )
        return Finished((*records, letter.record()), letter)

    def _after_failed_give_up(
        self, service: str, route: Route, stored: Stored, tries: Tries, error: Exception
    ) -> Verdict:
        if isinstance(error, RetryableError | OSError) and _may_go_on(tries.give_ups, route.retry.attempts_max):
            return self._again(route, stored, replace(tries, give_ups=tries.give_ups + 1), error)
        return Halt(self.fault(service, route, error, stored))

    def _again(self, route: Route, stored: Stored, tries: Tries, error: Exception) -> Again:
        wait = backoff_seconds(route.retry, tries.failures + tries.give_ups, self.chance)
        _log.warning("message_retried", attempt=tries.attempt, wait_seconds=wait, **_where(route, stored, error))
        return Again(wait, tries)

    def _pause(self, route: Route, stored: Stored, tries: Tries, error: Exception, asked_seconds: float) -> Again:
        wait = min(max(asked_seconds, 0.0), route.retry.pause_seconds_max)
        _log.info("message_paused", wait_seconds=wait, **_where(route, stored, error))
        return Again(wait, replace(tries, pauses=tries.pauses + 1), is_pause=True)

    def fault(self, service: str, route: Route, error: BaseException, stored: Stored | None = None) -> Fault:
        """The fault of a group that stops on an error, also logged."""
        next_step = error.next_step if isinstance(error, HubError) else ""
        fault = Fault(
            service=service,
            topic=route.topic.name,
            group=route.group,
            partition=stored.partition if stored else None,
            offset=stored.offset if stored else None,
            error_class=type(error).__name__,
            message=error.message if isinstance(error, HubError) else _text(error)[:REASON_CHARACTERS_MAX],
            next_step=next_step or "Look into the log, correct the cause and start again: no message was lost.",
            at=self._clock(),
        )
        # The frames only: the text of an exception may quote a customer's value.
        frames = "".join(traceback.format_tb(error.__traceback__))
        where = _where(route, stored, error)
        _log.critical("consumer_stopped", service=service, frames=frames, **where)
        return fault


def backoff_seconds(policy: RetryPolicy, tries_failed: int, chance: random.Random) -> float:
    """The wait after so many failed tries: doubled each time, capped, less up to half of it by chance."""
    doublings = min(tries_failed - 1, 30)
    full = min(policy.first_wait_seconds * 2.0**doublings, policy.wait_seconds_max)
    return full * (1.0 - chance.random() / 2)


def _may_go_on(tries_before: int, tries_max: int | None) -> bool:
    """Whether another try is allowed after this one, which came after `tries_before` of its kind."""
    return tries_max is None or tries_before + 1 < tries_max


def _text(error: BaseException) -> str:
    return error.message if isinstance(error, HubError) else f"{type(error).__name__}: {error}"


def _where(route: Route, stored: Stored | None, error: BaseException) -> dict[str, object]:
    where: dict[str, object] = {"topic": route.topic.name, "group": route.group, "error_class": type(error).__name__}
    if stored is not None:
        where |= {"partition": stored.partition, "offset": stored.offset, "session_id": stored.headers.get("subject")}
    return where
