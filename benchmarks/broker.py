"""A Kafka broker for benchmarks: one that runs already, or one of this machine's own (`deploy/kafka`)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).parents[1] / "deploy" / "kafka" / "brokers.py"


@dataclass(frozen=True)
class Broker:
    """`bootstrap` is its address; `pid` is None for one that somebody else runs."""

    bootstrap: str
    pid: int | None


@contextmanager
def kafka_broker(folder: Path, address: str | None = None) -> Iterator[Broker]:
    """The broker at `address`, or one with its data in `folder` that ends with the context. SystemExit if it fails."""
    if address is not None:
        yield Broker(address, None)
        return
    # It ends when its standard input closes, so also when this process is killed.
    launcher = subprocess.Popen(
        [sys.executable, str(LAUNCHER), "--dir", str(folder), "--port", "0", "--until-input-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with launcher:
        assert launcher.stdin is not None
        assert launcher.stdout is not None
        bootstrap = launcher.stdout.readline().strip()
        if not bootstrap:
            raise SystemExit("The broker did not start; its launcher says why above.")
        try:
            yield Broker(bootstrap, json.loads((folder / "cluster.json").read_text())["pids"]["1"])
        finally:
            launcher.stdin.close()
