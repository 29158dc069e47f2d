"""Every public exception of the hub, under the branch that says what to do about it.

A message has four parts, in this order: what happened, to what, what is safe now, what to do next.
"""

from __future__ import annotations


class HubError(Exception):
    """Something the hub understands went wrong. `next_step` tells the reader what to do."""

    code = "hub_error"

    def __init__(self, message: str, *, next_step: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class ConfigurationError(HubError):
    """A setting or the installation is wrong: stop, keep the offset, tell the operator."""

    code = "configuration"


class RetryableError(HubError):
    """The same call may succeed later; `after_seconds` is the server's wish, None leaves it to the caller's backoff."""

    code = "retryable"

    def __init__(self, message: str, *, after_seconds: float | None = None, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.after_seconds = after_seconds


class PermanentError(HubError):
    """This message or request can never succeed: dead letter it, or answer it with a refusal."""

    code = "permanent"


class BadInputError(PermanentError):
    """The user's file, mapping or request cannot be used as it is."""

    code = "bad_input"


class NotFoundError(PermanentError):
    """The thing named does not exist, or belongs to another account (the two look the same on purpose)."""

    code = "not_found"


class ConflictError(PermanentError):
    """The state moved on, or another one holds what was asked for."""

    code = "conflict"


class NotAuthenticatedError(PermanentError):
    """The caller gave no valid token: who they are is unknown."""

    code = "not_authenticated"


class NotAllowedError(PermanentError):
    """The caller is known, and their role may not do this."""

    code = "not_allowed"


class RateLimitedError(RetryableError):
    """Too many calls from one caller; `after_seconds` says when the next one will be answered."""

    code = "rate_limited"
