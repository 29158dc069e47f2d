"""A whole import as its log lines and metrics show it: every batch once, the counts of the report, no cell's value."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from shared.observability.logs import configure_logging
from shared.observability.metrics import Metrics
from tests.support.imports import Import, importing_hub

MARKER = "zebrafish"
"""In every cell of the files: it must be in no line."""

PHONE = "512-555-01"


def _customer(number: int, street: str = f"{MARKER} Street") -> str:
    email, phone = f"{MARKER}{number}@example.com", f"{PHONE}{number:02d}"
    return f"{MARKER}-{number},Ana {MARKER} {number},{email},{phone},{number} {street},{MARKER} dog"


CUSTOMERS = (
    "Customer ID,Full name,Email,Mobile phone,Street,Notes",
    *(_customer(n) for n in range(40)),
    _customer(3),
    _customer(4, street=f"Other {MARKER} Street"),
    f"{MARKER}-90,,,{MARKER} no phone,,{MARKER} has no name",
)
JOBS = (
    "Job ID,Customer,Title,Scheduled start,Total",
    *(f"{MARKER}-J{n},Ana {MARKER} {n},{MARKER} repair,2024-05-{n % 28 + 1:02d},{n}.50" for n in range(30)),
    f"{MARKER}-J90,Nobody {MARKER},{MARKER} repair,2024-05-01,10.00",
    f"{MARKER}-J91,Ana {MARKER} 1,{MARKER} repair,{MARKER} o'clock,{MARKER} dollars",
)
"""Among them a duplicate, a conflict, a customer without name, a job of nobody known, an unreadable date and amount."""


@dataclass(frozen=True)
class Watched:
    """An import, what was logged of it at info, and what was counted."""

    result: Import
    log: str
    metrics: str
    batches: int

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines()]

    def counted(self, metric: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Values of a metric by these labels, summed over the others."""
        found: Counter[tuple[str, ...]] = Counter()
        for family in text_string_to_metric_families(self.metrics):
            for sample in family.samples:
                if sample.name == metric:
                    found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
        return dict(found)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


async def watch(tmp_path: Path, stream: io.StringIO, *, level: str = "info") -> Watched:
    files = {"customers.csv": CUSTOMERS, "jobs.csv": JOBS}
    for name, rows in files.items():
        (tmp_path / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    configure_logging(json_lines=True, level=level, stream=stream)
    metrics = Metrics("1.0")
    with metrics.listening():
        async with importing_hub(tmp_path / "data", metrics) as hub:
            result = await hub.run([tmp_path / name for name in files], options={"batch_records": 10})
    assert result.refused is None
    batches = sum(-(-(len(rows) - 1) // 10) for rows in files.values())
    return Watched(result, stream.getvalue(), metrics.render()[0].decode(), batches)


async def test_the_log_of_an_import_holds_no_cell_and_its_metrics_hold_the_report(
    tmp_path: Path, stream: io.StringIO
) -> None:
    watched = await watch(tmp_path, stream)

    assert_no_cell_is_in(watched.log)
    assert_no_cell_is_in(watched.metrics)
    events = Counter(line["event"] for line in watched.lines)
    assert events["file_landed"] == 2
    assert events["run_ended"] == 1
    # mapped, staged, and at least once loaded
    assert events["batch_handled"] >= 3 * watched.batches
    assert_batches_name_where_they_came_from(watched)
    assert_metrics_are_the_report(watched)
    customers = watched.result.report["entities"]["customers"]
    assert (customers["imported"], customers["skipped"], customers["errored"]) == (40, 2, 1)


def assert_no_cell_is_in(text: str) -> None:
    assert MARKER not in text.lower()
    assert PHONE not in text


def assert_batches_name_where_they_came_from(watched: Watched) -> None:
    needed = {"service", "topic", "group", "partition", "offset", "session_id", "run", "batch_id"}
    handled = [line for line in watched.lines if line["event"] == "batch_handled"]
    assert [line for line in handled if not needed <= line.keys()] == []
    assert {line["session_id"] for line in handled} == {watched.result.session}


def assert_metrics_are_the_report(watched: Watched) -> None:
    decided = watched.counted("hub_loader_records_total", "entity", "outcome")
    staged = watched.counted("hub_loader_staged_records_total", "entity", "outcome")
    for entity, counts in watched.result.report["entities"].items():
        assert decided.get((entity, "imported"), 0) == counts["imported"], entity
        assert decided.get((entity, "skipped"), 0) == counts["skipped"], entity
        errored = decided.get((entity, "errored"), 0) + staged.get((entity, "errored"), 0)
        assert errored == counts["errored"], entity
    assert sum(watched.counted("hub_ingest_runs_total", "state").values()) == 1
    assert watched.counted("hub_ingest_landed_records_total") == {(): len(CUSTOMERS) + len(JOBS) - 2}
    assert watched.counted("hub_runtime_deliveries_total", "outcome").keys() == {("finished",)}
    assert set(watched.counted("hub_runtime_in_flight_messages", "service").values()) == {0}
