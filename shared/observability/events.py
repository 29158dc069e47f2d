"""The registry of log events: each fixed name with its level and meaning, and the one function that emits them.

A log line and the counter beside it come from the same call, so they cannot disagree. Facts are ids, codes, counts and
times; never a customer's value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from shared.observability.logs import error_places


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of log line. `level`: debug, info, warning or error."""

    name: str
    level: str
    meaning: str


Listener = Callable[[Event, Mapping[str, Any]], None]
"""Called with every emitted event and its facts; counts it, must not raise."""

_LEVELS = frozenset({"debug", "info", "warning", "error"})
_registry: dict[str, Event] = {}
_listeners: list[Listener] = []


def register(name: str, level: str, meaning: str) -> Event:
    """Declare an event, once, at module level of the package that emits it. ValueError for a name that is taken."""
    if name in _registry or level not in _LEVELS or not name.isidentifier() or name != name.lower():
        raise ValueError(f"Event {name!r} at level {level!r} is taken or misspelt")
    event = Event(name, level, meaning)
    _registry[name] = event
    return event


def registered() -> dict[str, Event]:
    """All events known so far, by name."""
    return dict(_registry)


def listen(listener: Listener) -> Callable[[], None]:
    """Have the listener called for every event from now on; the answer stops that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def emit(event: Event, *, exc_info: BaseException | None = None, **facts: Any) -> None:
    """Log the event with its facts and tell the listeners.

    `exc_info`: logged as its type and places; its message may quote a customer's value and is shown at debug only.
    """
    if exc_info is not None:
        # Without our set-up, structlog would render messages and local variables.
        facts |= {"exc_info": exc_info} if structlog.is_configured() else {"error": error_places(exc_info)}
    getattr(structlog.get_logger(), event.level)(event.name, **facts)
    for listener in _listeners:
        listener(event, facts)


REQUEST_REFUSED = register("request_refused", "info", "An HTTP call was answered with a 4xx problem.")
REQUEST_FAILED = register("request_failed", "error", "An HTTP call failed on a fault of the hub; see its reference.")
REQUEST_DEFERRED = register("request_deferred", "warning", "An HTTP call was answered with 429 or 503: try later.")
UPKEEP_FAILED = register(
    "upkeep_failed", "error", "A round of upkeep failed on a fault of the hub; the next tries again."
)
LANDING_FAILED = register("landing_failed", "error", "A file could not be read because of a fault of the hub.")
ACCESS_REFUSED = register("access_refused", "warning", "A caller without valid token, or whose role may not do this.")
ACCOUNT_CREATED = register("account_created", "info", "An account was made at first start.")
TOKEN_CREATED = register("token_created", "info", "An API token was made.")
TOKEN_REVOKED = register("token_revoked", "info", "An API token was revoked.")
MESSAGE_HANDLED = register("message_handled", "debug", "A message was handled and its outputs are ready to be sent.")
BATCH_HANDLED = register("batch_handled", "info", "The same for a message that carries or names a batch of records.")
FILE_LANDED = register("file_landed", "info", "A file was read from beginning to end and stored.")
FILE_REJECTED = register("file_rejected", "warning", "A file could not be landed; its session says why.")
RECORDS_STAGED = register("records_staged", "debug", "A batch was validated and staged; facts per entity type.")
RECORDS_DECIDED = register("records_decided", "debug", "What becomes of a batch's records of one type was stored.")
RUN_ENDED = register("run_ended", "info", "A run came to its end state; what it did is in its report.")
MAPPING_REMEMBERED = register("mapping_remembered", "info", "An approved mapping was kept for files of the same shape.")
MAPPING_NOT_REMEMBERED = register(
    "mapping_not_remembered", "warning", "An approved mapping could not be kept for later; the approval stands."
)
MAPPING_FORGOTTEN = register("mapping_forgotten", "info", "Remembered mappings were forgotten on demand.")
MAPPING_SHARED = register("mapping_shared", "info", "A remembered mapping is shared with other accounts, or no longer.")
LANGUAGE_MODEL_ASKED = register(
    "language_model_asked", "info", "A language model was asked about columns; `outcome` says what became of it."
)
