"""A cluster of `hub api` and `hub service` processes on a bus and a store, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "services.cli.main"]
SERVICES = ("ingest", "analyze", "mapper", "loader", "status")
TOKEN = "owner-token-of-the-tests-0123456789"
SECONDS_MAX = 120.0

T = TypeVar("T")


@dataclass
class HubMember:
    """One process. `url` answers /live, /ready and /metrics."""

    name: str
    process: subprocess.Popen[str]
    errors: Path
    _url: str = ""

    @property
    def url(self) -> str:
        """Waits until the process has started and says its address."""
        if not self._url:
            said = ""
            assert self.process.stdout is not None
            for line in self.process.stdout:
                said += line
                if line.startswith("}"):
                    break
            assert said, f"{self.name} ended with {self.process.wait(SECONDS_MAX)}:\n{self.log()}"
            self._url = json.loads(said)["url"]
        return self._url

    def stop(self) -> int:
        """SIGTERM and the exit code; harmless where it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self._ended()

    def log(self) -> str:
        """What it said on standard error."""
        return self.errors.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """(status, body) of a path; status 0 while nobody listens."""
        return _get(self.url + path, {}) or (0, "")

    def _ended(self) -> int:
        try:
            return self.process.wait(SECONDS_MAX)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


@dataclass
class Background:
    """A command that is under way; `out` and `errors` are there when it has ended."""

    process: subprocess.Popen[str]
    out: str = ""
    errors: str = ""

    def json(self) -> Any:
        """Its answer."""
        assert self.out, self.errors
        return json.loads(self.out)


@dataclass
class HubCluster:
    """Processes with the same settings. `folder` holds what they log and, where the settings say so, their stores."""

    folder: Path
    settings: Mapping[str, str]
    members: list[HubMember] = field(default_factory=list)

    def environment(self, **extra: str) -> dict[str, str]:
        """Of every process: nothing of the caller's own HUB settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        own = {"PYTHONPATH": str(ROOT), "HUB_WORKERS": "1", "HUB_HTTP_PORT": "0", "HUB_OWNER_TOKEN": TOKEN}
        return kept | own | {"HUB_DATA_DIR": str(self.folder / "data")} | dict(self.settings) | extra

    def run(self, *arguments: object, **extra: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment(**extra),
            timeout=SECONDS_MAX,
            check=False,
        )

    def start(self, *names: str, **extra: str) -> list[HubMember]:
        """Processes of these services, or `api`; they have not started yet when this returns."""
        started = [self._begin(name, extra) for name in names]
        self.members += started
        return started

    def wait_until_ready(self) -> None:
        """Every process that lives answers /ready with 200."""
        deadline = time.monotonic() + SECONDS_MAX
        for member in self.members:
            while member.process.poll() is None and (answer := member.get("/ready"))[0] != 200:
                assert time.monotonic() < deadline, f"{member.name} is not ready: {answer}\n{member.log()}"
                time.sleep(0.05)

    @contextmanager
    def background(self, *arguments: object) -> Iterator[Background]:
        """A command that goes on while the context lasts, and is waited for at its end."""
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(),
        )
        running = Background(process)
        try:
            yield running
            running.out, running.errors = process.communicate(timeout=SECONDS_MAX)
        finally:
            process.kill()
            process.wait()

    def answers(self, url: str, path: str, **headers: str) -> int | None:
        """Status of a GET; None while nobody listens."""
        found = _get(url + path, headers)
        return found[0] if found else None

    def api(self, server: str, path: str) -> tuple[int, str]:
        """(status, body) of a GET of the API, as the owner."""
        found = _get(f"{server}/api/v1{path}", {"Authorization": f"Bearer {TOKEN}"})
        assert found is not None, f"nobody listens at {server}"
        return found

    def wait_for_run(self, server: str) -> None:
        """Until a run is active."""
        self.poll(lambda: json.loads(self.api(server, "/runs")[1]))

    def poll(self, look: Callable[[], T]) -> T:
        """The first answer of `look` that is something."""
        deadline = time.monotonic() + SECONDS_MAX
        while not (found := look()):
            assert time.monotonic() < deadline, f"still {found!r} after {SECONDS_MAX:g} seconds"
            time.sleep(0.05)
        return found

    def stop(self) -> None:
        """Ends every process, however it is."""
        for member in self.members:
            if member.process.poll() is None:
                member.process.send_signal(signal.SIGTERM)
        for member in self.members:
            try:
                member._ended()
            except subprocess.TimeoutExpired:
                member.kill()
        self.members.clear()

    def _begin(self, name: str, extra: Mapping[str, str]) -> HubMember:
        arguments: Sequence[str] = [name] if name == "api" else ["service", name]
        errors = self.folder / f"{name}-{len(list(self.folder.glob('*.log')))}.log"
        with errors.open("w") as log:
            process = subprocess.Popen(
                [*COMMAND, *arguments, "--json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.folder,
                env=self.environment(**extra),
            )
        return HubMember(name, process, errors)


@contextmanager
def hub_cluster(folder: Path, settings: Mapping[str, str]) -> Iterator[HubCluster]:
    """A cluster without processes, in a folder that exists; what is started is ended with the context."""
    cluster = HubCluster(folder, settings)
    try:
        yield cluster
    finally:
        cluster.stop()


def _get(url: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
    """(status, body) of a GET; None while nobody listens."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=SECONDS_MAX) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return None


def problems_of(log: str) -> list[dict[str, Any]]:
    """The lines of a JSON log at error or above, and everything that is no JSON."""
    found: list[dict[str, Any]] = []
    for line in log.splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry.get("level") in ("error", "critical"):
                found.append(entry)
            continue
        found.append({"line": line})
    return found
