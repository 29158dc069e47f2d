"""A real Kafka broker for tests, one per test session: `deploy/kafka`, started, killed, paused and brought back.

Which one, by the first that works: the address in HUB_TEST_KAFKA (then nothing here may kill it); the broker's own
jars with Java 17 (and Maven the first time); Docker. The jars come before Docker since only they give every test what
it needs: a broker to kill at fixed ports, listeners with logins, one behind a proxy. Where there is none the tests are
skipped with the reason, or fail where HUB_TEST_REQUIRE names kafka.

`tests/conftest.py` makes the fixtures known to all tests. It must stay the only one: imported into a second
conftest.py, a session fixture would be another fixture there, and another broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from deploy.kafka.artifacts import kafka_version
from deploy.kafka.properties import CLIENTS, CONTROLLER, Node, node_settings

LAUNCHER = Path(__file__).parents[2] / "deploy" / "kafka" / "brokers.py"
START_SECONDS_MAX = 120  # the first time Maven fetches 54 MB
POLL_SECONDS = 0.05
UNAVAILABLE_EXIT_CODE = 3


# Below the ports of outgoing connections, so that no client is ever given the port of a broker that is down; beside
# those that `deploy/kafka` takes; of several processes of a test run each has its own.
PORTS = range(11_000, 20_000)
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS_LEFT = list(PORTS)[_WORKER :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]


class UnavailableError(Exception):
    """No broker can be had here; the text is the reason."""


@dataclass(frozen=True)
class SecureListeners:
    """Addresses of the listeners that ask who is there, and what to answer."""

    sasl: str
    """SASL_PLAINTEXT, mechanisms PLAIN and SCRAM-SHA-256."""
    sasl_tls: str
    """SASL_SSL, the same mechanisms."""
    tls: str
    """SSL; the client needs no certificate."""
    mutual_tls: str
    """SSL; the client needs a certificate."""
    username: str
    password: str
    ca_file: Path
    """Certificate of the broker and of the client, PEM."""
    cert_file: Path
    key_file: Path


class KafkaBrokerHandle:
    """The broker of this test session.

    A test that kills or pauses it brings it back itself (`start`, `resume`); the fixture `kafka` looks after that too.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @property
    def can_be_killed(self) -> bool:
        """False for a broker that somebody else runs."""
        return False

    def wait_until_ready(self, timeout_seconds: float = 30.0) -> None:
        """Returns when it answers and every partition has a leader. TimeoutError after that."""
        # In a thread, since the test that calls may run in an event loop.
        with ThreadPoolExecutor(1) as threads:
            threads.submit(asyncio.run, _until_ready(self.bootstrap, timeout_seconds)).result()


class OwnBroker(KafkaBrokerHandle):
    """A broker that runs as a child of this process, in a folder of its own, always at the same ports."""

    def __init__(self, folder: Path, proxy_port: int) -> None:
        super().__init__("")
        self.folder = folder
        self.proxy_port = proxy_port
        """Where clients of `proxied_bootstrap` look for it: a test puts a proxy there that leads to `proxied_port`."""
        self._launcher: subprocess.Popen[str] | None = None
        self._known: dict[str, Any] = {}

    @property
    def can_be_killed(self) -> bool:
        return True

    @property
    def proxied_bootstrap(self) -> str:
        """The address of a proxy that does not stand there until a test starts one."""
        return f"127.0.0.1:{self.proxy_port}"

    @property
    def proxied_port(self) -> int:
        """Where the broker itself listens for what comes through the proxy."""
        return self._port("PROXIED")

    @property
    def secure(self) -> SecureListeners:
        """The listeners with passwords and certificates."""
        return SecureListeners(
            sasl=f"127.0.0.1:{self._port('SASL')}",
            sasl_tls=f"127.0.0.1:{self._port('SASL_TLS')}",
            tls=f"127.0.0.1:{self._port('TLS')}",
            mutual_tls=f"127.0.0.1:{self._port('MUTUAL_TLS')}",
            username="hub",
            password=self._known["password"],
            ca_file=self.folder / "certificate.pem",
            cert_file=self.folder / "certificate.pem",
            key_file=self.folder / "keys.pem",
        )

    @property
    def pid(self) -> int:
        """The broker's own process."""
        return int(self._known["pids"]["1"])

    @property
    def log(self) -> str:
        """What the broker said (warnings and errors)."""
        return (self.folder / "node-1" / "broker.log").read_text(errors="replace")

    def start(self) -> None:
        """Starts it, or brings it back with its data and ports; returns when it can be used. Harmless while it runs."""
        if self._launcher is not None and self._launcher.poll() is None:
            return
        command = [sys.executable, str(LAUNCHER), "--dir", str(self.folder), "--port", "0", "--secure",
                   "--proxied", str(self.proxy_port), "--until-input-closes"]  # fmt: skip
        # It ends when its standard input does: also when this process is killed and no fixture cleans up.
        self._launcher = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._launcher.stdout is not None
        self.bootstrap = self._launcher.stdout.readline().strip()
        if not self.bootstrap:
            _, said = self._launcher.communicate(timeout=START_SECONDS_MAX)
            if self._launcher.returncode == UNAVAILABLE_EXIT_CODE:
                raise UnavailableError(said.strip())
            raise AssertionError(f"the broker did not start: {said}")
        self._known = json.loads((self.folder / "cluster.json").read_text())
        self.wait_until_ready()

    def kill(self) -> None:
        """kill -9; it is gone on return."""
        self._signal(signal.SIGKILL)
        self._launcher_ended()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers. Every thread stands still on return."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while not _stands_still(self.pid):
            assert time.monotonic() < deadline, "the broker was not stopped"
            time.sleep(0.001)

    def resume(self) -> None:
        """SIGCONT; harmless for one that was not paused."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it in order. Harmless for one that is gone."""
        if self._launcher is not None and self._launcher.poll() is None:
            if self._known:
                self.resume()  # one that is paused would not end
            self._launcher.terminate()
            self._launcher_ended()

    def abandon(self) -> None:
        """Closes the pipe to it as the death of this process would; it is gone on return."""
        assert self._launcher is not None
        self._launcher_ended()  # communicate() closes the pipe

    def _launcher_ended(self) -> None:
        assert self._launcher is not None
        self._launcher.communicate(timeout=30)

    def _signal(self, which: signal.Signals) -> None:
        if self._launcher is None or self._launcher.poll() is not None:
            return  # it is gone, and its number may be somebody else's by now
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, which)

    def _port(self, listener: str) -> int:
        return int(self._known["nodes"][0]["ports"][listener])


def _stands_still(pid: int) -> bool:
    """Whether all threads are stopped. On a busy machine that comes a moment after the signal."""
    states = [task.read_text().rsplit(")", 1)[1].split()[0] for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state in "TtZ" for state in states)


def free_port() -> int:
    """A port on loopback at which nobody listens and that no outgoing connection will be given.

    None is given twice by this process, and none that another process of the same test run may give: whoever asked
    for it may need seconds until it listens there.
    """
    while True:
        port = random.SystemRandom().choice(_PORTS_LEFT)
        _PORTS_LEFT.remove(port)
        with socket.socket() as tried, contextlib.suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


async def _until_ready(bootstrap: str, timeout_seconds: float) -> None:
    async with asyncio.timeout(timeout_seconds):
        while not await _has_leaders(bootstrap):
            await asyncio.sleep(POLL_SECONDS)


async def _has_leaders(bootstrap: str) -> bool:
    # Here, because every test session loads this module, also one of unit tests only.
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.errors import KafkaError

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await admin.start()
        topics = await admin.list_topics()
        described = await admin.describe_topics(topics) if topics else []
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return all(partition["leader"] >= 0 for topic in described for partition in topic["partitions"])


def _is_required() -> bool:
    return "kafka" in os.environ.get("HUB_TEST_REQUIRE", "").split(",")


def _unavailable(reason: str) -> NoReturn:
    if _is_required():
        pytest.fail(f"HUB_TEST_REQUIRE names kafka, and there is none: {reason}", pytrace=False)
    pytest.skip(f"no Kafka: {reason}")


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBrokerHandle]:
    """The broker of the whole test session; tests take `kafka`."""
    with contextlib.ExitStack() as stack:
        yield _first_that_works(stack)


def _first_that_works(stack: contextlib.ExitStack) -> KafkaBrokerHandle:
    if given := os.environ.get("HUB_TEST_KAFKA"):
        return _given(given)
    broker = OwnBroker(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-kafka-"))), free_port())
    stack.callback(broker.stop)
    try:
        broker.start()
    except UnavailableError as own:
        try:
            return stack.enter_context(docker_broker())
        except UnavailableError as docker:
            _unavailable(f"{own} {docker}")
    return broker


def _given(address: str) -> KafkaBrokerHandle:
    handle = KafkaBrokerHandle(address)
    try:
        handle.wait_until_ready()
    except TimeoutError:
        _unavailable(f"nothing answers at HUB_TEST_KAFKA={address}")
    return handle


@contextlib.contextmanager
def docker_broker() -> Iterator[KafkaBrokerHandle]:
    """A broker of the official image, of the version and with the settings of `deploy/kafka`; it cannot be killed.

    UnavailableError where no Docker engine answers.
    """
    name = f"hub-test-kafka-{uuid.uuid4().hex}"
    port = free_port()
    if not _docker("info").ok:
        raise UnavailableError("No Docker engine answers either.")
    node = Node(1, {CLIENTS: port, CONTROLLER: 9093})
    settings = node_settings(node, [node], Path("/var/lib/kafka/data"))
    settings["listeners"] = f"{CLIENTS}://0.0.0.0:{port},{CONTROLLER}://0.0.0.0:9093"
    environment = [f"--env=KAFKA_{name.replace('.', '_').upper()}={value}" for name, value in settings.items()]
    started = _docker("run", "--detach", "--rm", f"--name={name}", f"--publish=127.0.0.1:{port}:{port}", *environment,
                      f"apache/kafka:{kafka_version()}")  # fmt: skip
    if not started.ok:
        raise UnavailableError(f"Docker could not start the broker: {started.said}")
    try:
        handle = KafkaBrokerHandle(f"127.0.0.1:{port}")
        handle.wait_until_ready(START_SECONDS_MAX)
        yield handle
    finally:
        _docker("rm", "--force", name)


@dataclass(frozen=True)
class _Answer:
    ok: bool
    said: str


def _docker(*arguments: str) -> _Answer:
    try:
        result = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=START_SECONDS_MAX, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return _Answer(False, str(error))
    return _Answer(result.returncode == 0, result.stderr.strip())


@pytest.fixture
def kafka(kafka_broker: KafkaBrokerHandle) -> Iterator[KafkaBrokerHandle]:
    """The broker, ready. Topics and groups of earlier tests are there: use names of your own (`topic_prefix`)."""
    yield kafka_broker
    if isinstance(kafka_broker, OwnBroker):
        kafka_broker.resume()
        kafka_broker.start()


@pytest.fixture
def own_kafka(kafka: KafkaBrokerHandle) -> OwnBroker:
    """The broker where it may be killed, paused and asked for its other listeners; skipped where somebody runs it."""
    if not isinstance(kafka, OwnBroker):
        pytest.skip("HUB_TEST_KAFKA names a broker that is not ours to kill")
    return kafka
