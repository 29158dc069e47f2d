"""Where the broker's jars come from, with a stand-in for Maven: failing, interrupted, missing, twice at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.kafka.artifacts import UnavailableError, resolved_jars
from deploy.kafka.properties import CLIENTS, CONTROLLER, Node, node_settings

LAUNCHER = Path(__file__).parents[2] / "deploy" / "kafka" / "brokers.py"

FAKE_MAVEN = """#!/bin/sh
for argument in "$@"; do case "$argument" in -DoutputDirectory=*) target="${argument#*=}" ;; esac; done
echo called >> "$CALLS"
mkdir -p "$target" && touch "$target/kafka.jar"
echo "$MAVEN_SAYS"
exit "$MAVEN_EXIT_CODE"
"""


class Maven:
    """A program named mvn on a PATH of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._calls = folder / "calls"
        program = folder / "bin" / "mvn"
        program.parent.mkdir()
        program.write_text(FAKE_MAVEN)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        monkeypatch.setenv("CALLS", str(self._calls))
        monkeypatch.setenv("MAVEN_EXIT_CODE", "0")
        monkeypatch.setenv("MAVEN_SAYS", "")

    @property
    def call_count(self) -> int:
        return len(self._calls.read_text().splitlines()) if self._calls.exists() else 0


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maven:
    return Maven(tmp_path, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "kafka"


def test_jars_are_fetched_once(maven: Maven, folder: Path) -> None:
    resolved_jars(folder)
    resolved_jars(folder)

    assert [path.name for path in folder.iterdir()] == ["kafka.jar"]
    assert maven.call_count == 1


def test_two_starts_at_once_fetch_once(maven: Maven, folder: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(resolved_jars, [folder] * 4))

    assert found == [folder] * 4
    assert maven.call_count == 1


def test_what_a_failing_fetch_left_is_not_taken_for_the_jars(
    maven: Maven, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAVEN_EXIT_CODE", "1")
    monkeypatch.setenv("MAVEN_SAYS", "[ERROR] no route to the repository")

    with pytest.raises(UnavailableError, match="no route to the repository"):
        resolved_jars(folder)

    assert not folder.exists()


def test_after_an_interrupted_fetch_the_next_one_begins_anew(maven: Maven, folder: Path) -> None:
    partial = folder.with_name("kafka.partial")
    partial.mkdir(parents=True)
    (partial / "half.jar").touch()

    resolved_jars(folder)

    assert [path.name for path in folder.iterdir()] == ["kafka.jar"]


def test_a_missing_maven_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UnavailableError, match="no mvn on the PATH"):
        resolved_jars(folder)


def test_a_missing_java_ends_the_launcher_with_a_code_of_its_own(maven: Maven, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    environment = {"PATH": str(bare), "HUB_KAFKA_LIBS": str(libraries)}

    result = subprocess.run(
        [sys.executable, str(LAUNCHER), "--dir", str(tmp_path / "data")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (result.returncode, result.stderr) == (3, "There is no java on the PATH. Kafka needs Java 17 or later.\n")


@pytest.mark.skipif(shutil.which("java") is None, reason="no java")
def test_a_directory_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text('{"id": "x", "nodes": [{"id": 1, "ports": {}}], "password": null}')
    environment = {**os.environ, "HUB_KAFKA_LIBS": str(tmp_path)}

    result = subprocess.run(
        [sys.executable, str(LAUNCHER), "--dir", str(tmp_path), "--nodes", "3"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert result.returncode == 1
    assert "is of 1 node(s)" in result.stderr


def test_three_nodes_are_one_quorum_with_copies_on_each() -> None:
    nodes = [Node(number, {CLIENTS: 9091 + number, CONTROLLER: 9190 + number}) for number in (1, 2, 3)]

    settings = node_settings(nodes[1], nodes, Path("data"))

    assert settings["controller.quorum.voters"] == "1@127.0.0.1:9191,2@127.0.0.1:9192,3@127.0.0.1:9193"
    assert settings["listeners"] == "CLIENTS://127.0.0.1:9093,CONTROLLER://127.0.0.1:9192"
    assert (settings["default.replication.factor"], settings["min.insync.replicas"]) == ("3", "2")
