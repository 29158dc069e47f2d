"""The registry of metrics: each name with its kind, labels and meaning, and the closed sets that bound the labels.

Metrics are made from it and the page `metrics.md` is generated from it. A label never takes a value that is not in its
set: what is unknown counts as `other`, so nothing a customer or a fault sends can grow the number of series.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass

from shared.catalog import load_catalog
from shared.errors import HubError
from shared.messages.control import BatchLoaded, RunState
from shared.messages.topics import TOPICS, consumer_group
from shared.observability import events

OTHER = "other"
"""Takes in whatever is not in a label's set."""

Kind = typing.Literal["counter", "gauge", "histogram"]

DELIVERY_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""From an acknowledgement (some ms) to a batch that waits for a slow destination; beyond a minute it is stuck."""


@dataclass(frozen=True)
class Metric:
    """One metric. `labels`: keys of `label_values`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


DELIVERIES = Metric(
    "hub_runtime_deliveries_total", "counter", ("service", "topic", "outcome"),
    "Messages handed to a handler, by what became of them. A retried or paused one is handed over again.",
)  # fmt: skip
DELIVERY_LATENCY = Metric(
    "hub_runtime_delivery_seconds", "histogram", ("service", "topic"),
    "Seconds from handing a message to its handler until the outcome was known, without waits between tries.",
    DELIVERY_SECONDS,
)  # fmt: skip
RETRIES = Metric(
    "hub_runtime_retries_total", "counter", ("service", "topic"),
    "Tries that failed and are made again after a wait; pauses the other side asked for are not among them.",
)  # fmt: skip
DEAD_LETTERS = Metric(
    "hub_runtime_dead_letters_total", "counter", ("service", "topic", "reason", "intentional"),
    "Messages given up and kept in their dead-letter topic. `intentional` is always false: each one wants a look.",
)  # fmt: skip
IN_FLIGHT = Metric(
    "hub_runtime_in_flight_messages", "gauge", ("service",), "Messages being handled at this moment.",
)  # fmt: skip
LAG = Metric(
    "hub_runtime_lag_messages", "gauge", ("group", "topic"),
    "Messages published and not yet committed by the group, over all partitions. Absent while it cannot be read.",
)  # fmt: skip
LAG_MAX = Metric(
    "hub_runtime_partition_lag_messages_max", "gauge", ("group", "topic"),
    "The same for the partition that is furthest behind: one stuck partition shows here first.",
)  # fmt: skip
STOPPED = Metric(
    "hub_runtime_stopped_consumers", "gauge", ("service",),
    "Consumers that stopped on a fault and kept their place. Above 0 somebody must act; /ready says on what.",
)  # fmt: skip
LANDED_FILES = Metric(
    "hub_ingest_landed_files_total", "counter", ("outcome",), "Files that were landed, or could not be.",
)  # fmt: skip
LANDED_RECORDS = Metric(
    "hub_ingest_landed_records_total", "counter", (), "Records found in landed files.",
)  # fmt: skip
LANDED_BYTES = Metric("hub_ingest_landed_bytes_total", "counter", (), "Bytes of landed files.")
RUNS = Metric("hub_ingest_runs_total", "counter", ("state",), "Runs that ended, by their end state.")
STAGED_RECORDS = Metric(
    "hub_loader_staged_records_total", "counter", ("entity", "outcome", "intentional"),
    "Records validated, of preflights too: valid ones, errors, and those of cancelled runs. A batch that is delivered"
    " twice counts twice here; the report's counts are exact.",
)  # fmt: skip
RECORDS = Metric(
    "hub_loader_records_total", "counter", ("entity", "outcome", "intentional"),
    "Records of imports by what was decided: imported, skipped (`intentional`: a rule or a user wants it so) or"
    " errored. Counted where a decision is first stored. Errors of validation are in hub_loader_staged_records_total.",
)  # fmt: skip
WARNINGS = Metric(
    "hub_loader_record_warnings_total", "counter", ("entity",), "Imported records with something to say about them.",
)  # fmt: skip
BATCHES = Metric(
    "hub_loader_batches_total", "counter", ("entity", "decision"), "Decisions about (batch, entity type) first stored.",
)  # fmt: skip
LANGUAGE_MODEL_CALLS = Metric(
    "hub_mapper_language_model_calls_total", "counter", ("outcome",),
    "Files a language model was asked about, by what became of it. Without an answer the proposal stays as it was.",
)  # fmt: skip
LOG_EVENTS = Metric(
    "hub_process_log_events_total", "counter", ("event",), "Log lines by event, counted below the shown level too.",
)  # fmt: skip
PART_UP = Metric(
    "hub_process_part_up", "gauge", ("part",), "1 where the last readiness check reached the part, else 0.",
)  # fmt: skip
BUILD_INFO = Metric("hub_build_info", "gauge", ("version",), "Always 1; `version` is that of the running program.")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

PARTS = ("bus", "consumers", "files", "store", "workers")
"""What a process may need to be ready."""

_RUNTIME_REASONS = ("attempts_used_up", "message_too_large", "undecodable_message", "unexpected_error")


def label_values(version: str) -> dict[str, frozenset[str]]:
    """Label -> every value it may take. `version` is the one of the running program."""
    groups = {consumer_group(service, topic) for topic in TOPICS for service in topic.consumers}
    services = {topic.producer for topic in TOPICS}.union(*(topic.consumers for topic in TOPICS))
    closed: dict[str, set[str]] = {
        "decision": set(typing.get_args(BatchLoaded.model_fields["decision"].annotation)),
        "entity": {entity.name for entity in load_catalog().in_load_order()},
        "event": set(events.registered()),
        "group": groups,
        "intentional": {"", "true", "false"},
        "outcome": {
            *("finished", "dead_letter", "retried", "paused", "halted"),
            *("landed", "rejected"),
            *("valid", "imported", "skipped", "errored"),
            *("answered", "unusable", "refused", "timed_out", "unreachable"),
        },
        "part": set(PARTS),
        "reason": {*_RUNTIME_REASONS, *(error.code for error in _branches(HubError))},
        "service": services,
        "state": set(typing.get_args(RunState)),
        "topic": {topic.name for topic in TOPICS},
        "version": {version},
    }
    return {label: frozenset({*values, OTHER}) for label, values in closed.items()}


def _branches(error: type[HubError]) -> Iterator[type[HubError]]:
    """The errors of `shared.errors`; what a client adds for itself never reaches a metric."""
    yield error
    for branch in error.__subclasses__():
        if branch.__module__ == HubError.__module__:
            yield from _branches(branch)
