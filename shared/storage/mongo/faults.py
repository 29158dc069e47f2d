"""What an error of the MongoDB driver means to the hub: try again, tell the operator, or a fault of the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
    WTimeoutError,
)
from pymongo.errors import ConfigurationError as DriverConfigurationError

from shared.errors import ConfigurationError, HubError, PermanentError, RetryableError

DUPLICATE_KEY = 11000

_PASSING = (
    AutoReconnect,
    ConnectionFailure,
    NetworkTimeout,
    ServerSelectionTimeoutError,
    ExecutionTimeout,
    WTimeoutError,
    WriteConcernError,
)
# Codes of MongoDB's error list that say: not now. A host away, a lock or cursor lost, interrupted or timed out, not the
# primary, shutting down, disk full, not confirmed by a majority in time.
_PASSING_CODES = frozenset(
    {6, 7, 24, 43, 50, 64, 79, 89, 91, 100, 112, 189, 262, 9001} | {10107, 11600, 11601, 11602, 13435, 13436, 14031}
)
_REFUSED_CODES = frozenset({13, 18, 8000})


@contextmanager
def driver_faults(place: str) -> Iterator[None]:
    """Errors of the driver as errors of the hub. What the hub has no word for passes as it is."""
    try:
        yield
    except (PyMongoError, DocumentTooLarge) as error:
        meant = _meant(error, place)
        if meant is None:
            raise
        raise meant from error


def _meant(error: PyMongoError | DocumentTooLarge, place: str) -> HubError | None:
    if isinstance(error, DocumentTooLarge):
        return PermanentError(
            f"Something has more bytes than MongoDB keeps in one document (16 MiB): {error}. It was not stored.",
            next_step="Split the file into several with less text in a row.",
        )
    if isinstance(error, DriverConfigurationError):
        return ConfigurationError(
            f"The MongoDB server at {place} cannot be used by this version of the hub: {error}.",
            next_step="Check the version of the server and the options in its address.",
        )
    if _is_passing(error):
        return RetryableError(
            f"The MongoDB server at {place} could not be used: {_short(error)}. What was being stored may be stored.",
            next_step="Check that it runs and has a primary; the hub tries again.",
        )
    if isinstance(error, OperationFailure) and error.code in _REFUSED_CODES:
        return ConfigurationError(
            f"The MongoDB server at {place} refuses the hub: {error.code} {_name(error)}.",
            next_step="Check user, password and authSource in its address; the user needs the role readWrite.",
        )
    return None


def _is_passing(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        found = [*error.details.get("writeConcernErrors", ()), *error.details.get("writeErrors", ())]
        return bool(found) and all(_is_passing_code(one) or one.get("code") == DUPLICATE_KEY for one in found)
    if isinstance(error, _PASSING):
        return True
    return isinstance(error, OperationFailure) and (
        error.code in _PASSING_CODES or error.has_error_label("RetryableWriteError")
    )


def _is_passing_code(detail: Mapping[str, Any]) -> bool:
    return detail.get("code") in _PASSING_CODES


def _short(error: PyMongoError) -> str:
    """The driver's first sentence; what follows is a dump of its view of the servers."""
    return str(error).split(", Timeout:")[0].split(" (configured timeouts")[0].rstrip(".")


def _name(error: OperationFailure) -> str:
    return str((error.details or {}).get("codeName", "")) or "not authorised"
