"""The metrics of one process, in a registry of its own: told by the runtime of deliveries, by log events of the rest.

Counters belong to the process and begin at 0 with it. They are for watching; the exact counts of a session are those of
its report, which no crash or repeat can move.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from shared.observability import events
from shared.observability import metric_registry as names
from shared.observability.events import Event, emit, listen
from shared.observability.metric_registry import METRICS, OTHER, Metric, label_values
from shared.runtime.delivery import Again, Finished, Halt, Verdict
from shared.runtime.records import Stored
from shared.runtime.service import Fault, Lag, Route

_KINDS: dict[str, type[MetricWrapperBase]] = {"counter": Counter, "gauge": Gauge}


class Metrics:
    """Implements `shared.runtime.service.Observer`. `version` is that of the running program."""

    def __init__(self, version: str) -> None:
        self._registry = CollectorRegistry()
        self._allowed = label_values(version)
        self._metrics = {metric.name: self._made(metric) for metric in METRICS}
        self._counted: dict[str, Callable[[Mapping[str, Any]], None]] = {
            events.FILE_LANDED.name: self._landed,
            events.FILE_REJECTED.name: self._rejected,
            events.RECORDS_STAGED.name: self._staged,
            events.RECORDS_DECIDED.name: self._decided,
            events.RUN_ENDED.name: self._run_ended,
            events.LANGUAGE_MODEL_ASKED.name: self._language_model_asked,
        }
        self._gauge(names.BUILD_INFO, version=version).set(1)

    def render(self) -> tuple[bytes, str]:
        """Everything in the text form that Prometheus reads, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    # ---- the runtime's observer -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def delivering(self, service: str) -> Iterator[None]:
        """Counts a message as in flight until it is left."""
        gauge = self._gauge(names.IN_FLIGHT, service=service)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def delivered(self, service: str, route: Route, stored: Stored, verdict: Verdict, seconds: float) -> None:
        """Counts what became of a delivery and writes its line; what went wrong is told by the runtime's own lines."""
        where = {"service": service, "topic": stored.topic}
        outcome = _outcome(verdict)
        self._count(names.DELIVERIES, **where, outcome=outcome)
        latency = self._labelled(names.DELIVERY_LATENCY, where)
        assert isinstance(latency, Histogram)
        latency.observe(seconds)
        if outcome == "retried":
            self._count(names.RETRIES, **where)
        if isinstance(verdict, Finished):
            if verdict.dead_letter is not None:
                reason = verdict.dead_letter.reason_code
                self._count(names.DEAD_LETTERS, **where, reason=reason, intentional="false")
            event = events.BATCH_HANDLED if route.topic.keyed_by == "batch" else events.MESSAGE_HANDLED
            emit(event, outcome=outcome, outputs=len(verdict.records), seconds=round(seconds, 4))

    def set_lag(self, lags: Sequence[Lag] | None) -> None:
        """Takes over where the groups stand; None where that cannot be read: no figure is better than an old one."""
        behind: dict[tuple[str, str], list[int]] = {}
        for lag in lags or ():
            behind.setdefault((lag.group, lag.topic), []).append(lag.messages)
        for metric, of_partitions in ((names.LAG, sum), (names.LAG_MAX, max)):
            self._metrics[metric.name].clear()
            for (group, topic), messages in behind.items():
                self._gauge(metric, group=group, topic=topic).set(of_partitions(messages))

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Takes over which consumers stopped."""
        self._metrics[names.STOPPED.name].clear()
        for fault in faults:
            self._gauge(names.STOPPED, service=fault.service).inc()

    def set_part(self, part: str, is_up: bool) -> None:
        """Takes over what the last readiness check said of a part."""
        self._gauge(names.PART_UP, part=part).set(is_up)

    # ---- what services tell by their log events ---------------------------------------------------------------

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Counts the events of this process until it is left: the line and the counter come from one call."""
        stop = listen(self.count_event)
        try:
            yield
        finally:
            stop()

    def count_event(self, event: Event, facts: Mapping[str, Any]) -> None:
        """Counts one event, and the figures that it carries."""
        self._count(names.LOG_EVENTS, event=event.name)
        if count := self._counted.get(event.name):
            count(facts)

    def _landed(self, facts: Mapping[str, Any]) -> None:
        self._count(names.LANDED_FILES, outcome="landed")
        self._count(names.LANDED_RECORDS, facts["records"])
        self._count(names.LANDED_BYTES, facts["size_bytes"])

    def _rejected(self, facts: Mapping[str, Any]) -> None:
        self._count(names.LANDED_FILES, outcome="rejected")

    def _staged(self, facts: Mapping[str, Any]) -> None:
        self._count_records(names.STAGED_RECORDS, facts, "valid", "errored", "skipped")

    def _decided(self, facts: Mapping[str, Any]) -> None:
        self._count_records(names.RECORDS, facts, "imported", "errored", "skipped")
        self._count(names.WARNINGS, facts["warnings"], entity=facts["entity"])
        self._count(names.BATCHES, entity=facts["entity"], decision=facts["decision"])

    def _run_ended(self, facts: Mapping[str, Any]) -> None:
        self._count(names.RUNS, state=facts["state"])

    def _language_model_asked(self, facts: Mapping[str, Any]) -> None:
        self._count(names.LANGUAGE_MODEL_CALLS, outcome=facts["outcome"])

    def _count_records(self, metric: Metric, facts: Mapping[str, Any], *outcomes: str) -> None:
        for outcome in outcomes:
            if number := facts[outcome]:
                self._count(
                    metric, number, entity=facts["entity"], outcome=outcome, intentional=_INTENTIONAL.get(outcome, "")
                )

    # ---- labels -----------------------------------------------------------------------------------------------

    def _made(self, metric: Metric) -> MetricWrapperBase:
        if metric.kind == "histogram":
            return Histogram(
                metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=self._registry
            )
        return _KINDS[metric.kind](metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _labelled(self, metric: Metric, labels: Mapping[str, str]) -> MetricWrapperBase:
        made = self._metrics[metric.name]
        if not metric.labels:
            return made
        kept = {name: value if value in self._allowed[name] else OTHER for name, value in labels.items()}
        return made.labels(**kept)

    def _gauge(self, metric: Metric, /, **labels: str) -> Gauge:
        gauge = self._labelled(metric, labels)
        assert isinstance(gauge, Gauge)
        return gauge

    def _count(self, metric: Metric, number: float = 1, /, **labels: str) -> None:
        counter = self._labelled(metric, labels)
        assert isinstance(counter, Counter)
        counter.inc(number)


_INTENTIONAL = {"skipped": "true", "errored": "false"}
"""A duplicate or a cancelled record is left out because a rule or a user wants it so; an error nobody wants."""


def _outcome(verdict: Verdict) -> str:
    match verdict:
        case Finished():
            return "finished" if verdict.dead_letter is None else "dead_letter"
        case Again():
            return "paused" if verdict.is_pause else "retried"
        case Halt():
            return "halted"
