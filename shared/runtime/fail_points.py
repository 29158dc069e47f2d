"""Named places at which a test kills the process, to prove that a crash there loses nothing.

`HUB_FAIL_POINT="loader.staged_not_sent@3"` kills at the third hit; the line written to the file `HUB_FAIL_POINT_LOG`
before (and synced) proves that the place was really reached.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

from shared.errors import ConfigurationError

FAIL_POINTS: frozenset[str] = frozenset(
    {
        "ingest.landing_half_done",
        "ingest.batch_released_not_committed",
        "ingest.run_ended_not_sent",
        "ingest.run_closed_not_freed",
        "mapper.mapped_not_committed",
        "loader.staged_not_sent",
        "loader.seal_written_not_answered",
        "loader.decision_stored_records_not_written",
        "loader.records_written_not_sent",
        "loader.finalizing_half_done",
    }
)
"""All names there are."""

WHICH_VARIABLE = "HUB_FAIL_POINT"
LOG_VARIABLE = "HUB_FAIL_POINT_LOG"

_hits: Counter[str] = Counter()


def fail_point(name: str) -> None:
    """Kill this process (SIGKILL) if `name` is configured and this is the hit asked for; otherwise do nothing.

    ValueError for an unknown name, ConfigurationError for a setting that names none.
    """
    require_known(name)
    setting = os.environ.get(WHICH_VARIABLE)
    if not setting:
        return
    wanted, nth = _parsed(setting)
    if name != wanted:
        return
    _hits[name] += 1
    if _hits[name] == nth:
        _log(f"{name}@{nth} pid={os.getpid()}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def require_known(name: str) -> None:
    """ValueError unless `name` is in the registry."""
    if name not in FAIL_POINTS:
        raise ValueError(f"There is no fail point {name!r}; known are {', '.join(sorted(FAIL_POINTS))}.")


def check_setting() -> None:
    """ConfigurationError if the environment asks for a fail point that does not exist."""
    if setting := os.environ.get(WHICH_VARIABLE):
        _parsed(setting)


def _parsed(setting: str) -> tuple[str, int]:
    name, _, nth = setting.partition("@")
    if name not in FAIL_POINTS or not (nth or "1").isdecimal() or int(nth or "1") < 1:
        raise ConfigurationError(
            f"{WHICH_VARIABLE}={setting!r} names no fail point.",
            next_step=f"Write name@nth with one of: {', '.join(sorted(FAIL_POINTS))}; or unset it.",
        )
    return name, int(nth or "1")


def _log(line: str) -> None:
    if path := os.environ.get(LOG_VARIABLE):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
        os.close(descriptor)
