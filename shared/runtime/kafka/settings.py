"""Settings of the Kafka runtime, and what they become for the client libraries."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.errors import ConfigurationError
from shared.runtime.records import BODY_BYTES_MAX

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_SASL = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


@dataclass(frozen=True)
class KafkaSecurity:
    """How the brokers are reached and who we are. The password is never shown or logged."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    """PEM file of the authority that signed the brokers' certificates; the system's own where not given."""
    cert_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate and its key, where the brokers ask for one (mutual TLS)."""

    def for_client(self) -> BaseSecurity:
        """As FastStream takes it. ConfigurationError where a file cannot be used or the user is missing."""
        context = self._tls() if self.protocol in ("SSL", "SASL_SSL") else None
        uses_tls = context is not None
        if not self.protocol.startswith("SASL"):
            return BaseSecurity(ssl_context=context, use_ssl=uses_tls)
        if not (self.username and self.password):
            raise ConfigurationError(
                f"Kafka is to be reached with {self.protocol}, and no user name or password is given.",
                next_step="Set HUB_KAFKA_USERNAME and HUB_KAFKA_PASSWORD_FILE (or HUB_KAFKA_PASSWORD).",
            )
        return _SASL[self.mechanism](self.username, self.password, ssl_context=context, use_ssl=uses_tls)

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"The certificates for Kafka cannot be used: {error}.",
                next_step="Check HUB_KAFKA_CA_FILE, HUB_KAFKA_CERT_FILE and HUB_KAFKA_KEY_FILE: readable PEM files.",
            ) from error
        return context


@dataclass(frozen=True)
class KafkaSettings:
    """All bounds of the Kafka runtime. Times are those measured in the client libraries' own units."""

    bootstrap_servers: tuple[str, ...]
    """host:port of one or more brokers; the others are found through them."""
    partition_count: int = 12
    """Partitions of each topic: at most so many members of a group have work."""
    replication_factor: int = -1
    """Of topics made by `create_topics`; -1 is the brokers' default."""
    topic_prefix: str = ""
    """Before the names of topics and groups, where several hubs share a cluster."""
    client_id: str = "hub"
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    start_wait_seconds_max: float = 60.0
    """How long `start` waits for a broker that is away."""
    create_missing_topics: bool = False
    """Let `start` create topics that are missing, instead of refusing. For tests and small installations."""
    session_timeout_ms: int = 30_000
    """A member that is not heard of for so long loses its partitions to others."""
    max_poll_interval_ms: int = 600_000
    """A member whose turn takes longer than this loses its partitions; longer than any one handler may take."""
    batch_timeout_ms: int = 50
    """Wait of an empty poll, and once more before the next one: an idle member looks 10 times a second."""
    fetch_wait_ms: int = 500
    """How long a broker keeps a request for messages while there are none; it answers at once when there are.

    Most members of a cluster are idle most of the time: asking ten times a second instead costs broker and members
    a quarter of all processor time of an import (`benchmarks.trio --bus kafka`), and a third of a core at rest.
    """
    request_timeout_ms: int = 30_000
    backlog_bytes_max: int = 64 * 1024 * 1024
    """`publish` waits while a group that runs in this process is so far behind what this process has published."""
    publish_wait_seconds_max: float = 60.0
    """So long; and so long are outputs tried again while the broker is away, before the turn is taken back."""
    revoke_wait_seconds_max: float = 20.0
    """How long a rebalance waits for the turn in hand, so that its work is committed and not done again elsewhere."""

    def for_connection(self) -> dict[str, Any]:
        """Arguments that every client of the cluster takes."""
        return {
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": self.client_id,
            "request_timeout_ms": self.request_timeout_ms,
            **parse_security(self.security.for_client()),
        }

    def for_consumer(self) -> dict[str, Any]:
        """Arguments of a consumer in a group (FastStream's subscriber)."""
        return {
            "auto_offset_reset": "earliest",  # the default would skip what waits for a new group
            "batch_timeout_ms": self.batch_timeout_ms,
            "session_timeout_ms": self.session_timeout_ms,
            "heartbeat_interval_ms": max(100, self.session_timeout_ms // 6),
            "rebalance_timeout_ms": max(self.session_timeout_ms, int(self.revoke_wait_seconds_max * 1_000) + 10_000),
            "max_poll_interval_ms": self.max_poll_interval_ms,
            "max_partition_fetch_bytes": FETCH_BYTES_MAX,
            "fetch_max_wait_ms": self.fetch_wait_ms,
        }


FETCH_BYTES_MAX = 8 * BODY_BYTES_MAX
"""From one partition at once: several of the largest messages there are."""

REQUEST_BYTES_MAX = 4 * BODY_BYTES_MAX
"""Of one produce request: a message of BODY_BYTES_MAX with its headers, or several smaller ones."""
