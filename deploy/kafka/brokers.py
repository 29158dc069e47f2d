"""Starts one to three Apache Kafka brokers on loopback, in the foreground, and ends them with itself.

The first line on standard output is the bootstrap address; it comes when every broker answers. Everything a client may
want to know besides stands in cluster.json in the directory: ports by listener, process ids, the password. Started
again on the same directory, the brokers have the same ports and the same data.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from artifacts import UnavailableError, java, resolved_jars
from properties import CLIENTS, CONTROLLER, HOST, PROXIED, SECURE, Login, Node, server_properties

UNAVAILABLE_EXIT_CODE = 3
"""Java, Maven or the jars are missing; what the tests take for a reason to skip."""

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 15
POLL_SECONDS = 0.05

# Below the ports that systems give to outgoing connections: there, a client that tries again and again to reach a dead
# broker could be given the broker's own port, be connected to itself, and keep the broker from coming back.
PORTS = range(20_000, 30_000)

HEAP = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
USER = "hub"
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""A request that every broker answers: its length, api key, api version, correlation id, no client id."""


@dataclass(frozen=True)
class Cluster:
    """What stays the same each time brokers are started on a directory."""

    id: str
    nodes: list[Node]
    password: str | None

    @property
    def bootstrap(self) -> str:
        return ",".join(node.address(CLIENTS) for node in self.nodes)


def main(arguments: list[str] | None = None) -> int:
    """Runs until Ctrl-C, SIGTERM or the death of a broker; returns the exit code."""
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        libraries = resolved_jars()
        run = Run(java(), libraries, chosen.dir.absolute())
        cluster = known_cluster(run.folder, chosen.nodes) or new_cluster(chosen)
        return run.until_stopped(cluster, watch_input=chosen.until_input_closes)
    except UnavailableError as error:
        print(error, file=sys.stderr)
        return UNAVAILABLE_EXIT_CODE
    except KeyboardInterrupt:
        return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="deploy/kafka/run", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodes", type=int, default=1, choices=(1, 2, 3), help="brokers, each a controller too")
    parser.add_argument("--dir", type=Path, default=Path("hub-data/kafka"), help="where data and settings are kept")
    parser.add_argument("--port", type=int, default=9092, help="of the first broker, the others follow; 0: free ones")
    parser.add_argument("--proxied", type=int, metavar="PORT", help="one more listener, told to clients as this port")
    parser.add_argument("--secure", action="store_true", help="listeners with passwords and certificates as well")
    parser.add_argument("--until-input-closes", action="store_true", help="end when standard input does (for programs)")
    return parser


# ---- what stays ---------------------------------------------------------------------------------------------------


def known_cluster(folder: Path, node_count: int) -> Cluster | None:
    """The cluster that an earlier start made in this folder. SystemExit where it is of another size."""
    path = folder / "cluster.json"
    if not path.exists():
        return None
    known = json.loads(path.read_text())
    if len(known["nodes"]) != node_count:
        raise SystemExit(f"{path} is of {len(known['nodes'])} node(s). Take --nodes of that number, or another --dir.")
    return Cluster(known["id"], [Node(**node) for node in known["nodes"]], known["password"])


def new_cluster(chosen: argparse.Namespace) -> Cluster:
    """A cluster as the command line asks for it; ports that were not asked for are free ones."""
    names = [CLIENTS, CONTROLLER, *([PROXIED] if chosen.proxied else []), *(SECURE if chosen.secure else [])]
    taken: set[int] = set()
    nodes = []
    for index in range(chosen.nodes):
        ports = {name: free_port(taken) for name in names}
        if chosen.port:
            ports[CLIENTS] = chosen.port + index
        nodes.append(Node(index + 1, ports, chosen.proxied + index if chosen.proxied else None))
    cluster_id = base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).rstrip(b"=").decode()  # no "-" in front
    return Cluster(cluster_id, nodes, secrets.token_hex(16) if chosen.secure else None)


def free_port(taken: set[int]) -> int:
    """A port nobody listens at; added to those taken."""
    while True:
        port = random.choice(PORTS)
        if port not in taken and _can_listen(port):
            taken.add(port)
            return port


def _can_listen(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


# ---- processes ----------------------------------------------------------------------------------------------------


class Run:
    """The brokers of one directory, from their start to their end."""

    def __init__(self, java: str, libraries: Path, folder: Path) -> None:
        self.folder = folder
        # Classes as the JVM has loaded them once, beside the jars: a start costs half the time and processor. One of
        # another Java is ignored by the JVM.
        self._classes = libraries.with_name(f"{libraries.name}.jsa")
        self._new_classes = self._classes.with_name(f"{self._classes.name}.{os.getpid()}.partial")
        self._java = [java, *HEAP, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{libraries}/*"]
        if self._classes.exists():
            self._java.append(f"-XX:SharedArchiveFile={self._classes}")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def until_stopped(self, cluster: Cluster, *, watch_input: bool) -> int:
        """Formats what is new, starts, says the address, waits; whatever happens, no broker is left running."""
        login = self._login(cluster)
        try:
            for node in cluster.nodes:
                self._format(cluster, node, login)
            for node in cluster.nodes:
                self._start(node)
            self._wait_until_they_answer(cluster)
            self._write(cluster)
            print(cluster.bootstrap, flush=True)
            return self._wait_for_the_end(watch_input)
        finally:
            self._stop()

    def _home(self, node: Node) -> Path:
        return self.folder / f"node-{node.id}"

    def _login(self, cluster: Cluster) -> Login | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if cluster.password is None:
            return None
        login = Login(USER, cluster.password, self.folder / "keys.pem", self.folder / "certificate.pem")
        if not login.certificate.exists():
            make_certificate(login)
        return login

    def _format(self, cluster: Cluster, node: Node, login: Login | None) -> None:
        home = self._home(node)
        home.mkdir(exist_ok=True)
        settings = home / "server.properties"
        _write_privately(settings, server_properties(node, cluster.nodes, home / "data", login))
        if (home / "data" / "meta.properties").exists():
            return
        scram = ["--add-scram", f"SCRAM-SHA-256=[name={login.user},password={login.password}]"] if login else []
        subprocess.run(
            [*self._java, "kafka.tools.StorageTool", "format", "-t", cluster.id, "-c", str(settings), *scram],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def _start(self, node: Node) -> None:
        home = self._home(node)
        saving = [f"-XX:ArchiveClassesAtExit={self._new_classes}"] if self._saves_classes(node) else []
        with (home / "broker.log").open("ab") as log:
            # In a session of its own, so that Ctrl-C reaches this process alone, which ends the brokers in order.
            self._processes[node.id] = subprocess.Popen(
                [*self._java, *saving, "kafka.Kafka", str(home / "server.properties")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _saves_classes(self, node: Node) -> bool:
        return node.id == 1 and not self._classes.exists()

    def _wait_until_they_answer(self, cluster: Cluster) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        for node in cluster.nodes:
            while not answers(node.ports[CLIENTS]):
                if self._processes[node.id].poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"Broker {node.id} did not start:\n{self._last_words(node)}")
                time.sleep(POLL_SECONDS)

    def _last_words(self, node: Node) -> str:
        return (self._home(node) / "broker.log").read_text(errors="replace")[-4000:]

    def _write(self, cluster: Cluster) -> None:
        pids = {str(node_id): process.pid for node_id, process in self._processes.items()}
        text = json.dumps({**asdict(cluster), "bootstrap": cluster.bootstrap, "pids": pids}, indent=2)
        _write_privately(self.folder / "cluster.json", text)

    def _wait_for_the_end(self, watch_input: bool) -> int:
        watched = [sys.stdin] if watch_input else []
        while True:
            ready, _, _ = select.select(watched, [], [], POLL_SECONDS)
            if ready and not os.read(sys.stdin.fileno(), 1024):
                return 0
            for node_id, process in self._processes.items():
                if (code := process.poll()) is not None:
                    print(f"Broker {node_id} ended with {code}.", file=sys.stderr)
                    return 1

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._new_classes.exists():
            self._new_classes.replace(self._classes)


def answers(port: int, seconds: float = 1.0) -> bool:
    """Whether a broker at this port answers a request."""
    try:
        with socket.create_connection((HOST, port), seconds) as connection:
            connection.sendall(API_VERSIONS)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def make_certificate(login: Login) -> None:
    """A new key and its certificate for loopback, as PEM files. UnavailableError where there is no openssl."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={USER}",
               "-addext", f"subjectAltName=IP:{HOST},DNS:localhost",
               "-keyout", str(login.keys), "-out", str(login.certificate)]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError as error:
        raise UnavailableError("There is no openssl on the PATH; --secure makes a certificate with it.") from error
    _write_privately(login.keys, login.keys.read_text() + login.certificate.read_text())


def _write_privately(path: Path, text: str) -> None:
    """Replaces the file at once; nobody else may read it, since it may hold a password or a key."""
    partial = path.with_name(f"{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
