"""Measuring a command: every process of its tree, its output and its end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import measure as measuring
from benchmarks.measure import NOT_LINUX, measure, process_tree

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

BUSY_CHILD = """
import subprocess, sys
child = '''
import time
memory = bytearray(60 << 20)
while time.process_time() < 0.4: pass
'''
sys.exit(subprocess.call([sys.executable, "-c", child]))
"""


def _is_running(pid: int) -> bool:
    """False also for one that has ended and waits to be collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_tells_output_and_exit_code() -> None:
    command = "import sys; print('said'); print('complained', file=sys.stderr); sys.exit(3)"

    result = measure([sys.executable, "-c", command])

    assert (result.stdout, result.stderr, result.exit_code) == ("said\n", "complained\n", 3)


@linux
def test_every_process_of_the_tree_is_measured() -> None:
    result = measure([sys.executable, "-c", BUSY_CHILD])

    parent, child = result.processes
    assert parent.peak_mib < 60 < child.peak_mib
    assert child.cpu_seconds >= 0.3
    assert result.cpu_seconds >= 0.4
    assert result.peak_mib == child.peak_mib


@linux
def test_a_process_that_outlives_the_command_is_told_and_ended() -> None:
    stays = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"

    result = measure([sys.executable, "-c", stays])

    (left,) = result.left_over
    deadline = time.monotonic() + 10
    while _is_running(left) and time.monotonic() < deadline:
        pass
    assert not _is_running(left)


def test_a_command_that_takes_too_long_is_killed() -> None:
    result = measure([sys.executable, "-c", "import time; time.sleep(60)"], timeout_seconds=0.2)

    assert result.exit_code == -9


def test_without_proc_only_the_sum_is_known_and_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measuring, "PROC", tmp_path)

    result = measure([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"])

    assert result.processes == ()
    assert result.peak_mib is None
    assert result.cpu_seconds >= 0.2
    assert result.note == NOT_LINUX


@linux
def test_a_living_process_is_told_with_its_descendants() -> None:
    command = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # its child runs

        tree = process_tree(process.pid)

        process.communicate(b"\n")
    assert tree[0].pid == process.pid
    assert "input()" in tree[1].command
    assert all(use.peak_mib > 1 for use in tree)
