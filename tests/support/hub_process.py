"""A hub in a process of its own that drives sessions to their end and writes what they left; made to be killed.

`python -m tests.support.hub_process DATA --session NAME=FILE,FILE [--session ...] [--dump FILE]`. Started again on the
same data it goes on where it was. `HubProcess` starts it in a process group of its own and kills it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from services.app import DataDirectory, embedded_hub
from shared.runtime.fail_points import LOG_VARIABLE, WHICH_VARIABLE
from tests.support.drive import Driver, client_of
from tests.support.oracle import dump

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 180


@dataclass(frozen=True)
class Import:
    """One or several sessions over files, one after the other, and how they are imported."""

    sessions: Mapping[str, Sequence[Path]]
    batch_records: int = 500
    page_records: int = 500
    kind: str = "import"
    window: int = 16
    workers: int = 2

    def arguments(self) -> list[str]:
        """As the command takes them."""
        named = [f"--session={name}={','.join(map(str, paths))}" for name, paths in self.sessions.items()]
        return [
            *named,
            f"--batch-records={self.batch_records}",
            f"--page-records={self.page_records}",
            f"--kind={self.kind}",
            f"--window={self.window}",
            f"--workers={self.workers}",
        ]


@dataclass
class HubProcess:
    """A data directory and the processes that work on it, one after the other."""

    data: Path
    work: Import
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.log = self.data.with_suffix(".hits")

    def start(self, fail_point: str | None = None, *more: str) -> subprocess.Popen[bytes]:
        """The process, begun; it is the leader of a group of its own."""
        environment = {key: value for key, value in os.environ.items() if key not in (WHICH_VARIABLE, LOG_VARIABLE)}
        if fail_point:
            environment |= {WHICH_VARIABLE: fail_point, LOG_VARIABLE: str(self.log)}
        command = [sys.executable, "-m", "tests.support.hub_process", str(self.data), *self.work.arguments()]
        with self.data.with_suffix(".err").open("ab") as errors:
            return subprocess.Popen(
                [*command, f"--dump={self._dump}", *more],
                cwd=ROOT,
                env=environment,
                stderr=errors,
                start_new_session=True,
            )

    def make_ready(self) -> None:
        """Everything up to the approved mapping of the last session, so that what follows can be tried many times."""
        process = self.start(None, "--until-ready")
        try:
            code = process.wait(SECONDS_MAX)
        finally:
            kill_group(process.pid)
        assert code == 0, f"the hub ended with {code}:\n{self.errors()}"

    def copy(self, data: Path) -> HubProcess:
        """The same data in another place."""
        shutil.copytree(self.data, data)
        return HubProcess(data, self.work)

    def finish(self) -> dict[str, Any]:
        """Lets a process run to the end and returns the dump of what it left. AssertionError where it fails."""
        self._dump.unlink(missing_ok=True)
        process = self.start()
        try:
            code = process.wait(SECONDS_MAX)
        finally:
            kill_group(process.pid)
        assert code == 0, f"the hub ended with {code}:\n{self.errors()}"
        left: dict[str, Any] = json.loads(self._dump.read_text())
        return left

    def die_at(self, fail_point: str) -> int:
        """Runs until it kills itself there; returns how often the log says so. 0 where it came to its end before."""
        hits_before = self.hits()
        process = self.start(fail_point)
        try:
            code = process.wait(SECONDS_MAX)
        finally:
            group = process.pid
            alive = workers_left(group)
        assert not alive, f"worker processes {alive} outlived the hub"
        assert code in (0, -signal.SIGKILL), f"the hub ended with {code}:\n{self.errors()}"
        return self.hits() - hits_before

    def die_after(self, seconds: float) -> bool:
        """Kills the whole group after so many seconds; False where it came to its end before."""
        process = self.start()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            kill_group(process.pid)
            process.wait()
            return True
        return False

    def hits(self) -> int:
        """Lines in the log of fail points."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def errors(self) -> str:
        """The end of what its processes said on standard error."""
        return self.data.with_suffix(".err").read_text(errors="replace")[-4000:]

    @property
    def _dump(self) -> Path:
        return self.data.with_suffix(".json")


def kill_group(leader: int) -> None:
    """SIGKILL to a group that this module started; harmless where it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def workers_left(group: int, seconds: float = 5.0) -> list[int]:
    """Processes of a group that are still there after a grace of some seconds (they end when their socket closes)."""
    deadline = time.monotonic() + seconds
    while (alive := _members(group)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _members(group: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            state, _, process_group = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            found.append(int(entry.name))
    return found


# ---- inside the process ---------------------------------------------------------------------------------------


async def work(data: Path, what: Import, target: Path | None, *, until_ready: bool = False) -> None:
    """Runs the hub on `data` until every session is done, or the last one only ready to be imported."""
    directory = DataDirectory(data)
    if not directory.acquire():
        raise SystemExit("the lock of a killed process was not released")
    async with (
        embedded_hub(data, page_records=what.page_records, window=what.window, workers=what.workers) as hub,
        client_of(hub) as client,
    ):
        driver = Driver(client, options={"batch_records": what.batch_records})
        *before, (last, its_paths) = what.sessions.items()
        runs = [await driver.drive(name, paths, what.kind) for name, paths in before]
        if until_ready:
            await driver.ready(last, its_paths)
            return
        runs.append(await driver.drive(last, its_paths, what.kind))
        if target is not None:
            partial = target.with_suffix(".partial")
            partial.write_text(json.dumps(await dump(driver, data, runs)))
            partial.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--session", action="append", required=True)
    parser.add_argument("--batch-records", type=int, default=500)
    parser.add_argument("--page-records", type=int, default=500)
    parser.add_argument("--window", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kind", default="import")
    parser.add_argument("--dump", type=Path)
    parser.add_argument("--until-ready", action="store_true")
    given = parser.parse_args()
    named = [text.partition("=") for text in given.session]
    sessions = {name: [Path(path) for path in paths.split(",")] for name, _, paths in named}
    what = Import(sessions, given.batch_records, given.page_records, given.kind, given.window, given.workers)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(work(given.data, what, given.dump, until_ready=given.until_ready))


if __name__ == "__main__":
    main()
