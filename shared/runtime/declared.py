"""The services a runtime was given before its start, and their start and stop hooks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.messages.envelope import Topic
from shared.runtime.service import Route, Service


@dataclass(frozen=True)
class Declared:
    """A service and how many members each of its groups gets."""

    service: Service
    members: int

    def members_of(self, route: Route) -> int:
        """How many members the group of one of its routes gets."""
        return max(self.members, route.members)


class DeclaredServices:
    """What `Runtime.add` collected, in that order. `topics` is the registry by name."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = topics
        self._declared: list[Declared] = []

    def __iter__(self) -> Iterator[Declared]:
        return iter(self._declared)

    def routes(self) -> Iterator[Route]:
        """All routes of all services."""
        for declared in self._declared:
            yield from declared.service.routes

    def add(self, service: Service, members: int) -> None:
        """See `Runtime.add`. ValueError for a topic outside the registry, a topic read twice, or no member."""
        if members < 1:
            raise ValueError(f"{service.name} needs at least one member, not {members}")
        taken = {(route.topic.name, route.group) for route in self.routes()}
        for route in service.routes:
            if route.topic.name not in self._topics:
                raise ValueError(f"{service.name} reads {route.topic.name}, which is not in the registry")
            if (route.topic.name, route.group) in taken:
                raise ValueError(f"{route.topic.name} is read twice with the group {route.group}")
            taken.add((route.topic.name, route.group))
        self._declared.append(Declared(service, members))

    async def start(self, stack: contextlib.AsyncExitStack) -> None:
        """Run the start hooks in order; closing the stack runs the stop hooks in reverse order."""
        for declared in self._declared:
            service = declared.service
            # Pushed first: what a failing start hook has opened is closed by its stop hook.
            if service.stop is not None:
                stack.push_async_callback(service.stop)
            if service.start is not None:
                await service.start()

    async def stopping(self) -> None:
        """Run the stopping hooks."""
        for declared in self._declared:
            if declared.service.stopping is not None:
                await declared.service.stopping()
