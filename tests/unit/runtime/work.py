"""Functions that the tests call in worker processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shared.errors import BadInputError, RetryableError
from shared.runtime.worker_process import report

started: list[str] = []


def pid() -> int:
    """Process id."""
    return os.getpid()


def double(body: bytes) -> bytes:
    """The body twice."""
    return body + body


def count_to(number: int) -> str:
    """Report each number on the way."""
    for n in range(1, number + 1):
        report(n)
    return "counted"


def refuse() -> None:
    """Raise a HubError with all its facts."""
    raise BadInputError("Row 3 is torn.", next_step="Mend it.", code="torn_row")


class TornRowError(BadInputError):
    """An error that pickle cannot build again."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__(f"Row {row}, column {column} is torn.")


def tear() -> None:
    """Raise a HubError that pickle cannot build again."""
    raise TornRowError(3, 4)


def rate_limited() -> None:
    """Raise a RetryableError with a time."""
    raise RetryableError("Slow down.", after_seconds=12.5)


def miss_file() -> None:
    """Raise an OSError."""
    Path("/nowhere/at/all").read_bytes()


def divide_by_zero() -> float:
    """Raise what the hub does not know."""
    return 1 / 0


def lambda_() -> Callable[[], None]:
    """Return what cannot be pickled."""
    return lambda: None


def die() -> None:
    """End the process in the middle of a call."""
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt_self() -> str:
    """Send oneself what Ctrl-C sends."""
    os.kill(os.getpid(), signal.SIGINT)
    return "still here"


def work_for_ever(path: str) -> None:
    """Say that the work began, then never end."""
    Path(path).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def wait_for(path: str) -> int:
    """Wait until the file exists; returns the process id."""
    while not Path(path).exists():
        threading.Event().wait(0.002)
    return os.getpid()


def loaded_modules() -> list[str]:
    """Names of the loaded modules."""
    return sorted(sys.modules)


def prepare() -> None:
    """An initializer."""
    started.append("prepared")


def was_prepared() -> list[str]:
    """What the initializer left."""
    return started
