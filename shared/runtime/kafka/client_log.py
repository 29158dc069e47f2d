"""What FastStream's consuming loops report: errors of the client, which they try again every five seconds for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from shared.messages.envelope import Clock
from shared.runtime.service import Fault

PERSISTENT_SECONDS = 60.0
"""An error that could pass and lasts longer is shown as a fault; one that cannot pass at once."""
OVER_SECONDS = 15.0
"""Without an error for so long it is over: the loops try again every five seconds."""

_log = structlog.get_logger("hub.runtime")


@dataclass
class _Trouble:
    first: float
    last: float
    error: KafkaError
    topic: str


class ClientLog:
    """A logger as FastStream takes it. Lines that tell of no error are left out: a turn is logged by ourselves."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._troubles: dict[str, _Trouble] = {}
        """By consumer group."""

    def log(self, level: int, msg: Any, /, *, exc_info: Any = None, extra: Any = None) -> None:
        """One line. An error of the client is remembered by its group."""
        if level < logging.WARNING or (level < logging.ERROR and exc_info is None):
            return  # that topics must exist is checked and told at the start
        topic, group = (str((extra or {}).get(name, "")) for name in ("topic", "group_id"))
        if isinstance(exc_info, KafkaError):
            self._note(group, topic, exc_info)
        _log.log(level, "kafka_client", topic=topic, group=group, error_class=type(exc_info).__name__)

    def faults(self) -> list[Fault]:
        """Groups whose client cannot go on."""
        now = self._monotonic()
        self._troubles = {group: t for group, t in self._troubles.items() if now - t.last <= OVER_SECONDS}
        return [
            Fault(
                service="runtime",
                topic=trouble.topic,
                group=group,
                partition=None,
                offset=None,
                error_class=type(trouble.error).__name__,
                message=f"Kafka lets {group} read nothing from {trouble.topic}: {type(trouble.error).__name__}.",
                next_step="Look at the cluster and at our rights there. It is tried again every few seconds.",
                at=self._clock() - (now - trouble.first),
            )
            for group, trouble in self._troubles.items()
            if not trouble.error.retriable or now - trouble.first > PERSISTENT_SECONDS
        ]

    def _note(self, group: str, topic: str, error: KafkaError) -> None:
        now = self._monotonic()
        known = self._troubles.get(group)
        first = known.first if known is not None and now - known.last <= OVER_SECONDS else now
        self._troubles[group] = _Trouble(first, now, error, topic)
