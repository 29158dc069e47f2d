"""What a consumer group gave up, kept with its body as it came and the reason beside it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.messages.topics import dead_letter_topic
from shared.runtime.records import Record, Stored

RETENTION_HOURS = 30 * 24
"""Long enough for an operator to come back from holidays."""

_PREFIX = "dlq-"


@dataclass(frozen=True)
class DeadLetter:
    """One message that was set aside, and why. `headers` and `body` are those of the original."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    body: bytes
    group: str
    error_class: str
    reason_code: str
    reason: str
    attempts: int
    at: float
    """Seconds since the epoch."""

    @property
    def session(self) -> str:
        """Session id, "" where the message carried none."""
        return self.headers.get("subject", "")

    def record(self) -> Record:
        """The record of its dead-letter topic: the original body, the facts as headers, readable without decoding."""
        facts = {
            "topic": self.topic,
            "partition": str(self.partition),
            "offset": str(self.offset),
            "group": self.group,
            "error-class": self.error_class,
            "reason-code": self.reason_code,
            "reason": self.reason,
            "attempts": str(self.attempts),
            "time": repr(self.at),
        }
        headers = self.headers | {_PREFIX + name: value for name, value in facts.items()}
        return Record(dead_letter_topic(self.topic, self.group), 0, self.key, headers, self.body)

    def original(self, partition_count: int) -> Record:
        """The original message, to be published again."""
        return Record(self.topic, self.partition % partition_count, self.key, self.headers, self.body)


def dead_letter_of(stored: Stored) -> DeadLetter:
    """The dead letter that a record of a dead-letter topic holds."""
    facts = {name.removeprefix(_PREFIX): value for name, value in stored.headers.items() if name.startswith(_PREFIX)}
    return DeadLetter(
        topic=facts["topic"],
        partition=int(facts["partition"]),
        offset=int(facts["offset"]),
        key=stored.key,
        headers={name: value for name, value in stored.headers.items() if not name.startswith(_PREFIX)},
        body=stored.body,
        group=facts["group"],
        error_class=facts["error-class"],
        reason_code=facts["reason-code"],
        reason=facts["reason"],
        attempts=int(facts["attempts"]),
        at=float(facts["time"]),
    )


@dataclass(frozen=True)
class DeadLetterFilter:
    """Which dead letters are meant; None is any."""

    topic: str | None = None
    group: str | None = None
    session: str | None = None
    reason_code: str | None = None
    since: float | None = None
    """Seconds since the epoch."""
    count_max: int = 1_000

    def matches(self, letter: DeadLetter) -> bool:
        """Whether this one is meant."""
        return (
            self.topic in (None, letter.topic)
            and self.group in (None, letter.group)
            and self.session in (None, letter.session)
            and self.reason_code in (None, letter.reason_code)
            and (self.since is None or letter.at >= self.since)
        )
