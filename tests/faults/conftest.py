"""Counts how often each fail point really killed a process, and says so at the end of the test run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

HITS: pytest.StashKey[Counter[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[HITS] = Counter()


@pytest.fixture
def hits(pytestconfig: pytest.Config) -> Counter[str]:
    """Kills so far by the place at which they happened."""
    return pytestconfig.stash[HITS]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counted = config.stash.get(HITS, None)
    if counted:
        terminalreporter.section("processes killed with SIGKILL, by place")
        for place, count in sorted(counted.items()):
            terminalreporter.write_line(f"{count:5d}  {place}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long variants run where they are asked for: `pytest -m slow tests/faults`."""
    if "slow" in (config.option.markexpr or ""):
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="long; run it with -m slow"))
