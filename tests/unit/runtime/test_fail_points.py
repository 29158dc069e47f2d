"""Fail points: off by default, exact when set, loud when misspelt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.runtime import FAIL_POINTS, fail_point
from shared.runtime.fail_points import LOG_VARIABLE, WHICH_VARIABLE, check_setting
from tests.contract.runtime.notes import Collector, reader

_ROOT = Path(__file__).parents[3]
_HITS = "from shared.runtime import fail_point\nfor n in range(5):\n print(n, flush=True)\n fail_point({!r})\n"


def _run(setting: str, log: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _HITS.format("loader.staged_not_sent")],
        cwd=_ROOT,
        env=os.environ | {WHICH_VARIABLE: setting, LOG_VARIABLE: str(log)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )


def test_nothing_happens_when_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WHICH_VARIABLE, raising=False)

    for name in FAIL_POINTS:
        fail_point(name)


def test_the_process_is_killed_at_the_hit_asked_for_and_says_so(tmp_path: Path) -> None:
    done = _run("loader.staged_not_sent@3", tmp_path / "hits")

    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "0\n1\n2\n"
    assert (tmp_path / "hits").read_text().startswith("loader.staged_not_sent@3 pid=")


def test_other_points_are_not_counted(tmp_path: Path) -> None:
    done = _run("loader.finalizing_half_done@1", tmp_path / "hits")

    assert (done.returncode, done.stdout) == (0, "0\n1\n2\n3\n4\n")
    assert not (tmp_path / "hits").exists()


def test_calling_an_unknown_point_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no fail point 'loader\.nowhere'"):
        fail_point("loader.nowhere")


def test_a_route_with_an_unknown_point_is_an_error() -> None:
    with pytest.raises(ValueError, match="no fail point"):
        reader(Collector(), fail_point_before_commit="mapper.nowhere")


@pytest.mark.parametrize("setting", ["loader.nowhere@1", "loader.staged_not_sent@0", "loader.staged_not_sent@x"])
def test_a_wrong_setting_is_an_error(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv(WHICH_VARIABLE, setting)

    with pytest.raises(ConfigurationError, match="names no fail point"):
        check_setting()
    with pytest.raises(ConfigurationError):
        fail_point("loader.staged_not_sent")
