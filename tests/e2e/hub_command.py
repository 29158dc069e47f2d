"""Runs the command `hub` as users do, and in this process where only the answer matters."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.cli.connection import Target, connected
from services.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
JOBBER = [EXAMPLES / "jobber" / name for name in ("clients.csv", "jobs.csv", "invoices.csv")]
COMMAND = [sys.executable, "-m", "services.cli.main"]
SECONDS_MAX = 120


@dataclass(frozen=True)
class Answer:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def run_hub(*arguments: object, cwd: Path | None = None, **environment: str) -> Answer:
    """The command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or Path(__file__).parents[2],
        env=_environment(environment),
        timeout=SECONDS_MAX,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@contextmanager
def hub_up(data_directory: Path) -> Iterator[dict[str, str]]:
    """`hub up` on a free port; gives what it said: url, token."""
    process = subprocess.Popen(
        [*COMMAND, "up", "--port", "0", "--json", "--data-dir", str(data_directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
        env=_environment({}),
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("}"):
                break
        yield json.loads(said)
    finally:
        process.terminate()
        process.wait(SECONDS_MAX)
        process.stdout.close()


@dataclass
class Hub:
    """Commands in this process, on one data directory."""

    data_directory: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Answer:
        """Runs `hub ARGUMENTS --data-dir ...`."""
        line = ["hub", *map(str, arguments), "--data-dir", str(self.data_directory)]
        self.monkeypatch.setattr(sys, "argv", line)
        self.capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = self.capsys.readouterr()
        return Answer(code, said.out, said.err)

    def imports(self, *paths: Path, options: tuple[str, ...] = ()) -> Answer:
        """`hub import PATHS --yes --json`."""
        return self("import", *paths, "--yes", "--json", *options)


def exports(data_directory: Path, *entities: str) -> dict[str, list[dict[str, Any]]]:
    """What the store holds of some entity types."""
    return asyncio.run(_exports(data_directory, entities))


async def _exports(data_directory: Path, entities: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    async with connected(Target(data_directory)) as client:
        for entity in entities:
            text = b"".join([block async for block in client.download(f"/exports/{entity}", format="jsonl")])
            found[entity] = [json.loads(line) for line in text.decode().splitlines()]
    return found


def comparable(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what differs between two equal imports."""
    differing = ("session", "seconds", "errors_file", "report_file")
    return {key: value for key, value in report.items() if key not in differing}


def write_csv(path: Path, *lines: str) -> Path:
    """A file of these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2]), "HUB_WORKERS": "1"} | extra
