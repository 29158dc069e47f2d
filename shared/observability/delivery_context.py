"""What every log line says while a message is handled: which message it is, and of which session, run and batch."""

from __future__ import annotations

from contextlib import AbstractContextManager

import structlog

from shared.runtime.records import Stored

_FACTS_OF_HEADERS = {"session_id": "subject", "run": "run", "batch_id": "batch"}


def delivery_facts(service: str, group: str, stored: Stored) -> dict[str, str | int]:
    """The facts of a delivery: ids and numbers only. What the message's headers do not name is left out."""
    named = {fact: stored.headers[name] for fact, name in _FACTS_OF_HEADERS.items() if name in stored.headers}
    return {
        "service": service,
        "topic": stored.topic,
        "group": group,
        "partition": stored.partition,
        "offset": stored.offset,
        **named,
    }


def delivery_context(service: str, group: str, stored: Stored) -> AbstractContextManager[None]:
    """Binds the facts to every line of this task until it is left; handlers, stores and clients need not know them."""
    return structlog.contextvars.bound_contextvars(**delivery_facts(service, group, stored))
