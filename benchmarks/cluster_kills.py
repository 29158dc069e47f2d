"""Kills, cuts and slows a cluster at random moments; compares what imports leave with an undisturbed embedded one.

`python -m benchmarks.cluster_kills [--rounds 10] [--seed 1] [--records 7000] [--store mongo|sqlite]`. Each round
imports the children of a trio and then their parents with real processes on a real broker, while processes of every
kind are killed with SIGKILL, leave and join, and the broker dies or connections are cut, hang or get slow. Exit code 1
where anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.trio_data import scaled
from tests.support.forked_cluster import ForkedCluster, Member, forked_cluster
from tests.support.hub_process import HubProcess, Import
from tests.support.kafka_broker import OwnBroker, free_port
from tests.support.mongo_servers import MongoServer, kinds, port_of, with_port
from tests.support.mongo_servers import start as start_mongo
from tests.support.oracle import check_laws, differences, dump, mongo_rows, stored_rows
from tests.support.tcp_proxy import TcpProxy

BATCH_RECORDS = 60
MEMBERS = {"loader": 2, "mapper": 2, "ingest": 2}
QUIET_SECONDS_MAX = 1.5
"""Up to so long nothing happens between two troubles."""
TROUBLE_SECONDS_MAX = 1.5
"""Up to so long a connection is cut, hangs or is slow."""


@dataclass
class Round:
    """What was done in a round, counted, and what differs in the end."""

    done: Counter[str]
    differences: list[str]
    seconds: float


@dataclass
class Trouble:
    """Makes trouble for a cluster until it is cancelled; then everything is mended and runs."""

    cluster: ForkedCluster
    broker: OwnBroker
    proxies: list[TcpProxy]
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)

    async def go_on(self) -> None:
        """One trouble after the other."""
        kinds: dict[Callable[[], Awaitable[None]], int] = {
            self._kill: 8,
            self._leave: 2,
            self._join: 2,
            self._kill_broker: 1,
            self._disturb: 3,
        }
        while True:
            await asyncio.sleep(self.chance.uniform(0.0, QUIET_SECONDS_MAX))
            [trouble] = self.chance.choices(list(kinds), list(kinds.values()))
            await trouble()

    async def _kill(self) -> None:
        member = self._any()
        await asyncio.to_thread(member.kill)
        self.done[f"{member.service} killed"] += 1
        await asyncio.sleep(self.chance.uniform(0.0, QUIET_SECONDS_MAX))
        self.cluster.start(member.service)

    async def _leave(self) -> None:
        member = self._any()
        if len(self.cluster.of(member.service)) > 1:
            member.leave()
            self.done[f"{member.service} left"] += 1

    async def _join(self) -> None:
        service = self.chance.choice(sorted(MEMBERS))
        if len(self.cluster.of(service)) <= MEMBERS[service]:
            self.cluster.start(service)
            self.done[f"{service} joined"] += 1

    async def _kill_broker(self) -> None:
        await asyncio.to_thread(self.broker.kill)
        await asyncio.to_thread(self.broker.start)
        self.done["broker killed"] += 1

    async def _disturb(self) -> None:
        proxy = self.chance.choice(self.proxies)
        how = self.chance.choice(("cut", "hang", "slow"))
        if how == "slow":
            proxy.slow(bytes_per_second=200_000, delay_seconds=0.03)
        else:
            {"cut": proxy.cut, "hang": proxy.hang}[how]()
        self.done[f"{'broker' if proxy is self.proxies[0] else 'store'} connection {how}"] += 1
        try:
            await asyncio.sleep(self.chance.uniform(0.0, TROUBLE_SECONDS_MAX))
        finally:
            proxy.restore()

    def _any(self) -> Member:
        living = [member for member in self.cluster.members if member.exit_code is None and not member.is_leaving]
        return self.chance.choice(living)


class ClusterKills:
    """Rounds over one set of files on one broker and one store."""

    def __init__(
        self, folder: Path, records: int, seed: int, store: str, broker: OwnBroker, mongo: MongoServer
    ) -> None:
        self._folder, self._seed, self._store = folder, seed, store
        self._broker, self._mongo = broker, mongo
        trio = scaled(folder / "files", records)
        files = {"children": (trio.jobs, trio.invoices), "parents": (trio.customers,)}
        self._work = Import(files, batch_records=BATCH_RECORDS, workers=1)
        self.expected: dict[str, Any] = HubProcess(folder / "undisturbed", self._work).finish()

    def rounds(self, count: int) -> Iterator[Round]:
        """`count` rounds, each with a seed of its own."""
        for number in range(count):
            with self._cluster(self._folder / f"round-{number}") as (cluster, proxies, rows):
                trouble = Trouble(cluster, self._broker, proxies, random.Random(f"{self._seed}/{number}"))
                started = time.monotonic()
                try:
                    found = asyncio.run(self._round(cluster, trouble, rows))
                except (AssertionError, TimeoutError) as error:
                    yield Round(trouble.done, [f"{error}", cluster.said()], time.monotonic() - started)
                    continue
                wrong = differences(self.expected, found)
                wrong += [broken for report in found["reports"] for broken in check_laws(report)]
                yield Round(trouble.done, wrong, time.monotonic() - started)
            if not wrong:
                shutil.rmtree(cluster.folder)

    async def _round(
        self, cluster: ForkedCluster, trouble: Trouble, rows: Callable[[], list[list[Any]]]
    ) -> dict[str, Any]:
        await cluster.create_topics()
        cluster.start_all(counts=MEMBERS)
        await cluster.ready()
        async with cluster.driver(BATCH_RECORDS) as driver:
            async with _going_on(trouble):
                runs = [await driver.drive(name, paths) for name, paths in self._work.sessions.items()]
            await asyncio.to_thread(self._broker.start)
            return await dump(driver, rows(), runs)

    @contextmanager
    def _cluster(self, folder: Path) -> Iterator[tuple[ForkedCluster, list[TcpProxy], Callable[[], list[list[Any]]]]]:
        url = self._mongo.new_database()
        with ExitStack() as stack:
            proxies = [
                stack.enter_context(TcpProxy(self._broker.proxy_port, self._broker.proxied_port)),
                stack.enter_context(TcpProxy(free_port(), port_of(url))),
            ]
            stack.callback(self._mongo.drop, url)
            settings = {
                "HUB_BUS": f"kafka://{self._broker.proxied_bootstrap}",
                "HUB_TOPIC_PREFIX": f"t{secrets.token_hex(4)}.",
                "HUB_REPAIR_SECONDS": "5",
            }
            if self._store == "mongo":
                settings |= {"HUB_STORE": with_port(url, proxies[1].port), "HUB_FILES": "gridfs"}
                rows = lambda: mongo_rows(url)  # noqa: E731
            else:
                settings |= {"HUB_STORE": f"sqlite:///{folder}/store.db", "HUB_FILES": f"file:///{folder}/files"}
                rows = lambda: stored_rows(folder / "store.db")  # noqa: E731
            yield stack.enter_context(forked_cluster(folder, settings)), proxies, rows


@asynccontextmanager
async def _going_on(trouble: Trouble) -> AsyncIterator[None]:
    task = asyncio.create_task(trouble.go_on())
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@contextmanager
def prepared(folder: Path, records: int, seed: int, store: str) -> Iterator[ClusterKills]:
    """With a broker and a store of its own, until the context ends."""
    with ExitStack() as stack:
        broker = OwnBroker(folder / "kafka", free_port())
        stack.callback(broker.stop)
        broker.start()
        mongo = start_mongo(kinds()[-1])
        stack.callback(mongo.stop)
        yield ClusterKills(folder, records, seed, store, broker, mongo)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes random trouble for a cluster and compares what imports leave.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=int, default=7_000, help="in all three files together")
    parser.add_argument("--store", choices=("mongo", "sqlite"), default="mongo")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cluster-kills-"))
    failed = 0
    troubles: Counter[str] = Counter()
    with prepared(folder, options.records, options.seed, options.store) as kills:
        print(f"undisturbed: {len(kills.expected['stored']):,} records stored", flush=True)
        for number, done in enumerate(kills.rounds(options.rounds), start=1):
            failed += bool(done.differences)
            troubles += done.done
            result = "DIFFERS" if done.differences else "equal"
            print(f"round {number:3d}  {done.seconds:5.1f} s  {done.done.total():3d} troubles  {result}", flush=True)
            for difference in done.differences:
                print(f"    {difference}", flush=True)
    for trouble, count in sorted(troubles.items()):
        print(f"{count:5d}  {trouble}")
    print(f"{troubles.total()} troubles in {options.rounds} rounds; {failed} rounds differ (seed {options.seed})")
    if not failed:
        shutil.rmtree(folder)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
