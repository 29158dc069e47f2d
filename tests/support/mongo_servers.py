"""Servers that speak MongoDB's protocol for tests, each started once per test session.

Which, by the first that works: the address in HUB_TEST_MONGO; a container, where a Docker engine answers and
`testcontainers` is installed; else two stand-ins side by side, mongo-java-server (Java 17, and Maven the first time)
and nx-27017 (a test dependency), since each is wrong where the other is right. Where there is none the tests are
skipped with the reason, or fail where HUB_TEST_REQUIRE names mongo.

`tests/conftest.py` makes the fixtures known to all tests.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest

from tests.support.kafka_broker import free_port

LAUNCHER = Path(__file__).parents[2] / "deploy" / "mongo-stand-in" / "run"
START_SECONDS_MAX = 120  # the first time Maven fetches 3 MB
IMAGE = "mongo:8.0"


class UnavailableError(Exception):
    """This server cannot be had here; the text is the reason."""


@dataclass
class MongoServer:
    """A server of this test session."""

    kind: str
    url: str
    process: subprocess.Popen[str] | None = None
    """None for one that somebody else runs."""
    close: Callable[[], Any] = lambda: None

    def new_database(self) -> str:
        """The address of a database that nobody has used yet."""
        return with_database(self.url, f"hub-test-{secrets.token_hex(6)}")

    def wait_until_ready(self, timeout_seconds: float = 30.0) -> None:
        """Returns when it answers; UnavailableError after that."""
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError

        deadline = time.monotonic() + timeout_seconds
        with MongoClient[dict[str, Any]](self.url, serverSelectionTimeoutMS=200) as client:
            while True:
                with contextlib.suppress(PyMongoError):
                    client.admin.command("ping")
                    return
                if time.monotonic() > deadline or (self.process is not None and self.process.poll() is not None):
                    raise UnavailableError(f"{self.kind} does not answer")
                time.sleep(0.05)

    def drop(self, url: str) -> None:
        """Removes a database of this server."""
        from pymongo import MongoClient

        with MongoClient[dict[str, Any]](url) as client:
            client.drop_database(urlsplit(url).path.strip("/"))

    def stop(self) -> None:
        """Ends a server of ours. Harmless for one that is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)  # what it holds is thrown away
        if self.process is not None:
            self.process.communicate(timeout=30)
        self.close()


@dataclass
class MongoServers:
    """The servers of a test session; one starts when the first test asks for it."""

    _started: dict[str, MongoServer] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)

    def get(self, kind: str) -> MongoServer:
        """The server of a kind; skips the test, or fails it where mongo is required, if there is none."""
        if kind not in self._started and kind not in self._reasons:
            try:
                self._started[kind] = start(kind)
            except UnavailableError as error:
                self._reasons[kind] = str(error)
        if kind in self._reasons:
            _unavailable(kind, self._reasons[kind])
        return self._started[kind]

    def stop(self) -> None:
        for server in self._started.values():
            server.stop()


def kinds() -> list[str]:
    """Which servers the suites run on."""
    if os.environ.get("HUB_TEST_MONGO"):
        return ["given"]
    if importlib.util.find_spec("testcontainers") is not None and _docker_answers():
        return ["container"]
    return ["mongo-java-server", "nx-27017"]


def start(kind: str, port: int = 0) -> MongoServer:
    """Starts one more server of a kind; the caller stops it. UnavailableError where that is not possible."""
    server = {"given": _given, "container": _container, "mongo-java-server": _java_server, "nx-27017": _nx}[kind](port)
    try:
        server.wait_until_ready()
    except UnavailableError:
        server.stop()
        raise
    return server


def with_database(url: str, name: str) -> str:
    """The URL with another database; who may use it is still asked where it was."""
    parts = urlsplit(url)
    query = parts.query
    if parts.username and "authsource=" not in query.lower():
        query = "&".join(filter(None, [query, f"authSource={parts.path.strip('/') or 'admin'}"]))
    return f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{query}" if query else "")


def with_port(url: str, port: int) -> str:
    """The URL with this machine and another port, where a proxy stands that leads there."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}127.0.0.1:{port}").geturl()


def port_of(url: str) -> int:
    """The port in a URL."""
    return urlsplit(url).port or 27017


def _given(port: int) -> MongoServer:
    return MongoServer("given", os.environ["HUB_TEST_MONGO"])


def _container(port: int) -> MongoServer:
    from testcontainers.mongodb import MongoDbContainer  # type: ignore[import-not-found,unused-ignore]

    container = MongoDbContainer(IMAGE).start()
    return MongoServer("container", container.get_connection_url(), close=container.stop)


def _java_server(port: int) -> MongoServer:
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe that nobody reads would stop it one day
    process = subprocess.Popen(
        [LAUNCHER, str(port), "--until-stdin-closes"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    if not url:
        process.communicate(timeout=START_SECONDS_MAX)
        said.seek(0)
        raise UnavailableError(f"mongo-java-server did not start ({process.returncode}): {said.read()[-2000:]}")
    return MongoServer("mongo-java-server", url, process, said.close)


def _nx(port: int) -> MongoServer:
    if importlib.util.find_spec("nx_27017") is None:
        raise UnavailableError("nx-27017 is not installed")
    port = port or free_port()
    folder = tempfile.TemporaryDirectory(prefix="hub-nx-")
    files = {name: f"{folder.name}/{name}" for name in ("log", "pid", "data")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.nx_server", "--data-dir", files["data"], "--port", str(port),
         "--log-file", files["log"], "--pid-file", files["pid"]],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return MongoServer("nx-27017", f"mongodb://127.0.0.1:{port}/?retryWrites=false", process, folder.cleanup)


def _docker_answers() -> bool:
    found = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20)
    return found.returncode == 0


def _unavailable(kind: str, reason: str) -> NoReturn:
    if "mongo" in os.environ.get("HUB_TEST_REQUIRE", "").split(","):
        pytest.fail(f"HUB_TEST_REQUIRE names mongo, and there is no {kind}: {reason}", pytrace=False)
    pytest.skip(f"no {kind}: {reason}")


@pytest.fixture(scope="session")
def mongo_servers() -> Iterator[MongoServers]:
    """The servers of the whole test session."""
    servers = MongoServers()
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture(params=kinds())
def mongo_server(request: pytest.FixtureRequest, mongo_servers: MongoServers) -> MongoServer:
    """Every server one after the other."""
    return mongo_servers.get(request.param)


@pytest.fixture
def mongo_url(mongo_server: MongoServer) -> Iterator[str]:
    """The address of a database of this test alone, on every server one after the other."""
    url = mongo_server.new_database()
    yield url
    mongo_server.drop(url)


@pytest.fixture
def any_mongo_url(mongo_servers: MongoServers) -> Iterator[str]:
    """The address of a database of this test alone, on one server: for tests of more than the adapters."""
    server = mongo_servers.get(kinds()[0])
    url = server.new_database()
    yield url
    server.drop(url)
