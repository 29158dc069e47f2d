"""What the brokers are told: listeners and settings of each node, as the text of its server.properties."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"

SETTINGS = {
    "auto.create.topics.enable": "false",
    # A message of the hub is up to 1 MiB; its headers and the frame of a batch come on top of that, which Kafka's own
    # bound of 1 MiB and 12 bytes would refuse.
    "message.max.bytes": str(2 * 1024 * 1024),
    "replica.fetch.max.bytes": str(2 * 1024 * 1024),
    # A broker that was killed is back as soon as its old session has run out, which is 9 s by default.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "initial.broker.registration.timeout.ms": "30000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.backoff.max.ms": "500",
    # Joining a group takes no extra 3 s, and tests may use short sessions.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # Retention and compaction are looked after often, so that a test can see them at work; segments are small.
    "log.retention.check.interval.ms": "500",
    "log.initial.task.delay.ms": "500",
    "log.segment.delete.delay.ms": "500",
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    "log.segment.bytes": str(64 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    # Two cores are enough for one.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
}

CONTROLLER = "CONTROLLER"
CLIENTS = "CLIENTS"
PROXIED = "PROXIED"
SASL = "SASL"
SASL_TLS = "SASL_TLS"
TLS = "TLS"
MUTUAL_TLS = "MUTUAL_TLS"

PROTOCOLS = {
    CONTROLLER: "PLAINTEXT",
    CLIENTS: "PLAINTEXT",
    PROXIED: "PLAINTEXT",
    SASL: "SASL_PLAINTEXT",
    SASL_TLS: "SASL_SSL",
    TLS: "SSL",
    MUTUAL_TLS: "SSL",
}
"""Every listener a broker can have, and the protocol it speaks."""

SECURE = (SASL, SASL_TLS, TLS, MUTUAL_TLS)


@dataclass(frozen=True)
class Node:
    """One broker, which is a controller too: its ports by listener, and where a proxy is said to stand before one."""

    id: int
    ports: dict[str, int]
    proxy_port: int | None = None

    def address(self, listener: str) -> str:
        """'127.0.0.1:20001'"""
        return f"{HOST}:{self.ports[listener]}"


@dataclass(frozen=True)
class Login:
    """User of the listeners with a password (PLAIN and SCRAM-SHA-256), and the PEM files of those with certificates."""

    user: str
    password: str = field(repr=False)
    keys: Path
    """PEM file: private key and certificate of the broker, and of a client of MUTUAL_TLS."""
    certificate: Path


def server_properties(node: Node, nodes: list[Node], data: Path, login: Login | None = None) -> str:
    """The text of one node's server.properties."""
    return "".join(f"{name}={value}\n" for name, value in node_settings(node, nodes, data, login).items())


def node_settings(node: Node, nodes: list[Node], data: Path, login: Login | None = None) -> dict[str, str]:
    """Settings of one node by name."""
    listeners = [name for name in node.ports if name != CONTROLLER]
    copies = str(len(nodes))
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(f"{other.id}@{other.address(CONTROLLER)}" for other in nodes),
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": CLIENTS,
        "listeners": ",".join(f"{name}://{node.address(name)}" for name in node.ports),
        "advertised.listeners": ",".join(f"{name}://{_advertised(node, name)}" for name in listeners),
        "listener.security.protocol.map": ",".join(f"{name}:{PROTOCOLS[name]}" for name in node.ports),
        "log.dirs": str(data),
        "default.replication.factor": copies,
        "min.insync.replicas": str(len(nodes) // 2 + 1),
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": str(len(nodes) // 2 + 1),
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": str(len(nodes) // 2 + 1),
        **SETTINGS,
        **(_login_properties(login) if login else {}),
    }


def _advertised(node: Node, listener: str) -> str:
    if listener == PROXIED:
        return f"{HOST}:{node.proxy_port}"
    return node.address(listener)


def _login_properties(login: Login) -> dict[str, str]:
    credentials = f'username="{login.user}" password="{login.password}"'
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    found = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(login.keys),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(login.certificate),
        f"listener.name.{MUTUAL_TLS.lower()}.ssl.client.auth": "required",
    }
    for listener in (SASL, SASL_TLS):
        name = f"listener.name.{listener.lower()}"
        found[f"{name}.sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256"
        found[f"{name}.plain.sasl.jaas.config"] = f'{plain} {credentials} user_{login.user}="{login.password}";'
        found[f"{name}.scram-sha-256.sasl.jaas.config"] = scram
    return found
