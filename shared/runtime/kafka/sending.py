"""Records to Kafka: sent together, confirmed together, tried again while the brokers are away."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError, KafkaTimeoutError
from faststream.kafka import KafkaBroker

from shared.errors import RetryableError
from shared.runtime.delivery import backoff_seconds
from shared.runtime.kafka.backlog import Backlog
from shared.runtime.kafka.client_log import ClientLog
from shared.runtime.kafka.settings import REQUEST_BYTES_MAX, KafkaSettings
from shared.runtime.kafka.wire import Wire
from shared.runtime.records import Record
from shared.runtime.service import RetryPolicy

_WAITS = RetryPolicy(attempts_max=None, wait_seconds_max=2.0)

BATCH_BYTES_MAX = 1024 * 1024
"""Of one partition in a produce request: several acknowledgements travel together, a mapped batch alone."""


def new_broker(settings: KafkaSettings, log: ClientLog) -> KafkaBroker:
    """FastStream's broker with an idempotent producer that asks all replicas. It waits for nobody when it stops."""
    return KafkaBroker(
        list(settings.bootstrap_servers),
        client_id=settings.client_id,
        security=settings.security.for_client(),
        request_timeout_ms=settings.request_timeout_ms,
        allow_auto_create_topics=False,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=0,  # it would hold up every confirmed send
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=REQUEST_BYTES_MAX,
        apply_types=False,
        logger=log,
        log_level=logging.DEBUG,
        graceful_timeout=None,  # the runtime has waited for the turns in hand before
    )


class Sender:
    """Sends through a connected broker."""

    def __init__(self, broker: KafkaBroker, settings: KafkaSettings, wire: Wire, backlog: Backlog) -> None:
        self._broker = broker
        self._settings = settings
        self._wire = wire
        self._backlog = backlog
        self._chance = random.Random()

    async def send(self, records: Sequence[Record]) -> None:
        """Send; on return all are confirmed by the cluster. While it is away this waits, and the client tries again.

        RetryableError where the cluster answers and does not take them for `publish_wait_seconds_max`. Other errors of
        the library (a refused message, missing rights) come out as they are. Some may have been stored then.
        """
        deadline = time.monotonic() + self._settings.publish_wait_seconds_max
        left = list(records)
        attempt = 0
        while left:
            left, error = await self._send_once(left)
            if error is None:
                continue
            attempt += 1
            wait = backoff_seconds(_WAITS, attempt, self._chance)
            if time.monotonic() + wait > deadline:
                raise RetryableError(
                    f"Kafka did not take {len(left)} messages within {self._settings.publish_wait_seconds_max:g} "
                    f"seconds: {type(error).__name__}.",
                    next_step="Look whether the brokers are up. The same messages are sent again later.",
                ) from error
            await asyncio.sleep(wait)

    async def _send_once(self, records: Sequence[Record]) -> tuple[list[Record], KafkaError | None]:
        """(records to send again in their order, why). Raises what cannot pass."""
        sent, why = await self._begin_all(records)
        answers = await asyncio.gather(*sent, return_exceptions=True)
        again: list[Record] = []
        for record, answer in zip(records, answers, strict=False):
            if isinstance(answer, KafkaError) and answer.retriable:
                again.append(record)
                why = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self._backlog.published(record.topic, record.partition, answer.offset, len(record.body))
        return again + list(records[len(sent) :]), why

    async def _begin_all(self, records: Sequence[Record]) -> tuple[list[asyncio.Future[Any]], KafkaError | None]:
        """Hand the records to the client in their order, up to the first that it has no room for."""
        sent: list[asyncio.Future[Any]] = []
        for record in records:
            try:
                sent.append(await self._begin(record))
            except KafkaTimeoutError as error:  # its buffer stayed full: the broker is away
                return sent, error
        return sent, None

    async def _begin(self, record: Record) -> asyncio.Future[Any]:
        return await self._broker.publish(
            record.body,
            topic=self._wire.name(record.topic),
            key=record.key.encode(),
            partition=record.partition,
            headers=self._wire.headers(record),
            correlation_id=record.headers.get("correlationid") or record.headers.get("id"),
            no_confirm=True,
        )
