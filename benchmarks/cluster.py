"""A cluster of hub processes on this machine, started and ended by a benchmark: `hub api` and services on Kafka."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import ProcessUse, process_tree

HUB = (sys.executable, "-m", "services.cli.main")
STOP_SECONDS_MAX = 40.0

UPLOAD_BYTES_MAX = 2 * 1024**3
"""The files of the trio are uploaded; the largest has some 150 MB."""


@dataclass(frozen=True)
class Member:
    """A process. When it runs it says so, as JSON."""

    name: str
    process: subprocess.Popen[str]
    said: dict[str, Any] = field(default_factory=dict)


@dataclass
class Cluster:
    """Processes with one environment; `folder` holds their logs."""

    folder: Path
    environment: Mapping[str, str]
    token: str
    members: list[Member] = field(default_factory=list)

    def start(self, *names: str) -> None:
        """`api`, or services by name, all at once. SystemExit where one does not start."""
        self.start_commands([(name, self.command(name)) for name in names])

    @staticmethod
    def command(name: str) -> list[str]:
        """How `api` or a service is started."""
        return [*HUB, *(["api"] if name == "api" else ["service", name]), "--json"]

    def start_commands(self, commands: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Processes of (name, command)."""
        begun = [(name, self._begin(name, command)) for name, command in commands]
        # At once members: should one not start, all are ended.
        self.members += [Member(name, process) for name, process in begun]
        for member in self.members[-len(begun) :]:
            member.said.update(self._said(member))

    def _begin(self, name: str, command: Sequence[str]) -> subprocess.Popen[str]:
        log = self.folder / f"{name}-{secrets.token_hex(4)}.log"
        with log.open("w") as errors:
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=dict(self.environment)
            )

    def _said(self, member: Member) -> dict[str, Any]:
        assert member.process.stdout is not None
        text = ""
        for line in member.process.stdout:
            text += line
            if line.startswith("}"):
                said: dict[str, Any] = json.loads(text)
                return said
        raise SystemExit(f"{member.name} did not start:\n{self.logs(member.name)}")

    @property
    def url(self) -> str:
        """Of the API."""
        return next(str(member.said["url"]) for member in self.members if member.name == "api")

    def logs(self, name: str = "*") -> str:
        """The last words of a process, or of all."""
        return "\n".join(
            f"{path.name}: {path.read_text(errors='replace')[-2_000:]}"
            for path in sorted(self.folder.glob(f"{name}-*.log"))
        )

    def import_command(self, paths: Sequence[Path], *options: str) -> list[str]:
        """An import through the API that prints its report."""
        return [
            *HUB,
            "import",
            *map(str, paths),
            "--server",
            self.url,
            "--token",
            self.token,
            "--yes",
            "--json",
            *options,
        ]

    def uses(self) -> list[tuple[str, ProcessUse]]:
        """What each process and its workers have used so far."""
        return [
            (member.name if use.pid == member.process.pid else f"{member.name} worker", use)
            for member in self.members
            for use in process_tree(member.process.pid)
        ]

    def stop(self) -> None:
        """Ends every process, in order first."""
        for member in self.members:
            member.process.send_signal(signal.SIGTERM)
        for member in self.members:
            try:
                member.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()
            assert member.process.stdout is not None
            member.process.stdout.close()
        self.members.clear()


@contextmanager
def cluster(folder: Path, bootstrap: str, *, store: str, files: str, **settings: str) -> Iterator[Cluster]:
    """A cluster whose topics exist and of which nothing runs yet; what is started is ended with the context.

    Each has topics of its own, so that several may use one broker after the other. `settings` are further HUB_ ones.
    """
    token = secrets.token_urlsafe(32)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    own = {
        "HUB_BUS": f"kafka://{bootstrap}",
        "HUB_STORE": store,
        "HUB_FILES": files,
        "HUB_DATA_DIR": str(folder / "data"),
        "HUB_HTTP_PORT": "0",
        "HUB_OWNER_TOKEN": token,
        "HUB_TOPIC_PREFIX": f"bench-{secrets.token_hex(4)}.",
        "HUB_LOG_LEVEL": "warning",
        "HUB_UPLOAD_BYTES_MAX": str(UPLOAD_BYTES_MAX),
    }
    made = Cluster(folder, {**kept, **own, **settings}, token)
    subprocess.run([*HUB, "topics", "create"], env=dict(made.environment), check=True, stdout=subprocess.DEVNULL)
    try:
        yield made
    finally:
        made.stop()


def end_in_order_when_told() -> None:
    """SIGTERM ends this process like Ctrl-C does: with everything it has started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def sqlite_places(folder: Path) -> dict[str, str]:
    """Store and files of a cluster in a folder."""
    return {"store": f"sqlite:///{folder / 'store.db'}", "files": f"file://{folder / 'files'}"}
