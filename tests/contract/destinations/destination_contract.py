"""What every `Destination` must do, shown through the port alone. Subclass with a fixture `open_destination`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from shared.connectors.destination import DecisionKey, Destination, RecordRow, Settled, Stored
from shared.messages.plan import record_id

OpenDestination = Callable[[], AbstractAsyncContextManager[Destination]]

KEY = DecisionKey(1, 1, 0, "customers")
SETTLING = DecisionKey(2, 4, 0, "")
AWKWARD = {
    "emoji": "🛠️ Ana's HVAC 👩‍🔧",
    "right to left": "שרה כהן",
    "quotes and newlines": 'He said "no",\nand left\r\n\t\\',
    "control characters": "a\x00b\x1fc",
    "very long": "x" * 200_000,
    "formula": "=SUM(A1:A9)",
    "many digits": 9_007_199_254_740_993,
    "nothing": "",
}


def record(slot: int, *, open: int = 0, links: bytes | None = None, **body: Any) -> RecordRow:
    return RecordRow(record_id(1, slot), slot + 2, open, links, json.dumps(body, ensure_ascii=False).encode())


async def write(
    destination: Destination, *records: RecordRow, key: DecisionKey = KEY, answer: bytes = b"load"
) -> Stored:
    return await destination.write(key, Stored(answer, b"told of " + answer), b"audit of " + answer, records)


async def read_all(destination: Destination, records: Sequence[RecordRow]) -> list[RecordRow]:
    return await destination.read([r.id for r in records])


class DestinationContract:
    """Every call of the fixture `open_destination` opens the same destination once more, as a later process does."""

    async def test_it_says_what_it_can_do_and_that_it_is_ready(self, open_destination: OpenDestination) -> None:
        async with open_destination() as destination:
            capabilities = destination.describe()
            await destination.check()

        assert capabilities.name
        assert capabilities.records_per_write > 0

    async def test_what_was_written_is_read_back_by_id(self, open_destination: OpenDestination) -> None:
        records = [record(slot, name=f"Customer {slot}") for slot in range(5)]
        records[3] = record(3, open=2, links=b'{"customer":[{"text":"Ada"}]}', name="Customer 3")
        async with open_destination() as destination:
            stored = await write(destination, *records)

            assert stored == Stored(b"load", b"told of load")
            assert await destination.read([r.id for r in reversed(records)]) == records

    @pytest.mark.parametrize("kind", AWKWARD)
    async def test_awkward_values_come_back_as_they_went(self, kind: str, open_destination: OpenDestination) -> None:
        awkward = record(0, value=AWKWARD[kind])
        async with open_destination() as destination:
            await write(destination, awkward)

            [found] = await read_all(destination, [awkward])

        assert json.loads(found.body) == {"value": AWKWARD[kind]}

    async def test_what_is_not_written_is_not_there(self, open_destination: OpenDestination) -> None:
        async with open_destination() as destination:
            await write(destination, record(0), record(2))

            assert await destination.existing([record_id(1, slot) for slot in (3, 2, 1, 0)]) == {
                record_id(1, 0),
                record_id(1, 2),
            }
            assert await destination.read([record_id(1, 1)]) == []
            assert await destination.existing([]) == set()
            assert await destination.decided(KEY._replace(batch=1)) is None

    async def test_a_batch_as_large_as_it_takes_arrives_whole(self, open_destination: OpenDestination) -> None:
        async with open_destination() as destination:
            records = [record(slot, n=slot) for slot in range(destination.describe().records_per_write)]

            await write(destination, *records)

            assert await destination.existing([r.id for r in records]) == {r.id for r in records}
            assert await read_all(destination, records) == records

    async def test_a_decision_without_records_is_kept(self, open_destination: OpenDestination) -> None:
        async with open_destination() as destination:
            await write(destination, answer=b"cancelled")

            assert await write(destination, record(0), answer=b"load") == Stored(b"cancelled", b"told of cancelled")
            assert await destination.existing([record_id(1, 0)]) == set()

    async def test_the_second_write_of_a_key_writes_nothing_and_returns_the_first_answer(
        self, open_destination: OpenDestination
    ) -> None:
        async with open_destination() as destination:
            first = await write(destination, record(0, name="first"))

            second = await write(destination, record(0, name="second"), record(1, name="more"), answer=b"later")

            assert second == first == await destination.decided(KEY)
            assert await destination.read([record_id(1, 0), record_id(1, 1)]) == [record(0, name="first")]

    async def test_of_writers_at_the_same_moment_one_decides(self, open_destination: OpenDestination) -> None:
        async with open_destination() as one, open_destination() as other:
            answers = await asyncio.gather(
                *(
                    write(destination, record(0, by=n), record(n, by=n), answer=b"%d" % n)
                    for n, destination in enumerate([one, other] * 4, start=1)
                )
            )

            assert len(set(answers)) == 1
            won = int(answers[0].answer)
            slots = [record_id(1, slot) for slot in range(9)]
            assert await other.read(slots) == [record(0, by=won), record(won, by=won)]

    async def test_a_decision_survives_the_process(self, open_destination: OpenDestination) -> None:
        async with open_destination() as destination:
            await write(destination, record(0, name="kept"))

        async with open_destination() as destination:
            assert await destination.decided(KEY) == Stored(b"load", b"told of load")
            assert await write(destination, record(1), answer=b"again") == Stored(b"load", b"told of load")
            assert await destination.read([record_id(1, 0), record_id(1, 1)]) == [record(0, name="kept")]

    async def test_settling_changes_the_links_and_leaves_the_rest(self, open_destination: OpenDestination) -> None:
        waiting = record(0, open=2, links=b'{"customer":[{"text":"Ada"},{"text":"Ben"}]}', name="kept")
        untouched = record(1, open=1, links=b"{}", name="other")
        links = b'{"customer":[{"text":"Ada","id":7},{"text":"Ben"}]}'
        async with open_destination() as destination:
            await write(destination, waiting, untouched)

            stored = await destination.settle(SETTLING, Stored(b"settled", b""), b"", [Settled(waiting.id, 1, links)])

            assert stored == await destination.decided(SETTLING) == Stored(b"settled", b"")
            assert await read_all(destination, [waiting, untouched]) == [
                waiting._replace(open=1, links=links),
                untouched,
            ]

    async def test_the_second_settlement_of_a_key_changes_nothing_and_returns_the_first_answer(
        self, open_destination: OpenDestination
    ) -> None:
        waiting = [record(slot, open=1, links=b"{}") for slot in range(2)]
        async with open_destination() as destination:
            await write(destination, *waiting)
            first = await destination.settle(
                SETTLING, Stored(b"first", b""), b"", [Settled(waiting[0].id, 0, b'{"by":"first"}')]
            )

            second = await destination.settle(
                SETTLING, Stored(b"second", b""), b"", [Settled(r.id, 0, b'{"by":"second"}') for r in waiting]
            )

            assert second == first == Stored(b"first", b"")
            assert [r.links for r in await read_all(destination, waiting)] == [b'{"by":"first"}', b"{}"]
