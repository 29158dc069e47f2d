"""Runs a command in a process group of its own and measures every process of its tree: CPU seconds and peak memory.

On Linux the tree is sampled from /proc: VmHWM is a high-water mark kept by the kernel, so sampling cannot miss a peak
except one in the last interval before a process ends; the same holds for its CPU seconds. The sum for the whole tree
comes from the kernel's own account at exit and has no such gap. Elsewhere only that sum is known.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROC = Path("/proc")
SAMPLE_SECONDS = 0.05
"""Reading a tree of five processes takes under a millisecond: sampling costs about 1 % of one core."""

NOT_LINUX = (
    "Memory and CPU of the single processes are read from /proc, which this system does not have: "
    "only the wall time and the CPU seconds of the whole tree were measured."
)


@dataclass(frozen=True)
class ProcessUse:
    """One process of the tree. `peak_mib` is its highest resident size (VmHWM)."""

    pid: int
    command: str
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Measurement:
    """`cpu_seconds` is the sum over the whole tree as the kernel accounted it for reaped processes, or as sampled
    where that is more; `processes` in order of their start; `left_over` are processes that outlived the command."""

    wall_seconds: float
    cpu_seconds: float
    exit_code: int
    stdout: str
    stderr: str
    processes: tuple[ProcessUse, ...] = ()
    left_over: tuple[int, ...] = ()
    note: str = ""

    @property
    def peak_mib(self) -> float | None:
        """The highest resident size of any single process; None where it could not be measured."""
        return max((process.peak_mib for process in self.processes), default=None)


def measure(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float | None = None,
) -> Measurement:
    """Runs `command` to its end. After `timeout_seconds` its whole group is killed (exit code -9).

    Processes of the group that outlive the command are listed and killed. Raises OSError where the command cannot be
    started.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = _children_cpu()
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env, cwd=cwd, start_new_session=True)
        sampler = _Sampler(process.pid) if PROC.joinpath("self", "stat").exists() else None
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            process.wait()
        except BaseException:
            _kill_group(process.pid)
            raise
        finally:
            wall = time.perf_counter() - started
            uses = sampler.stop() if sampler else ()
        left_over = tuple(_session_members(process.pid)) if sampler else ()
        if left_over:
            _kill_group(process.pid)
        reaped = _children_cpu() - before
        return Measurement(
            wall_seconds=wall,
            cpu_seconds=max(reaped, sum(use.cpu_seconds for use in uses)),
            exit_code=process.returncode,
            stdout=_text(out),
            stderr=_text(err),
            processes=uses,
            left_over=left_over,
            note="" if sampler else NOT_LINUX,
        )


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


# ---- sampling /proc ---------------------------------------------------------------------------------------------


class _Sampler:
    """Samples one session (the command and all it starts) on a thread until it is stopped."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._found: dict[int, ProcessUse] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="measure", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._sample()
        while not self._ended.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        for pid in _session_members(self._session):
            use = _read_use(pid)
            if use is not None:
                self._found[pid] = use

    def stop(self) -> tuple[ProcessUse, ...]:
        """The last sample of every process that was ever seen, in order of appearance."""
        self._ended.set()
        self._thread.join()
        return tuple(self._found.values())


def process_tree(root: int) -> list[ProcessUse]:
    """What a living process and its descendants have used so far, each after its parent. Empty where there is no /proc.

    Of descendants that have ended nothing is known.
    """
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir() if PROC.exists() else ():
        if entry.name.isdecimal() and (stat := _read_stat(int(entry.name))) is not None:
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    tree, uses = [root], []
    for pid in tree:  # grows while it is walked
        if (use := _read_use(pid)) is not None:
            uses.append(use)
        tree += children.get(pid, [])
    return uses


def _session_members(session: int) -> list[int]:
    """Living processes of a session: a child stays in it even when its parent has ended."""
    members = []
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            stat = _read_stat(int(entry.name))
            if stat is not None and int(stat[3]) == session and stat[0] != "Z":
                members.append(int(entry.name))
    return sorted(members)


def _read_stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on: [0] state, [1] parent, [3] session, [11] and [12] ticks."""
    try:
        text = PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # it ended while we looked
    return text.rpartition(")")[2].split()  # the name before may hold spaces and brackets


def _read_use(pid: int) -> ProcessUse | None:
    stat = _read_stat(pid)
    try:
        status = PROC.joinpath(str(pid), "status").read_text(encoding="utf-8", errors="replace")
        command = PROC.joinpath(str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return None
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
    if stat is None or peak is None:  # it is ending: the kernel has taken its memory away already
        return None
    ticks = int(stat[11]) + int(stat[12])
    return ProcessUse(pid, command.strip(), ticks / os.sysconf("SC_CLK_TCK"), int(peak) / 1024)
