"""Two sessions imported by a cluster whose processes kill themselves at one fail point after the other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.runtime.fail_points import FAIL_POINTS
from tests.faults.cluster_conditions import Condition, Kill, Surroundings
from tests.support.drive import Driver
from tests.support.forked_cluster import ForkedCluster, Member
from tests.support.hub_process import ROOT, Import
from tests.support.oracle import dump, mongo_rows

JOBBER = ROOT / "examples" / "jobber"
BATCH_RECORDS = 60
POLL_SECONDS = 0.02

# In the order in which an import meets them; the services are killed side by side.
WALKS = {
    "ingest": (
        "ingest.landing_half_done",
        "ingest.batch_released_not_committed",
        "ingest.run_ended_not_sent",
        "ingest.run_closed_not_freed",
    ),
    "mapper": ("mapper.mapped_not_committed",),
    "loader": (
        "loader.staged_not_sent",
        "loader.seal_written_not_answered",
        "loader.decision_stored_records_not_written",
        "loader.records_written_not_sent",
        "loader.finalizing_half_done",
    ),
}
OFTEN = {
    "ingest.batch_released_not_committed",
    "mapper.mapped_not_committed",
    "loader.staged_not_sent",
    "loader.decision_stored_records_not_written",
    "loader.records_written_not_sent",
}
"""Points that each process passes several times: which time it dies there is chosen by the seed."""
NTH_MAX = 2
STOPPED = b'"consumer_stopped"'
"""In the log of a process that cannot go on by itself."""

assert {point for walk in WALKS.values() for point in walk} == FAIL_POINTS


FRESH_FILE = "fresh.csv"
FRESH_NAME = "Zacharias Quillfeather"


def sessions(folder: Path) -> Import:
    """The children before their parents, so that Finalizing has work; at the end a record that nobody knows yet."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / FRESH_FILE
    fresh.write_text(
        f"J-ID,Display Name,E-mails\n9999_99999,{FRESH_NAME},z.quillfeather@example.org\n", encoding="utf-8"
    )
    children, parents = (JOBBER / "jobs.csv", JOBBER / "invoices.csv"), (JOBBER / "clients.csv",)
    return Import({"children": children, "parents": parents, "fresh": (fresh,)}, batch_records=BATCH_RECORDS, workers=1)


@dataclass
class Walked:
    """What became of an import that was walked through."""

    kills: list[Kill]
    done: Mapping[str, int]
    """What else was done to the cluster."""
    left: dict[str, Any]
    """As `tests.support.oracle.dump` has it."""
    said: str
    """What processes said, for failures."""

    def killed_at(self, point: str) -> list[int]:
        """Exit codes of the processes that died there."""
        return [kill.exit_code for kill in self.kills if kill.point == point]


@dataclass
class Walk:
    """Kills and restarts the processes of a cluster while an import goes on."""

    around: Surroundings
    condition: Condition
    walks: Mapping[str, Sequence[str]]
    chance: random.Random
    kills: list[Kill] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    @property
    def cluster(self) -> ForkedCluster:
        """What is walked through."""
        return self.around.cluster

    def next_point(self, service: str) -> str | None:
        """`name@nth` of the first point at which no process of the service has died yet."""
        reached = {kill.point for kill in self.kills}
        for point in self.walks.get(service, ()):
            if point not in reached:
                return f"{point}@{self.chance.randint(1, NTH_MAX) if point in OFTEN else 1}"
        return None

    async def go_on(self) -> None:
        """Restarts what dies, until cancelled. AssertionError where a process ends, or a consumer stops, otherwise."""
        while True:
            for member in self.cluster.members:
                assert STOPPED not in member.log.read_bytes(), f"a consumer of {member.service} stopped"
            for member in list(self.cluster.members):
                if member.exit_code is not None and member.pid not in self._seen:
                    self._seen.add(member.pid)
                    await self._ended(member)
            await asyncio.sleep(POLL_SECONDS)

    async def _ended(self, member: Member) -> None:
        if member.is_leaving and member.exit_code == 0:
            return
        point = member.died_at()
        assert point is not None, f"{member.service} ended with {member.exit_code}:\n{member.said()}"
        kill = Kill(member.service, point, member.exit_code or 0)
        self.kills.append(kill)
        armed = self.next_point(member.service)
        for other in self.cluster.of(member.service):
            other.arm(armed)
        await self.condition.strike(self.around, kill, lambda: self.cluster.start(kill.service, armed))


async def walk(
    around: Surroundings,
    condition: Condition,
    work: Import,
    seed: int,
    walks: Mapping[str, Sequence[str]] = WALKS,
) -> Walked:
    """The whole of it. AssertionError, and the logs printed, where the import does not come to its end."""
    cluster = around.cluster
    walking = Walk(around, condition, walks, random.Random(seed))
    await cluster.create_topics()
    cluster.start_all(armed={service: point for service in walks if (point := walking.next_point(service))})
    async with AsyncExitStack() as stack:
        await cluster.ready()
        if condition.throughout is not None:
            await stack.enter_async_context(condition.throughout(around))
        driver = await stack.enter_async_context(cluster.driver(work.batch_records))
        try:
            left = await _first_to_end(walking.go_on(), _imported(driver, work, cluster.environment["HUB_STORE"]))
        except (AssertionError, TimeoutError) as error:
            print(cluster.said())  # once; the error comes to each test that asks for the result
            raise AssertionError(f"seed {seed}: {error}\nkills so far: {walking.kills}") from error
    return Walked(walking.kills, around.done, left, cluster.said())


async def _imported(driver: Driver, work: Import, store: str) -> dict[str, Any]:
    runs = [await driver.drive(name, paths) for name, paths in work.sessions.items()]
    return await dump(driver, mongo_rows(store), runs)


async def _first_to_end(endless: Any, work: Any) -> dict[str, Any]:
    tasks = [asyncio.create_task(endless), asyncio.create_task(work)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        left: dict[str, Any] = done.pop().result()
        return left
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
