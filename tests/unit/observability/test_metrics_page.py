"""The page of metrics equals the registry, and a stale one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.observability.generate_metrics_page import PAGE, is_fresh, main, page
from shared.observability.metric_registry import METRICS


def test_the_committed_page_is_that_of_the_registry() -> None:
    assert is_fresh()


def test_a_stale_or_missing_page_is_noticed(tmp_path: Path) -> None:
    stale = tmp_path / "metrics.md"
    stale.write_text(PAGE.read_text(encoding="utf-8").replace("counter", "gauge"), encoding="utf-8")

    assert not is_fresh(stale)
    assert not is_fresh(tmp_path / "missing.md")


def test_check_says_nothing_where_the_page_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_every_metric_has_its_row() -> None:
    text = page()

    assert [metric.name for metric in METRICS if text.count(f"| `{metric.name}` |") != 1] == []
