"""Retry, dead letter, halt: what every runtime does when a handler fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.errors import BadInputError, ConfigurationError, PermanentError, RetryableError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import DeadLetterFilter, GivenUp, RetryPolicy
from shared.runtime.records import BODY_BYTES_MAX
from tests.contract.runtime.conftest import Start
from tests.contract.runtime.notes import (
    ANSWERS,
    NOTES,
    Collector,
    answer,
    committed_but,
    drained,
    note,
    reader,
    undecodable,
    until,
)
from tests.contract.runtime.runtimes import PARTITIONS

THREE_TRIES = RetryPolicy(attempts_max=3, pauses_max=3, first_wait_seconds=0.001)


class Failing:
    """A handler that fails at note 3 with the given errors, one after the other, and then handles it as well."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []
        self.handled: list[int] = []

    async def __call__(self, delivery: Delivery) -> Sequence[Outgoing]:
        n = delivery.message.n
        if n == 3:
            self.attempts.append(delivery.attempt)
            if self.errors:
                raise self.errors.pop(0)
        self.handled.append(n)
        return await answer(delivery)


class GivingUp:
    """A `give_up` that answers minus the number, or -1000 where the body could not be read."""

    def __init__(self) -> None:
        self.given_up: list[GivenUp] = []

    async def __call__(self, delivery: Delivery, why: GivenUp) -> Sequence[Outgoing]:
        self.given_up.append(why)
        n = -1000 if delivery.message is None else -delivery.message.n
        return [note(n, key=delivery.partition, to=ANSWERS, session=delivery.headers["subject"])]


@pytest.mark.parametrize(
    "error",
    [RetryableError("The store is away."), OSError("disk"), TimeoutError(), RetryableError("", after_seconds=0)],
)
async def test_a_passing_error_is_tried_again_until_it_works(start: Start, error: Exception) -> None:
    handler, answers = Failing(error, error), Collector()
    runtime = await start(reader(handler), reader(answers, name="asker", of=ANSWERS))

    await runtime.publish([note(n) for n in range(6)])
    await drained(runtime)
    await drained(runtime, "hub.asker")

    assert handler.attempts == [1, 2, 3]
    assert sorted(answers.numbers) == [0, 1, 2, 3, 4, 5]


async def test_the_messages_behind_a_retried_one_keep_their_order(start: Start) -> None:
    handler = Failing(OSError(), OSError())
    runtime = await start(reader(handler))

    await runtime.publish([note(n, key=0) for n in range(6)])
    await drained(runtime)

    assert handler.handled == [0, 1, 2, 3, 4, 5]


async def test_a_long_wait_blocks_its_own_partition_only(start: Start) -> None:
    handler = Failing(RetryableError("Come back in an hour.", after_seconds=3600))
    runtime = await start(reader(handler))

    await runtime.publish([note(n) for n in range(3 * PARTITIONS)])
    others = [n for n in range(3 * PARTITIONS) if n % PARTITIONS != 3]
    await until(lambda: sorted(handler.handled) == others)
    await committed_but(runtime, 3)

    assert sorted(handler.handled) == others


async def test_an_unordered_route_handles_messages_behind_a_waiting_one(start: Start) -> None:
    handler = Failing(RetryableError("Come back in an hour.", after_seconds=3600))
    runtime = await start(reader(handler, ordered=False))

    await runtime.publish([note(n, key=0) for n in range(6)])
    await until(lambda: sorted(handler.handled) == [0, 1, 2, 4, 5])

    assert handler.attempts == [1]


async def test_an_unordered_route_handles_the_others_once_while_one_is_retried(start: Start) -> None:
    handler = Failing(OSError(), OSError())
    runtime = await start(reader(handler, ordered=False))

    await runtime.publish([note(n, key=0) for n in range(30)])
    await drained(runtime)

    assert sorted(handler.handled) == list(range(30))


@pytest.mark.parametrize(
    ("errors", "reason_code", "error_class", "attempts"),
    [
        ([PermanentError("Never.")], "permanent", "PermanentError", 1),
        ([BadInputError("Never.", code="no_such_plan")], "no_such_plan", "BadInputError", 1),
        ([RetryableError("Away.")] * 3, "attempts_used_up", "RetryableError", 3),
        ([OSError("disk")] * 3, "attempts_used_up", "OSError", 3),
        ([RetryableError("Slow down.", after_seconds=0.0)] * 3, "attempts_used_up", "RetryableError", 3),
    ],
)
async def test_a_message_that_cannot_succeed_becomes_a_dead_letter(
    start: Start, errors: list[Exception], reason_code: str, error_class: str, attempts: int
) -> None:
    handler = Failing(*errors)
    runtime = await start(reader(handler, retry=THREE_TRIES))

    await runtime.publish([note(n, key="run-1") for n in range(6)])
    await drained(runtime)

    (letter,) = await runtime.dead_letters(DeadLetterFilter())
    assert (letter.reason_code, letter.error_class, letter.attempts) == (reason_code, error_class, attempts)
    assert handler.handled == [0, 1, 2, 4, 5]
    assert runtime.faults() == []


async def test_a_dead_letter_holds_the_message_and_the_reason(start: Start) -> None:
    runtime = await start(reader(Failing(BadInputError("The plan is gone.")), retry=THREE_TRIES))

    await runtime.publish([note(n, key=7, text="as sent", session="session-5") for n in (1, 3)])
    await drained(runtime)

    (letter,) = await runtime.dead_letters(DeadLetterFilter())
    assert (letter.topic, letter.group, letter.key) == ("hub.note.written.v1", "hub.reader", "7")
    assert (letter.partition, letter.offset) == (7 % PARTITIONS, 1)
    assert (letter.reason, letter.session) == ("The plan is gone.", "session-5")
    assert letter.headers["type"] == "hub.note.written.v1"
    assert NOTES.decode(letter.body).text == "as sent"
    assert letter.at > 1_700_000_000


async def test_an_undecodable_message_stops_nothing_else(start: Start) -> None:
    seen = Collector()
    runtime = await start(reader(seen))

    await runtime.publish([note(1, key=0), undecodable(0), note(2, key=0)])
    await drained(runtime)

    (letter,) = await runtime.dead_letters(DeadLetterFilter())
    assert seen.numbers == [1, 2]
    assert (letter.reason_code, letter.body) == ("undecodable_message", b"\xc1 not MessagePack")


@pytest.mark.parametrize(
    ("error", "reason_code"),
    [(PermanentError("Never."), "permanent"), (KeyError("a fault of ours"), "unexpected_error")],
)
async def test_what_give_up_returns_is_sent_in_place_of_the_outputs(
    start: Start, error: Exception, reason_code: str
) -> None:
    giving_up, answers = GivingUp(), Collector()
    service = reader(Failing(error, error, error), give_up=giving_up)
    runtime = await start(service, reader(answers, name="asker", of=ANSWERS))

    await runtime.publish([note(n) for n in range(6)])
    await drained(runtime)
    await drained(runtime, "hub.asker")

    assert sorted(answers.numbers) == [-3, 0, 1, 2, 4, 5]
    assert [why.reason_code for why in giving_up.given_up] == [reason_code]
    assert len(await runtime.dead_letters(DeadLetterFilter())) == 1


async def test_give_up_works_from_headers_where_the_body_cannot_be_decoded(start: Start) -> None:
    answers = Collector()
    runtime = await start(reader(answer, give_up=GivingUp()), reader(answers, name="asker", of=ANSWERS))

    await runtime.publish([undecodable(0)])
    await until(lambda: answers.numbers == [-1000])

    assert answers.deliveries[0].headers["subject"] == "s1"


async def test_a_message_that_is_too_large_is_given_up(start: Start) -> None:
    async def too_large(delivery: Delivery) -> Sequence[Outgoing]:
        return [note(1, to=ANSWERS, text="x" * BODY_BYTES_MAX)]

    runtime = await start(reader(too_large))
    await runtime.publish([note(1)])
    await drained(runtime)

    (letter,) = await runtime.dead_letters(DeadLetterFilter())
    assert letter.reason_code == "message_too_large"


@pytest.mark.parametrize(
    ("error", "tries"), [(ConfigurationError("No key.", next_step="Set HUB_KEY."), 1), (KeyError("a fault of ours"), 3)]
)
async def test_a_fault_stops_the_group_and_keeps_its_offset(start: Start, error: Exception, tries: int) -> None:
    handler, again = Failing(*[error] * 10), Collector()
    runtime = await start(reader(handler))
    await runtime.publish([note(n, key=0) for n in range(6)])
    await until(lambda: bool(runtime.faults()))

    (fault,) = runtime.faults()
    await runtime.stop()
    runtime = await start(reader(again))
    await drained(runtime)

    assert (fault.group, fault.topic, fault.offset) == ("hub.reader", "hub.note.written.v1", 3)
    assert fault.error_class == type(error).__name__
    assert fault.next_step
    assert len(handler.attempts) == tries
    assert again.numbers == [3, 4, 5]


async def test_a_fault_of_one_group_does_not_touch_another(start: Start) -> None:
    seen = Collector()
    runtime = await start(reader(Failing(ConfigurationError("No key."))), reader(seen, name="other"))

    await runtime.publish([note(n) for n in range(6)])
    await drained(runtime, "hub.other")

    assert sorted(seen.numbers) == [0, 1, 2, 3, 4, 5]


async def test_a_failing_give_up_drops_nothing(start: Start) -> None:
    async def give_up(delivery: Delivery, why: GivenUp) -> Sequence[Outgoing]:
        raise KeyError("a fault of ours")

    again = Collector()
    runtime = await start(reader(Failing(PermanentError("Never.")), give_up=give_up))
    await runtime.publish([note(3)])
    await until(lambda: bool(runtime.faults()))
    await runtime.stop()

    runtime = await start(reader(again))
    await drained(runtime)

    assert again.numbers == [3]
    assert await runtime.dead_letters(DeadLetterFilter()) == []


async def test_replayed_dead_letters_come_again_as_they_were(start: Start) -> None:
    handler = Failing(PermanentError("The plan is gone."))
    runtime = await start(reader(handler))
    await runtime.publish([note(3, key=3, text="as sent"), note(4)])
    await drained(runtime)

    replayed = await runtime.replay(DeadLetterFilter(group="hub.reader"))
    await drained(runtime)

    assert replayed == 1
    assert handler.handled == [4, 3]


async def test_dead_letters_are_found_by_session_and_reason(start: Start) -> None:
    async def refuse(delivery: Delivery) -> Sequence[Outgoing]:
        raise PermanentError("Never.", code=delivery.message.text)

    runtime = await start(reader(refuse))
    wanted = [("s1", "no_plan"), ("s2", "no_plan"), ("s2", "no_file")]
    await runtime.publish([note(n, text=code, session=session) for n, (session, code) in enumerate(wanted)])
    await drained(runtime)

    async def count(**filters: str) -> int:
        return len(await runtime.dead_letters(DeadLetterFilter(**filters)))  # type: ignore[arg-type]

    assert [await count(session="s2"), await count(reason_code="no_plan"), await count(topic="other")] == [2, 2, 0]
    assert len(await runtime.dead_letters(DeadLetterFilter(count_max=2))) == 2
