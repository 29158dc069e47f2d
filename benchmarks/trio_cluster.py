"""The import of the main benchmark by a cluster: api and services as processes of their own, on Kafka."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.broker import Broker
from benchmarks.cluster import cluster, sqlite_places
from benchmarks.measure import Measurement, ProcessUse, measure, process_tree
from benchmarks.trio_data import Trio
from tests.support.mongo_servers import kinds, start

Store = Literal["sqlite", "mongo"]
IMPORT_SECONDS_MAX = 1_200.0


@dataclass(frozen=True)
class Layout:
    """How many processes, and workers in each of them."""

    loaders: int = 1
    mappers: int = 1
    workers: int = 1

    @property
    def names(self) -> list[str]:
        """Of the processes."""
        return ["api", "ingest", "analyze", *["mapper"] * self.mappers, *["loader"] * self.loaders, "status"]


@dataclass(frozen=True)
class ClusterImport:
    """One measured import. `measurement` is of the client; `uses` are what the processes used while it ran."""

    measurement: Measurement
    report: dict[str, Any]
    start_seconds: float
    uses: list[tuple[str, ProcessUse]]


@dataclass(frozen=True)
class _Places:
    store: str
    files: str
    pid: int | None = None
    """Of the server, where it is ours."""


def run_cluster(trio: Trio, scratch: Path, broker: Broker, store: Store, layout: Layout) -> ClusterImport:
    """One import by a cluster that starts with it and ends after it. SystemExit where it fails or takes too long."""
    with (
        tempfile.TemporaryDirectory(dir=scratch) as folder,
        _places(store, Path(folder)) as places,
        cluster(
            Path(folder), broker.bootstrap, store=places.store, files=places.files, HUB_WORKERS=str(layout.workers)
        ) as hub,
    ):
        began = time.perf_counter()
        hub.start(*layout.names)
        started = time.perf_counter() - began
        servers = {"broker": broker.pid, "store server": places.pid}

        def used() -> list[tuple[str, ProcessUse]]:
            trees = [(name, process_tree(pid)) for name, pid in servers.items() if pid is not None]
            return hub.uses() + [(name, use) for name, tree in trees for use in tree]

        before = {use.pid: use.cpu_seconds for _, use in used()}
        command = hub.import_command(trio.paths)
        measured = measure(command, env=hub.environment, cwd=Path(folder), timeout_seconds=IMPORT_SECONDS_MAX)
        uses = [(name, _since(use, before.get(use.pid, 0.0))) for name, use in used()]
        if measured.exit_code not in (0, 2):
            raise SystemExit(f"The import failed:\n{measured.stderr[-3000:]}\n{measured.stdout[-2000:]}\n{hub.logs()}")
        return ClusterImport(measured, json.loads(measured.stdout), started, uses)


@contextmanager
def _places(store: Store, folder: Path) -> Iterator[_Places]:
    if store == "sqlite":
        places = sqlite_places(folder)
        yield _Places(places["store"], places["files"])
        return
    server = start(kinds()[0])
    try:
        pid = server.process.pid if server.process else None
        yield _Places(server.new_database(), "gridfs", pid)
    finally:
        server.stop()


def _since(use: ProcessUse, cpu_seconds: float) -> ProcessUse:
    return ProcessUse(use.pid, use.command, use.cpu_seconds - cpu_seconds, use.peak_mib)
