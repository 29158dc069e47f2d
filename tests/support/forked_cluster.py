"""A cluster made to be killed: `hub api` and `hub service` in processes that start in a fraction of a second.

`tests.support.cluster` runs the same commands as users do. Here each process is forked, leads a group of its own, can
be told at any time at which fail point to kill itself, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx2

from services.app import SERVICES
from services.bus import make_kafka_runtime
from services.cli.processes import run_api, run_service
from services.locations import KafkaCluster
from services.settings import HubSettings, load_settings
from shared.runtime.fail_points import LOG_VARIABLE, WHICH_VARIABLE
from tests.support.drive import Driver
from tests.support.forking import CONTEXT, kill_group
from tests.support.kafka_broker import free_port

API = "api"
TOKEN = "owner-token-of-the-tests-0123456789"
SECONDS_MAX = 120.0
RUN_SECONDS_MAX = 300.0
"""For a whole run with all its kills, each of which costs some seconds on a busy machine."""
STOP_SECONDS_MAX = 15.0
ANSWER_SECONDS_MAX = 5.0
POLL_SECONDS = 0.02
LOG_CHARACTERS_SHOWN = 1_500


@dataclass
class Member:
    """One process. `hits` is the log its fail points write to."""

    service: str
    process: BaseProcess
    port: int
    log: Path
    hits: Path
    orders: Connection
    armed: str | None = None
    is_leaving: bool = False

    @property
    def pid(self) -> int:
        """Its process id, also when it has ended."""
        return self.process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """None while it lives; negative for the signal that ended it."""
        return self.process.exitcode

    def arm(self, fail_point: str | None) -> None:
        """From now on it kills itself at this point (`name@nth`), or at none. Harmless for one that has ended."""
        self.armed = fail_point
        with contextlib.suppress(BrokenPipeError):
            self.orders.send(fail_point)

    def died_at(self) -> str | None:
        """The fail point (without the hit's number) at which it killed itself, as it wrote before; None elsewhere."""
        lines = self.hits.read_text().splitlines() if self.hits.exists() else []
        found = [line.partition("@")[0] for line in lines if line.endswith(f"pid={self.pid}")]
        return found[-1] if found else None

    def answers(self, path: str) -> int:
        """Status of a GET of /live, /ready or /metrics; 0 while nobody listens."""
        return self._get(path)[0]

    def behind(self) -> list[str]:
        """What it has not consumed yet, as /metrics says."""
        lines = self._get("/metrics")[1].splitlines()
        return [line for line in lines if line.startswith("hub_") and "lag" in line and not line.endswith(" 0.0")]

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=ANSWER_SECONDS_MAX) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_live(self) -> bool:
        """It answers, or has ended already."""
        return self.exit_code is not None or self.answers("/live") != 0

    def is_ready(self) -> bool:
        """It takes work, or has ended already."""
        return self.exit_code is not None or self.answers("/ready") == 200

    def leave(self) -> None:
        """SIGTERM: it finishes what it has begun and leaves its groups."""
        self.is_leaving = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to its group; it has ended on return."""
        kill_group(self.process)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-LOG_CHARACTERS_SHOWN:]


_NONE_ARMED: Mapping[str, str] = {}
_ONE_OF_EACH: Mapping[str, int] = {}


@dataclass
class ForkedCluster:
    """Processes with the same settings, all of which have a folder for their logs, files and SQLite store."""

    folder: Path
    environment: Mapping[str, str]
    members: list[Member] = field(default_factory=list)
    _number: int = 0
    _api_port: int = field(default_factory=free_port)

    @property
    def settings(self) -> HubSettings:
        """What the processes are told."""
        with _environment(self.environment):
            return load_settings(shared_bus_for="tests")

    async def create_topics(self) -> None:
        """Every topic of the registry."""
        place = self.settings.bus_place
        assert isinstance(place, KafkaCluster)
        await make_kafka_runtime(self.settings, place, time.time).create_topics()

    def start(self, service: str, fail_point: str | None = None) -> Member:
        """A process of a service, or of the api; it is not ready yet when this returns."""
        self._number += 1
        log, hits = self.folder / f"{service}-{self._number}.log", self.folder / "hits"
        port = self._api_port if service == API else free_port()
        environment = {**self.environment, "HUB_HTTP_PORT": str(port), LOG_VARIABLE: str(hits)}
        if fail_point is not None:
            environment[WHICH_VARIABLE] = fail_point
        log.touch()
        theirs, orders = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_live, args=(service, environment, log, theirs))
        process.start()
        theirs.close()
        member = Member(service, process, port, log, hits, orders, fail_point)
        self.members.append(member)
        return member

    def start_all(self, *, armed: Mapping[str, str] = _NONE_ARMED, counts: Mapping[str, int] = _ONE_OF_EACH) -> None:
        """The api and the five services: service -> fail point, service -> how many processes where not one."""
        for service in (API, *SERVICES):
            for _ in range(counts.get(service, 1)):
                self.start(service, armed.get(service))

    def of(self, service: str) -> list[Member]:
        """The living processes of a service that are not told to leave, the oldest first."""
        return [one for one in self.members if one.service == service and not one.is_leaving and one.exit_code is None]

    async def ready(self, *members: Member) -> None:
        """These processes (all, where none is named) answer /ready with 200; one that has ended is not waited for."""
        for member in members or tuple(self.members):
            await self.until(f"{member.service} is ready", member.is_ready)

    async def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Polls a condition that may block for a moment. AssertionError with the logs where it does not come about."""
        deadline = time.monotonic() + SECONDS_MAX
        while not await asyncio.to_thread(is_so):
            assert time.monotonic() < deadline, f"it did not come about that {what}\n{self.said()}"
            await asyncio.sleep(POLL_SECONDS)

    @asynccontextmanager
    async def driver(self, batch_records: int) -> AsyncIterator[Driver]:
        """Drives sessions over the api, patiently where it, the bus or the store is away."""
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self._api_port}/api/v1",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=SECONDS_MAX,
        ) as client:
            options = {"batch_records": batch_records}
            yield Driver(client, options=options, is_remote=True, deadline_seconds=RUN_SECONDS_MAX)

    def said(self) -> str:
        """The end of the log of each process, and what those that live have not consumed yet."""
        return "\n".join(
            f"---- {one.service} (pid {one.pid}, exit code {one.exit_code}, armed with {one.armed})\n{one.said()}\n"
            + "\n".join(one.behind() if one.exit_code is None else [])
            for one in self.members
        )

    def stop(self) -> None:
        """SIGTERM for all, SIGKILL for what does not end by it."""
        for member in self.members:
            if member.exit_code is None:
                member.leave()
        for member in self.members:
            member.process.join(STOP_SECONDS_MAX)
            member.kill()
            member.orders.close()


@contextmanager
def forked_cluster(folder: Path, settings: Mapping[str, str]) -> Iterator[ForkedCluster]:
    """A cluster without processes; what is started is ended with the context."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {
        "HUB_DATA_DIR": str(folder / "data"),
        "HUB_OWNER_TOKEN": TOKEN,
        "HUB_WORKERS": "1",
        "HUB_TOPIC_PARTITIONS": "4",
        "HUB_KAFKA_SESSION_SECONDS": "1.5",
        "HUB_STOP_SECONDS": "10",
    }
    cluster = ForkedCluster(folder, {**own, **settings})
    try:
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """These HUB_ variables and no others, while the context lasts."""
    before = {name: value for name, value in os.environ.items() if name.startswith("HUB_")}
    _set_hub_variables(settings)
    try:
        yield
    finally:
        _set_hub_variables(before)


def _set_hub_variables(settings: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        del os.environ[name]
    os.environ.update(settings)


# ---- inside the process ---------------------------------------------------------------------------------------


def _live(service: str, environment: Mapping[str, str], log: Path, orders: Connection) -> None:
    """Entry of a process."""
    os.setsid()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    _set_hub_variables(environment)
    threading.Thread(target=_obey, args=(orders,), daemon=True).start()
    settings = load_settings(shared_bus_for=f"hub service {service}")
    work = run_api(settings, as_json=False) if service == API else run_service(settings, service, as_json=False)
    asyncio.run(work)


def _obey(orders: Connection) -> None:
    """Arms fail points as told; when nobody is there any more to tell, ends the whole group."""
    while True:
        try:
            fail_point = orders.recv()
        except (EOFError, OSError):
            os.killpg(0, signal.SIGKILL)
        if fail_point is None:
            os.environ.pop(WHICH_VARIABLE, None)
        else:
            os.environ[WHICH_VARIABLE] = fail_point
