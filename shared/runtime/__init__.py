"""How services run: declarations, the durable log, retry and dead letters, worker processes, fail points.

Names are loaded when they are first used, so that a worker process imports only what its function needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.runtime.dead_letters import DeadLetter, DeadLetterFilter
    from shared.runtime.embedded import EmbeddedRuntime, EmbeddedSettings
    from shared.runtime.fail_points import FAIL_POINTS, fail_point
    from shared.runtime.service import (
        Fault,
        GivenUp,
        GiveUp,
        Handler,
        Lag,
        RetryPolicy,
        Route,
        Runtime,
        Service,
    )
    from shared.runtime.worker_process import report
    from shared.runtime.workers import WorkerPool

__all__ = [
    "FAIL_POINTS",
    "DeadLetter",
    "DeadLetterFilter",
    "EmbeddedRuntime",
    "EmbeddedSettings",
    "Fault",
    "GiveUp",
    "GivenUp",
    "Handler",
    "Lag",
    "RetryPolicy",
    "Route",
    "Runtime",
    "Service",
    "WorkerPool",
    "fail_point",
    "report",
]

_MODULES = {
    "FAIL_POINTS": "fail_points",
    "fail_point": "fail_points",
    "DeadLetter": "dead_letters",
    "DeadLetterFilter": "dead_letters",
    "EmbeddedRuntime": "embedded",
    "EmbeddedSettings": "embedded",
    "WorkerPool": "workers",
    "report": "worker_process",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'service')}"), name)
