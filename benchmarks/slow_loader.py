"""A loader process whose destination is slow: `python -m benchmarks.slow_loader --seconds 0.2 --at-once 1`.

It is the loader of `hub service loader`, with the same settings from the environment, on the hub's own store behind a
wait. `--at-once` is how many batches the destination takes at the same time from one process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from services.bus import make_runtime
from services.instances import Heartbeat
from services.loader.destination_hub import HubDestination
from services.loader.service import NAME, make_loader
from services.settings import HubSettings, load_settings
from services.stores import open_stores
from shared.catalog import load_catalog
from shared.connectors.destination import DecisionKey, RecordRow, Stored
from shared.observability.logs import configure_logging
from shared.runtime import WorkerPool
from shared.runtime.garbage import settle_garbage_collector


@dataclass
class SlowDestination(HubDestination):
    """Waits before each write."""

    seconds: float = 0.2
    at_once: int = 1
    _room: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.at_once)

    async def write(self, key: DecisionKey, decision: Stored, audit: bytes, records: Sequence[RecordRow]) -> Stored:
        async with self._room:
            await asyncio.sleep(self.seconds)
        return await super().write(key, decision, audit, records)


async def run(settings: HubSettings, seconds: float, at_once: int) -> None:
    """Until SIGTERM or SIGINT."""
    configure_logging(json_lines=True, level=settings.log_level)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, time.time))
        workers = await stack.enter_async_context(WorkerPool(settings.worker_count))
        runtime = make_runtime(settings, time.time)
        runtime.add(
            make_loader(
                staging=stores.staging,
                records=stores.records,
                files=stores.files,
                workers=workers,
                clock=time.time,
                catalog=load_catalog(),
                destination=SlowDestination(stores.records, seconds, at_once),
            )
        )
        heartbeat = Heartbeat(stores.documents, NAME, runtime.faults, time.time)
        stack.push_async_callback(heartbeat.stop)
        await runtime.start()
        stack.push_async_callback(runtime.stop)
        await heartbeat.start()
        settle_garbage_collector()
        print(json.dumps({"service": NAME}, indent=1), flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--at-once", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(run(load_settings(shared_bus_for="slow_loader"), options.seconds, options.at_once))


if __name__ == "__main__":
    main()
