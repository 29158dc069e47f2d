"""Set-up of structlog: lines for people on a terminal, JSON elsewhere, always on standard error."""

from __future__ import annotations

import io
import logging
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, cast

import structlog

# Facts under these names could carry a customer's value or a secret, whatever the caller thinks.
REDACTED_KEYS = frozenset(
    {"authorization", "body", "cell", "cells", "content", "email", "password", "phone", "row", "secret", "text"}
    | {"token", "value", "values"}
)
REDACTED = "[redacted]"


REPEAT_SECONDS = 10.0
"""A library's line comes once in so long: while a broker is away its client would write five hundred each second."""


def configure_logging(*, json_lines: bool, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all log lines of this process to `stream` (standard error), from `level` (debug, info, warning, error) on.

    Lines are written in one piece each. Libraries that use the standard logging module come out in the same form.
    """
    target = stream or cast("TextIO", _StandardError())
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        _keep_values_out_of_tracebacks(show_messages=number <= logging.DEBUG),
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=shared))
    if number > logging.DEBUG:
        handler.addFilter(OncePerInterval())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell at info what the hub tells itself in better words.
    root.setLevel(max(number, logging.WARNING))


class OncePerInterval(logging.Filter):
    """Lets a line of the same logger, level and wording pass once in REPEAT_SECONDS, and says how many did not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        wording = (record.name, record.levelno, str(record.msg))
        now = self._clock()
        at, left_out = self._said.get(wording, (-REPEAT_SECONDS, 0))
        if now - at < REPEAT_SECONDS:
            self._said[wording] = (at, left_out + 1)
            return False
        if len(self._said) >= _WORDINGS_MAX:  # a library that puts its facts into the wording itself
            self._said.clear()
        self._said[wording] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} such lines before)", ()
        return True


_WORDINGS_MAX = 1_000


class _StandardError(io.TextIOBase):
    """Standard error as it is when a line is written: whoever embeds the hub may have replaced the old one."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def redact(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: blank out facts whose name says that they hold a value or a secret."""
    for key in line.keys() & REDACTED_KEYS:
        line[key] = REDACTED
    return line


def error_places(error: BaseException, *, show_message: bool = False) -> str:
    """Where an exception came from, one line per frame, without its message: that may quote a customer's value."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    head = f"{type(error).__name__}: {error}" if show_message else type(error).__name__
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [f"caused by {error_places(cause, show_message=show_message)}"] if cause is not None else []
    return "\n".join([head, *frames, *before])


def _keep_values_out_of_tracebacks(*, show_messages: bool) -> structlog.typing.Processor:
    def process(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        given = line.pop("exc_info", None)
        error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
        if isinstance(error, BaseException):
            line["error"] = error_places(error, show_message=show_messages)
        return line

    return process
