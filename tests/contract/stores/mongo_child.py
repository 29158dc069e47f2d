"""A second process on a record store: `python -m tests.contract.stores.mongo_child URL NAME FIRST_KEYS_COUNT`.

Says "ready", waits for a line, then decides the keys one after the other and prints the answer that each one got.
"""

from __future__ import annotations

import asyncio
import sys

from shared.connectors.destination import DecisionKey, RecordRow, Stored
from shared.messages.plan import record_id
from shared.storage.mongo import MongoRecordStore
from tests.contract.stores.mongo_stores import opener


def key(batch: int) -> DecisionKey:
    return DecisionKey(1, 1, batch, "customers")


def rows(batch: int, name: str) -> list[RecordRow]:
    """Three records of a batch that say who made them."""
    return [RecordRow(record_id(1, batch * 10 + n), n, 0, None, name.encode()) for n in range(3)]


async def main(url: str, name: str, keys: int) -> None:
    async with opener(url, MongoRecordStore)() as store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for batch in range(keys):
            stored = await store.decide(key(batch), Stored(name.encode(), b""), b"audit", rows(batch, name))
            print(stored.answer.decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
