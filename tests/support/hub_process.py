"""A hub in a process of its own that drives sessions to their end and writes what they left; made to be killed.

Started again on the same data it goes on where it was. Each is the leader of a process group of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog

from services.app import DataDirectory, embedded_hub
from shared.runtime.fail_points import LOG_VARIABLE, WHICH_VARIABLE
from tests.support.drive import Driver, client_of
from tests.support.forking import CONTEXT, kill_group
from tests.support.oracle import dump, stored_rows

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


@dataclass
class HubProcess:
    """A data directory and the processes that work on it, one after the other."""

    data: Path
    work: Import
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.log = self.data.with_suffix(".hits")

    def start(self, fail_point: str | None = None, *, until_ready: bool = False) -> BaseProcess:
        """The process, begun; it is the leader of a group of its own."""
        environment = {WHICH_VARIABLE: fail_point, LOG_VARIABLE: str(self.log)} if fail_point else {}
        arguments = (self.data, self.work, self._dump, self._errors, environment, until_ready)
        process = CONTEXT.Process(target=_serve, args=arguments)
        process.start()
        return process

    def make_ready(self) -> None:
        """Everything up to the approved mapping of the last session, so that what follows can be tried many times."""
        self._to_the_end(self.start(until_ready=True))

    def copy(self, data: Path) -> HubProcess:
        """The same data in another place."""
        shutil.copytree(self.data, data)
        return HubProcess(data, self.work)

    def finish(self) -> dict[str, Any]:
        """Lets a process run to the end and returns the dump of what it left. AssertionError where it fails."""
        self._dump.unlink(missing_ok=True)
        self._to_the_end(self.start())
        left: dict[str, Any] = json.loads(self._dump.read_text())
        return left

    def _to_the_end(self, process: BaseProcess) -> None:
        process.join(SECONDS_MAX)
        code = process.exitcode
        kill_group(process)
        assert code == 0, f"the hub ended with {code}:\n{self.errors()}"

    def die_at(self, fail_point: str) -> int:
        """Runs until it kills itself there; returns how often the log says so. 0 where it came to its end before."""
        hits_before = self.hits()
        process = self.start(fail_point)
        process.join(SECONDS_MAX)
        code = process.exitcode
        alive = workers_left(process.pid or 0)
        kill_group(process)
        assert not alive, f"worker processes {alive} outlived the hub"
        assert code in (0, -signal.SIGKILL), f"the hub ended with {code}:\n{self.errors()}"
        return self.hits() - hits_before

    def die_after(self, seconds: float) -> bool:
        """Kills the whole group after so many seconds; False where it came to its end before."""
        process = self.start()
        process.join(seconds)
        is_running = process.exitcode is None
        kill_group(process)
        return is_running

    def hits(self) -> int:
        """Lines in the log of fail points."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def errors(self) -> str:
        """The end of what its processes said on standard error."""
        return self._errors.read_text(errors="replace")[-4000:]

    @property
    def _dump(self) -> Path:
        return self.data.with_suffix(".json")

    @property
    def _errors(self) -> Path:
        return self.data.with_suffix(".err")


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
            partial.write_text(json.dumps(await dump(driver, stored_rows(data / "store.db"), runs)))
            partial.replace(target)


def _serve(
    data: Path, what: Import, dump_to: Path, errors: Path, environment: Mapping[str, str], until_ready: bool
) -> None:
    """Entry of the process."""
    os.setsid()
    with errors.open("ab") as file:
        os.dup2(file.fileno(), 2)
    for name in (WHICH_VARIABLE, LOG_VARIABLE):
        os.environ.pop(name, None)
    os.environ.update(environment)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(work(data, what, dump_to, until_ready=until_ready))
