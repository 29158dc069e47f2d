"""What the metrics of a process count, and that nothing can make their labels grow."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from shared.errors import BadInputError, ConfigurationError, RetryableError
from shared.messages.control import SessionChanged
from shared.messages.envelope import Delivery, Outgoing
from shared.messages.topics import LOAD_REQUESTED, SESSION_CHANGED, consumer_group
from shared.observability import events
from shared.observability.events import emit
from shared.observability.metric_registry import METRICS, OTHER, Metric, label_values
from shared.observability.metrics import Metrics
from shared.runtime.delivery import Courier, Tries
from shared.runtime.records import Encoder, Stored
from shared.runtime.service import Fault, Lag, Route

VERSION = "1.2.3"
NOW = 1_800_000_000.0
CHANGED = Outgoing(SESSION_CHANGED, SessionChanged(account="main", session="s1", version=1, state="new"), "s1", "s1")
GROUP = consumer_group("status", SESSION_CHANGED)

_ID_LIKE = re.compile(r"(^|_)(id|ids|account|session|run|batch|file|key|name|offset|partition|user|path|message)(_|$)")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(VERSION)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one series; 0 where there is none."""
    return next((number for sample, found, number in samples(metrics) if (sample, found) == (name, labels)), 0.0)


def samples(metrics: Metrics) -> list[tuple[str, dict[str, str], float]]:
    """(name, labels, value) of every series, without the moments at which they were made."""
    families = text_string_to_metric_families(metrics.render()[0].decode())
    return [
        (sample.name, sample.labels, sample.value)
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


async def deliver(metrics: Metrics, *errors: Exception, service: str = "status") -> None:
    """Delivers one message; the handler fails with the errors, one each time it is called."""
    left = list(errors)

    async def handler(delivery: Delivery) -> Sequence[Outgoing]:
        if left:
            raise left.pop(0)
        return ()

    encoder = Encoder({SESSION_CHANGED.name: SESSION_CHANGED}, 12, lambda: NOW)
    record = encoder.encode(CHANGED)
    stored = Stored(record.topic, record.partition, record.key, record.headers, record.body, 5)
    courier = Courier(encoder, lambda: NOW, random.Random(1), metrics)
    for _ in range(max(1, len(errors))):
        await courier.deliver(service, Route(SESSION_CHANGED, handler, GROUP), stored, Tries())


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "finished"), (BadInputError("No."), "dead_letter"), (RetryableError("Later."), "retried"),
     (RetryableError("Later.", after_seconds=3.0), "paused"), (ConfigurationError("Wrong."), "halted")],
)  # fmt: skip
async def test_a_delivery_counts_once_under_its_outcome(
    metrics: Metrics, error: Exception | None, outcome: str
) -> None:
    await deliver(metrics, *([error] if error else []))

    counted = [(labels["outcome"], n) for name, labels, n in samples(metrics) if name == "hub_runtime_deliveries_total"]
    assert counted == [(outcome, 1.0)]


async def test_a_retry_is_counted_and_a_pause_is_not_a_retry(metrics: Metrics) -> None:
    await deliver(metrics, RetryableError("Later."), RetryableError("Later.", after_seconds=3.0))

    assert value(metrics, "hub_runtime_retries_total", service="status", topic=SESSION_CHANGED.name) == 1


@pytest.mark.parametrize(
    ("code", "reason"), [("bad_input", "bad_input"), ("row_214_of_clients_csv", OTHER)], ids=["known", "unknown"]
)
async def test_a_dead_letter_counts_under_its_reason(metrics: Metrics, code: str, reason: str) -> None:
    await deliver(metrics, BadInputError("No.", code=code))

    labels = {"service": "status", "topic": SESSION_CHANGED.name, "reason": reason, "intentional": "false"}
    assert value(metrics, "hub_runtime_dead_letters_total", **labels) == 1


async def test_every_delivery_is_in_the_latency_histogram(metrics: Metrics) -> None:
    await deliver(metrics, OSError(), OSError())

    labels = {"service": "status", "topic": SESSION_CHANGED.name}
    assert value(metrics, "hub_runtime_delivery_seconds_count", **labels) == 2
    assert value(metrics, "hub_runtime_delivery_seconds_bucket", le="60.0", **labels) == 2


async def test_a_message_is_in_flight_only_while_it_is_handled(metrics: Metrics) -> None:
    with metrics.delivering("loader"), metrics.delivering("loader"):
        assert value(metrics, "hub_runtime_in_flight_messages", service="loader") == 2

    assert value(metrics, "hub_runtime_in_flight_messages", service="loader") == 0


def test_lag_is_the_sum_over_partitions_and_the_largest_one(metrics: Metrics) -> None:
    group = consumer_group("loader", LOAD_REQUESTED)
    behind = {0: 3, 1: 0, 2: 9}

    metrics.set_lag([Lag(LOAD_REQUESTED.name, group, number, 100, 100 + n) for number, n in behind.items()])

    labels = {"group": group, "topic": LOAD_REQUESTED.name}
    assert value(metrics, "hub_runtime_lag_messages", **labels) == 12
    assert value(metrics, "hub_runtime_partition_lag_messages_max", **labels) == 9


def test_lag_that_cannot_be_read_is_absent_and_not_the_last_known(metrics: Metrics) -> None:
    metrics.set_lag([Lag(LOAD_REQUESTED.name, consumer_group("loader", LOAD_REQUESTED), 0, 1, 5)])

    metrics.set_lag(None)

    assert [name for name, _, _ in samples(metrics) if "lag" in name] == []


def test_stopped_consumers_are_shown_until_they_go_on(metrics: Metrics) -> None:
    fault = Fault("loader", LOAD_REQUESTED.name, "g", 0, 7, "KeyError", "x", "Restart.", NOW)

    metrics.set_faults([fault, fault])
    stopped = value(metrics, "hub_runtime_stopped_consumers", service="loader")
    metrics.set_faults([])

    assert (stopped, value(metrics, "hub_runtime_stopped_consumers", service="loader")) == (2, 0)


def test_decided_records_count_by_entity_and_outcome_and_tell_what_was_meant(metrics: Metrics) -> None:
    with metrics.listening():
        emit(events.RECORDS_DECIDED, entity="invoices", decision="load", imported=497, skipped=3, errored=2, warnings=5)

    labels = {"entity": "invoices"}
    assert {
        (labels["outcome"], labels["intentional"]): n
        for name, labels, n in samples(metrics)
        if name == "hub_loader_records_total"
    } == {("imported", ""): 497, ("skipped", "true"): 3, ("errored", "false"): 2}
    assert value(metrics, "hub_loader_record_warnings_total", **labels) == 5
    assert value(metrics, "hub_loader_batches_total", decision="load", **labels) == 1


def test_staged_records_count_apart_from_imported_ones(metrics: Metrics) -> None:
    with metrics.listening():
        emit(events.RECORDS_STAGED, entity="jobs", valid=498, errored=2, skipped=0)

    labels = {"entity": "jobs", "outcome": "errored", "intentional": "false"}
    assert value(metrics, "hub_loader_staged_records_total", **labels) == 2
    assert value(metrics, "hub_loader_records_total", **labels) == 0


def test_landed_files_count_with_their_records_and_bytes(metrics: Metrics) -> None:
    with metrics.listening():
        emit(events.FILE_LANDED, file_id="f1", records=1200, size_bytes=90_000)
        emit(events.FILE_LANDED, file_id="f2", records=3, size_bytes=100)
        emit(events.FILE_REJECTED, file_id="f3", reason_code="bad_input")

    assert value(metrics, "hub_ingest_landed_files_total", outcome="landed") == 2
    assert value(metrics, "hub_ingest_landed_files_total", outcome="rejected") == 1
    assert value(metrics, "hub_ingest_landed_records_total") == 1203
    assert value(metrics, "hub_ingest_landed_bytes_total") == 90_100


def test_ended_runs_count_by_their_state(metrics: Metrics) -> None:
    with metrics.listening():
        emit(events.RUN_ENDED, session_id="s1", run=7, state="completed_with_errors", seconds=1.5)

    assert value(metrics, "hub_ingest_runs_total", state="completed_with_errors") == 1


def test_nothing_is_counted_after_listening(metrics: Metrics) -> None:
    with metrics.listening():
        emit(events.REQUEST_REFUSED, status=404)
    emit(events.REQUEST_REFUSED, status=404)

    assert value(metrics, "hub_process_log_events_total", event="request_refused") == 1


def test_two_processes_worth_of_metrics_do_not_mix() -> None:
    one, other = Metrics(VERSION), Metrics(VERSION)

    one.set_part("store", True)

    assert value(one, "hub_process_part_up", part="store") == 1
    assert value(other, "hub_process_part_up", part="store") == 0


def test_the_build_is_told(metrics: Metrics) -> None:
    assert value(metrics, "hub_build_info", version=VERSION) == 1


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_no_label_takes_a_value_outside_its_set_whatever_comes(text: str) -> None:
    metrics = Metrics(VERSION)
    with metrics.listening(), metrics.delivering(text):
        emit(events.RECORDS_DECIDED, entity=text, decision=text, imported=1, skipped=1, errored=1, warnings=1)
        emit(events.RUN_ENDED, state=text)
    metrics.set_part(text, True)
    metrics.set_lag([Lag(text, text, 0, 0, 1)])

    allowed = label_values(VERSION)
    for _, labels, _ in samples(metrics):
        assert all(found in allowed[label] for label, found in labels.items() if label != "le"), labels


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_labels_of_closed_sets_only(metric: Metric) -> None:
    assert set(metric.labels) <= label_values(VERSION).keys()


def test_no_label_is_like_an_id() -> None:
    found = {label for metric in METRICS for label in metric.labels if _ID_LIKE.search(label)}

    assert found == set()


@pytest.mark.parametrize("label", ["session_id", "run", "batch", "file_name", "partition"])
def test_a_label_like_an_id_is_found(label: str) -> None:
    assert _ID_LIKE.search(label)


def test_the_sets_are_small_enough_for_every_series_to_exist_at_once() -> None:
    sizes = {label: len(values) for label, values in label_values(VERSION).items()}

    assert max(sizes.values()) <= 100, sizes


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_named_after_service_what_and_unit(metric: Metric) -> None:
    assert re.fullmatch(r"hub_(build_info|(runtime|process|ingest|mapper|loader)(_[a-z]+)+)", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
