"""Errors that the client library repeats for ever become faults."""

from __future__ import annotations

import logging

import pytest
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from shared.runtime.kafka.client_log import OVER_SECONDS, PERSISTENT_SECONDS, ClientLog

WHERE = {"topic": "hub.run.changed.v1", "group_id": "hub.status.run-changed"}


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def _log(watch: Watch) -> ClientLog:
    return ClientLog(watch, watch)


def _fail(log: ClientLog, error: KafkaError) -> None:
    log.log(logging.ERROR, "Kafka error occurred", exc_info=error, extra=WHERE)


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError(), CorruptRecordException()])
def test_what_cannot_pass_is_a_fault_at_once(error: KafkaError) -> None:
    log = _log(Watch())

    _fail(log, error)

    (fault,) = log.faults()
    assert (fault.group, fault.topic) == (WHERE["group_id"], WHERE["topic"])
    assert type(error).__name__ in fault.message


def test_what_may_pass_is_a_fault_when_it_lasts() -> None:
    watch = Watch()
    log = _log(watch)

    for _ in range(int(PERSISTENT_SECONDS // 5)):
        _fail(log, KafkaConnectionError())
        watch.now += 5
    before = log.faults()
    watch.now += 5
    _fail(log, KafkaConnectionError())

    assert (before, len(log.faults())) == ([], 1)


def test_a_fault_is_over_when_no_error_follows() -> None:
    watch = Watch()
    log = _log(watch)
    _fail(log, TopicAuthorizationFailedError())

    watch.now += OVER_SECONDS + 1

    assert log.faults() == []
