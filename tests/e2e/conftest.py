"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.hub_command import JOBBER, Answer, Hub, run_hub


@pytest.fixture(scope="session")
def jobber_import(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    """The three Jobber files imported by the real command, undisturbed: its answer and the data directory."""
    data = tmp_path_factory.mktemp("jobber") / "data"
    return run_hub("import", *JOBBER, "--data-dir", data, "--yes", "--json"), data


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hub:
    """Commands in this process on a data directory of their own."""
    monkeypatch.setenv("HUB_WORKERS", "1")  # a second one would start for nothing
    return Hub(tmp_path / "data", monkeypatch, capsys)
