"""One hop over Kafka as the hub makes it, against the same work by hand on bare aiokafka, alternating in one run.

    python -m benchmarks.kafka_hop [--batches 800] [--rounds 5] [--kafka HOST:PORT]

A hop reads batches of 500 records, decodes them, strips each cell, encodes and sends them on, waits until all are
confirmed, and commits. The hub's way is a route of a service on `KafkaRuntime`: FastStream, one verdict per message,
commits by partition, CloudEvents headers. By hand it is getmany of 8, send, gather, commit. Both have the same settings
of consumer and producer (zstd, all replicas, idempotent), and read the same batches. The figure is records per second
between the first and the last batch handled; after it, every batch must have arrived, and every offset be committed.
Without --kafka a broker is started on this machine and stopped at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.broker import kafka_broker
from shared.messages.envelope import Delivery, Outgoing, Topic
from shared.observability.logs import configure_logging
from shared.runtime import Route, Service
from shared.runtime.garbage import settle_garbage_collector
from shared.runtime.kafka import KafkaRuntime, KafkaSettings
from shared.runtime.kafka.sending import BATCH_BYTES_MAX
from shared.runtime.kafka.settings import REQUEST_BYTES_MAX

RATIO_MIN = 0.8
RECORDS = 500
IN_FLIGHT = 8
"""Messages of one poll, in both ways."""
WAIT_SECONDS_MAX = 120.0


class Batch(msgspec.Struct, frozen=True):
    """Cells by record, as a source has them."""

    number: int
    rows: list[list[str]]


RAW = Topic("bench.raw.v1", "Batches to strip.", Batch, "batch", "bench", ("bench",), 1)
STRIPPED = Topic("bench.stripped.v1", "Stripped batches.", Batch, "batch", "bench", (), 1)
TOPICS = (RAW, STRIPPED)


def batch_of(number: int) -> Batch:
    """Records of 18 cells, some 310 bytes each."""
    return Batch(number, [_cells(number * RECORDS + n) for n in range(RECORDS)])


def _cells(n: int) -> list[str]:
    return [
        f" C-{n:07} ", "Ada", f"Abbot {n}", f"Abbot {n % 977} Plumbing LLC", f"ada.abbot.{n}@example.com ",
        f"(512) 555-{n % 10_000:04}", f"{n % 9_999} Maple Street", f" Unit {n % 50}", "Austin", "TX", "78701",
        f"Gate code {n % 9_999}; prefers mornings; has two dogs and a heat pump in the attic. ", "Residential ",
        f"2024-{n % 12 + 1:02}-{n % 28 + 1:02}", f"{n % 100_000 / 100:.2f}", " yes", "", f"vip, lead {n % 7}",
    ]  # fmt: skip


@dataclass
class Clock:
    """The time, and the processor time of this process, between the first and the last batch of a round."""

    expected: int
    seen: int = 0
    first: tuple[float, float] = (0.0, 0.0)
    last: tuple[float, float] = (0.0, 0.0)
    all_seen: asyncio.Event = field(default_factory=asyncio.Event)

    def batch_handled(self) -> None:
        """Called for each batch, after its work."""
        self.last = time.perf_counter(), time.process_time()
        self.first = self.first if self.seen else self.last
        self.seen += 1
        if self.seen == self.expected:
            self.all_seen.set()

    @property
    def records_per_second(self) -> float:
        """The first batch starts the clock, so it does not count."""
        return (self.expected - 1) * RECORDS / (self.last[0] - self.first[0])

    @property
    def cpu_ms_per_batch(self) -> float:
        """Processor milliseconds of a batch, in all threads."""
        return (self.last[1] - self.first[1]) * 1_000 / (self.expected - 1)


def stripped(batch: Batch) -> Batch:
    """The work."""
    return Batch(batch.number, [[cell.strip() for cell in row] for row in batch.rows])


# ---- the two ways -------------------------------------------------------------------------------------------------


async def hop_of_the_hub(settings: KafkaSettings, group: str, batches: int) -> Clock:
    """A route of a service on the hub's runtime."""
    clock = Clock(batches)

    async def handle(delivery: Delivery) -> Sequence[Outgoing]:
        batch: Batch = delivery.message
        out = Outgoing(STRIPPED, stripped(batch), batch.number, "session", {"batch": str(batch.number)})
        clock.batch_handled()
        return [out]

    runtime = KafkaRuntime(settings, topics=TOPICS)
    runtime.add(Service("bench", [Route(RAW, handle, group, ordered=False, in_flight=IN_FLIGHT)]))
    await runtime.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await clock.all_seen.wait()
    finally:
        await runtime.stop()
    return clock


Polled = dict[TopicPartition, list[Any]]
"""What aiokafka's getmany returns."""


async def hop_by_hand(settings: KafkaSettings, group: str, batches: int) -> Clock:
    """What a competent programmer writes with aiokafka alone."""
    clock = Clock(batches)
    consumer = AIOKafkaConsumer(
        settings.topic_prefix + RAW.name,
        group_id=settings.topic_prefix + group,
        enable_auto_commit=False,
        **settings.for_connection(),
        **{name: value for name, value in settings.for_consumer().items() if name != "batch_timeout_ms"},
    )
    producer = AIOKafkaProducer(
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=0,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
        **settings.for_connection(),
    )
    await producer.start()
    await consumer.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while clock.seen < batches:
                polled = await consumer.getmany(timeout_ms=settings.batch_timeout_ms, max_records=IN_FLIGHT)
                if polled:
                    await _turn(consumer, producer, settings, polled, clock)
    finally:
        await consumer.stop()
        await producer.stop()
    return clock


async def _turn(
    consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, settings: KafkaSettings, polled: Polled, clock: Clock
) -> None:
    sent = []
    for messages in polled.values():
        for message in messages:
            batch = msgspec.msgpack.decode(message.value, type=Batch)
            body = msgspec.msgpack.encode(stripped(batch))
            clock.batch_handled()
            topic = settings.topic_prefix + STRIPPED.name
            partition = batch.number % settings.partition_count
            sent.append(await producer.send(topic, body, key=message.key, partition=partition))
    await asyncio.gather(*sent)
    await consumer.commit()


WAYS: dict[str, Callable[[KafkaSettings, str, int], Awaitable[Clock]]] = {
    "by hand": hop_by_hand,
    "the hub": hop_of_the_hub,
}


# ---- the measurement ----------------------------------------------------------------------------------------------


async def compare(settings: KafkaSettings, batches: int, rounds: int) -> dict[str, list[Clock]]:
    """What each way took, by round. SystemExit where a batch was lost or an offset is not committed."""
    await KafkaRuntime(settings, topics=TOPICS).create_topics()
    await _fill(settings, batches)
    found: dict[str, list[Clock]] = {way: [] for way in WAYS}
    arrived = 0
    for number in range(rounds):
        # Each comes first in every other round.
        for way in sorted(WAYS, reverse=bool(number % 2)):
            group = f"bench.{way.replace(' ', '-')}-{number}"
            clock = await WAYS[way](settings, group, batches)
            arrived += batches
            await _check(settings, group, batches, arrived)
            found[way].append(clock)
            print(f"round {number + 1}  {told(clock.records_per_second, clock.cpu_ms_per_batch, way)}", flush=True)
    return found


async def _fill(settings: KafkaSettings, batches: int) -> None:
    runtime = KafkaRuntime(settings, topics=TOPICS)
    await runtime.start()
    try:
        for first in range(0, batches, IN_FLIGHT):
            numbers = range(first, min(first + IN_FLIGHT, batches))
            await runtime.publish([Outgoing(RAW, batch_of(number), number, "session") for number in numbers])
    finally:
        await runtime.stop()


async def _check(settings: KafkaSettings, group: str, batches: int, arrived: int) -> None:
    raw, out = (
        [TopicPartition(settings.topic_prefix + t.name, n) for n in range(settings.partition_count)] for t in TOPICS
    )
    consumer = AIOKafkaConsumer(
        group_id=settings.topic_prefix + group, enable_auto_commit=False, **settings.for_connection()
    )
    await consumer.start()
    try:
        committed = sum([await consumer.committed(partition) or 0 for partition in raw])
        sent = sum((await consumer.end_offsets(out)).values())
    finally:
        await consumer.stop()
    if (committed, sent) != (batches, arrived):
        raise SystemExit(f"{group}: {committed} of {batches} committed, {sent} of {arrived} sent")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=800, help=f"of {RECORDS} records, in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that runs already")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, kafka_broker(Path(folder), options.kafka) as broker:
        prefix = f"hop-{uuid.uuid4().hex[:8]}."
        settings = KafkaSettings((broker.bootstrap,), topic_prefix=prefix, create_missing_topics=True)
        print(f"{options.batches} batches of {RECORDS} records, {len(RAW.encode(batch_of(1))) // 1000} KB each")
        configure_logging(json_lines=False, level="error")
        settle_garbage_collector()  # as every process of a service does; for both ways
        found = asyncio.run(compare(settings, options.batches, options.rounds))
    speed = {way: statistics.median(clock.records_per_second for clock in clocks) for way, clocks in found.items()}
    for way, clocks in found.items():
        cpu = statistics.median(clock.cpu_ms_per_batch for clock in clocks)
        print(f"median   {told(speed[way], cpu, way)}")
    print(f"ratio: {speed['the hub'] / speed['by hand']:.2f} (at least {RATIO_MIN})")


def told(records_per_second: float, cpu_ms_per_batch: float, way: str) -> str:
    """One line's figures."""
    return f"{way}  {records_per_second:9,.0f} records/s, {cpu_ms_per_batch:5.2f} ms of CPU a batch"


if __name__ == "__main__":
    main()
