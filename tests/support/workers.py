"""A stand-in for the worker processes: the same functions, called in this process."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class InProcessWorkers:
    """Calls 'module:function' at once. `fails` are raised first, one a call."""

    def __init__(self) -> None:
        self.fails: list[Exception] = []
        self.calls: list[str] = []

    async def call(self, function: str, *arguments: Any, on_report: Callable[[Any], None] | None = None) -> Any:
        """What the function returns."""
        self.calls.append(function)
        if self.fails:
            raise self.fails.pop(0)
        module, name = function.split(":")
        return getattr(import_module(module), name)(*arguments)
