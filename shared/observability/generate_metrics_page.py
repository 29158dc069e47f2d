"""`python -m shared.observability.generate_metrics_page`: writes `metrics.md` from the registry of metrics.

`--check` writes nothing and fails where the page is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.observability.metric_registry import METRICS, Metric, label_values

PAGE = Path(__file__).with_name("metrics.md")

_SOURCES = {
    "entity": "the entity types of the catalogue",
    "event": "the events of `events.py`",
    "group": "the consumer groups of the registry of topics",
    "topic": "the registry of topics",
    "version": "the version of the running program",
}
"""Sets too long to be listed, and where they stand."""


def page() -> str:
    """The registry as a page to read."""
    lines = [
        "# Metrics",
        "",
        "Written by `python -m shared.observability.generate_metrics_page` from `metric_registry.py`; do not edit it",
        "by hand. Every process answers `/metrics` with those it has something to say about. Counters begin at 0 with",
        "their process. They are for watching: the exact counts of a session are those of its report. Where several",
        "processes show the same lag, take the largest.",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
        *(_row(metric) for metric in METRICS),
        "",
        "## Labels",
        "",
        "Every label takes values of a closed set only; what is in none counts as `other`. No label holds an id, a",
        "name or a text. `intentional` is empty for what arrived, `true` for what a rule or a user left out, `false`",
        "for what nobody wanted to be left out.",
        "",
        "| label | values |",
        "|---|---|",
        *(f"| `{label}` | {_SOURCES.get(label) or _listed(values)} |" for label, values in label_values("").items()),
    ]
    return "\n".join(lines) + "\n"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    span = f" ({metric.buckets[0]:g} to {metric.buckets[-1]:g})" if metric.buckets else ""
    return f"| `{metric.name}` | {metric.kind}{span} | {labels} | {metric.meaning} |"


def _listed(values: frozenset[str]) -> str:
    return ", ".join(f"`{value}`" for value in sorted(values) if value)


def is_fresh(path: Path = PAGE) -> bool:
    """Whether the committed page is the one that would be written."""
    return path.exists() and path.read_text(encoding="utf-8") == page()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.observability.generate_metrics_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is stale")
    if not parser.parse_args(arguments).check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not is_fresh():
        sys.stderr.write(f"{PAGE.name} is stale. Run `python -m shared.observability.generate_metrics_page`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
