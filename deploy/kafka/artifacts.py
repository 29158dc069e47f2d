"""The broker's jars: named by pom.xml, fetched by Maven once, kept in a cache folder outside the project."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
JAVA_VERSION_MIN = 17


class UnavailableError(Exception):
    """Something is missing without which no broker can start here; the text says what, and what to do."""


def kafka_version(pom: Path = POM) -> str:
    """The version of Kafka that the POM names."""
    match = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", pom.read_text(encoding="utf-8"))
    if match is None:
        raise UnavailableError(f"{pom} does not name a kafka.version.")
    return match.group(1)


def cache_folder() -> Path:
    """Where the jars are kept: HUB_KAFKA_LIBS, else a folder of this version in the user's cache."""
    if chosen := os.environ.get("HUB_KAFKA_LIBS"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "migration-hub" / f"kafka-{kafka_version()}"


def java() -> str:
    """The path of a Java that is new enough. UnavailableError where there is none."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if found is None:
        raise UnavailableError(f"There is no java on the PATH. Kafka needs Java {JAVA_VERSION_MIN} or later.")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "(\d+)', said)
    if match is None or int(match.group(1)) < JAVA_VERSION_MIN:
        raise UnavailableError(f"{found} is too old: Kafka needs Java {JAVA_VERSION_MIN} or later. It says: {said}")
    return found


def resolved_jars(folder: Path | None = None) -> Path:
    """The folder with all jars, fetched now where it is not there yet.

    The folder appears by one rename, so an interrupted download never looks complete; a lock lets a second start wait
    for the first one's download. UnavailableError where Maven is missing or cannot fetch.
    """
    folder = folder or cache_folder()
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if not folder.is_dir():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what an interrupted download left: who holds the lock is alone here
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError(f"{folder} is not there, and there is no mvn on the PATH to fetch Kafka's jars.")
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    command.append(f"-DoutputDirectory={partial}")
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        raise UnavailableError(f"Maven could not fetch Kafka's jars:\n{(result.stdout + result.stderr)[-2000:]}")
    partial.rename(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
