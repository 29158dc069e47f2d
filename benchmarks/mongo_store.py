"""How many records a second the MongoDB record store decides, on every server that the tests would use.

`python -m benchmarks.mongo_store [--batches 60] [--records 500] [--callers 4]`. Each batch is one decision with its
records, as the loader makes them: stored, carried out, marked as carried out. Then every decision and a tenth of the
records are read back, so that a figure without the data behind it cannot be printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from shared.connectors.destination import DecisionKey, RecordRow, Stored
from shared.messages.plan import record_id
from shared.storage.mongo import MongoDatabase, MongoRecordStore
from tests.support.mongo_servers import MongoServer, UnavailableError, kinds, start


def batch_of(number: int, size: int) -> list[RecordRow]:
    """Records of the size that the examples have: some 400 bytes of JSON and one link."""
    links = json.dumps({"customer": [{"text": "Ada Abbot", "id": record_id(1, number), "by": "source_id"}]}).encode()
    return [
        RecordRow(record_id(1, number * size + n), n, 0, links, json.dumps(_body(number * size + n)).encode())
        for n in range(size)
    ]


def _body(n: int) -> dict[str, object]:
    return {
        "name": f"Customer {n}",
        "first_name": "Ada",
        "last_name": f"Abbot {n}",
        "email": f"ada.abbot.{n}@example.com",
        "phone": f"+1512555{n % 10_000:04}",
        "address": {"street": f"{n} Maple Street", "city": "Austin", "state": "TX", "postal_code": "78701"},
        "notes": f"Gate code {n % 9_999}; prefers mornings; has two dogs and a heat pump in the attic.",
        "created_at": "2024-03-05T09:30:00Z",
        "balance": n % 100_000,
    }


def key(number: int) -> DecisionKey:
    return DecisionKey(1, 1, number, "customers")


async def measure(url: str, batches: int, size: int, callers: int) -> tuple[float, float]:
    """Records a second decided, and read back by id."""
    database = MongoDatabase(url)
    await database.open()
    store = MongoRecordStore(database)
    await store.start()
    work = [batch_of(number, size) for number in range(batches)]
    waiting = iter(range(batches))

    async def decide() -> None:
        for number in waiting:
            await store.decide(key(number), Stored(b"{}" * 200, b""), b"audit " * 500, work[number])

    async def read() -> None:
        for number in waiting:
            ids = [record.id for record in work[number]]
            assert await store.rows(ids) == work[number]
            assert await store.outcome(key(number)) is not None

    try:
        started = time.monotonic()
        await asyncio.gather(*(decide() for _ in range(callers)))
        decided = batches * size / (time.monotonic() - started)
        waiting = iter(range(0, batches, 10))
        started = time.monotonic()
        await asyncio.gather(*(read() for _ in range(callers)))
        return decided, len(range(0, batches, 10)) * size / (time.monotonic() - started)
    finally:
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the MongoDB record store.")
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--records", type=int, default=500, help="in each batch")
    parser.add_argument("--callers", type=int, default=4, help="decisions in flight")
    options = parser.parse_args()
    for kind in kinds():
        try:
            server = start(kind)
        except UnavailableError as error:
            print(f"{kind:18} not measured: {error}")
            continue
        try:
            _report(server, options)
        finally:
            server.stop()


def _report(server: MongoServer, options: argparse.Namespace) -> None:
    url = server.new_database()
    decided, read = asyncio.run(measure(url, options.batches, options.records, options.callers))
    print(
        f"{server.kind:18} {options.batches} batches of {options.records}, {options.callers} in flight:"
        f" {decided:8,.0f} records/s decided, {read:8,.0f} records/s read back",
        flush=True,
    )
    if server.process is None:
        server.drop(url)


if __name__ == "__main__":
    main()
