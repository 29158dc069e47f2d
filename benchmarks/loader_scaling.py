"""How much faster several loader processes are than one, with a destination that waits.

    python -m benchmarks.loader_scaling [--loaders 1 2 4] [--batches 600] [--records 20] [--seconds 0.2] [--at-once 1]

For each number of loaders a cluster is started on this machine (broker, `hub api`, the services, and so many processes
of `benchmarks.slow_loader`), and a file of so many batches is imported. The report must count every record. Topics have
12 partitions; window and turns are the product's own. Two figures, by the times of the messages in their topics, so
without start, analysis and mapping: the time from the first load command to the last outcome, in which loaders start
their workers; and the rate of the middle four fifths of the outcomes.

`--at-once 1` is a destination that takes one batch after the other from each process, as one connection to an API does:
then the waits are what there is to scale. A loader has up to 16 batches in hand, so a destination that takes them all
at once (`--at-once 16`) overlaps 16 waits in each loader; how far several loaders help then, the processors decide.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.broker import kafka_broker
from benchmarks.cluster import Cluster, cluster, end_in_order_when_told, sqlite_places
from benchmarks.measure import measure
from shared.messages.topics import BATCH_LOADED, LOAD_REQUESTED

RATIO_MIN = 3.6
PARTITIONS = 12
IMPORT_SECONDS_MAX = 600.0


def make_file(path: Path, records: int) -> None:
    """Customers that an import knows at once for what they are."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["Customer ID", "First Name", "Last Name", "Email", "Phone", "Street", "City", "State", "Zip"])
        for n in range(records):
            rows.writerow(
                [f"C-{n:06}", "Ada", f"Abbot {n}", f"ada.{n}@example.com", f"(512) 555-{n % 10_000:04}",
                 f"{n} Maple Street", "Austin", "TX", "78701"]
            )  # fmt: skip


@dataclass(frozen=True)
class Loading:
    """Times of the messages of one import, in seconds."""

    asked: list[float]
    answered: list[float]

    @property
    def seconds(self) -> float:
        """From the first load command to the last outcome."""
        return max(self.answered) - min(self.asked)

    @property
    def steady_rate(self) -> float:
        """Batches per second of the middle four fifths of the outcomes."""
        times = sorted(self.answered)
        low, high = len(times) // 10, len(times) * 9 // 10
        return (high - low) / (times[high] - times[low])


def load(folder: Path, bootstrap: str, loaders: int, options: argparse.Namespace) -> Loading:
    """One import with so many loaders. SystemExit where it fails or counts wrongly."""
    path = folder / "customers.csv"
    make_file(path, options.batches * options.records)
    with cluster(
        folder, bootstrap, **sqlite_places(folder), HUB_TOPIC_PARTITIONS=str(PARTITIONS), HUB_WORKERS="1"
    ) as hub:
        slow = [sys.executable, "-m", "benchmarks.slow_loader"]
        slow += ["--seconds", str(options.seconds), "--at-once", str(options.at_once)]
        others = [(name, hub.command(name)) for name in ("api", "ingest", "analyze", "mapper", "status")]
        hub.start_commands([*others, *[("loader", slow)] * loaders])
        command = hub.import_command([path], "--batch-size", str(options.records))
        done = measure(command, env=hub.environment, cwd=folder, timeout_seconds=IMPORT_SECONDS_MAX)
        if done.exit_code != 0:
            raise SystemExit(f"The import failed:\n{done.stderr[-3000:]}\n{done.stdout[-2000:]}\n{hub.logs()}")
        imported = json.loads(done.stdout)["entities"]["customers"]["imported"]
        if imported != options.batches * options.records:
            raise SystemExit(f"{imported} records were imported, not {options.batches * options.records}")
        return asyncio.run(_loading(hub, bootstrap, options.batches))


async def _loading(hub: Cluster, bootstrap: str, batches: int) -> Loading:
    """The times; each batch must have both messages."""
    found = Loading(await _times(hub, bootstrap, LOAD_REQUESTED.name), await _times(hub, bootstrap, BATCH_LOADED.name))
    if min(len(found.asked), len(found.answered)) < batches:
        raise SystemExit(f"{len(found.asked)} commands and {len(found.answered)} outcomes for {batches} batches")
    return found


async def _times(hub: Cluster, bootstrap: str, topic: str) -> list[float]:
    """When the messages of a topic were sent."""
    places = [TopicPartition(hub.environment["HUB_TOPIC_PREFIX"] + topic, n) for n in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        times: list[float] = []
        while len(times) < sum(ends.values()):
            polled = await consumer.getmany(timeout_ms=500)
            times += [message.timestamp / 1_000 for messages in polled.values() for message in messages]
        return times
    finally:
        await consumer.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loaders", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--batches", type=int, default=600)
    parser.add_argument("--records", type=int, default=20, help="in each batch")
    parser.add_argument("--seconds", type=float, default=0.2, help="the destination waits for each batch")
    parser.add_argument("--at-once", type=int, default=1, help="batches that it takes at the same time from a loader")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that runs already")
    options = parser.parse_args(arguments)
    end_in_order_when_told()
    found: dict[int, Loading] = {}
    with tempfile.TemporaryDirectory() as scratch, kafka_broker(Path(scratch) / "kafka", options.kafka) as broker:
        for loaders in options.loaders:
            folder = Path(scratch) / f"loaders-{loaders}"
            folder.mkdir()
            found[loaders] = done = load(folder, broker.bootstrap, loaders, options)
            print(f"{loaders} loaders: {done.seconds:7.2f} s, steady {done.steady_rate:6.2f} batches/s", flush=True)
    first, last = found[min(found)], found[max(found)]
    print(
        f"{min(found)} -> {max(found)} loaders: {first.seconds / last.seconds:.2f} times faster from first to last, "
        f"{last.steady_rate / first.steady_rate:.2f} times steadily (at least {RATIO_MIN} for 1 -> 4)"
    )


if __name__ == "__main__":
    main()
