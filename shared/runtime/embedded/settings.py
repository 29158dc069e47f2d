"""Settings of the embedded runtime."""

from __future__ import annotations

from dataclasses import dataclass

from shared.storage.sqlite import Synchronous


@dataclass(frozen=True)
class EmbeddedSettings:
    """All bounds of the embedded log."""

    synchronous: Synchronous = "FULL"
    """FULL keeps what was acknowledged through a power cut too and costs about 10 % under load; NORMAL only a crash."""
    partition_count: int = 12
    """Partitions of each topic; fixed when the log is made."""
    backlog_bytes_max: int = 256 * 1024 * 1024
    """`publish` waits while a group of the topic is this far behind."""
    publish_wait_seconds_max: float = 60.0
    """So long; then it fails with a RetryableError."""
    poll_seconds: float = 0.05
    """How often to look for messages of other processes. Those of this process are announced at once."""
    retention_interval_seconds: float = 600.0
    """How often old messages are deleted."""
    commit_attempts_max: int = 6
    """How often a commit is tried before the consumer stops: with the waits of RetryPolicy some six seconds."""
