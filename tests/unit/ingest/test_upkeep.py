"""The caretaker goes on whatever it stumbles over."""

from __future__ import annotations

from typing import Any

from services.ingest.caretaker import Caretaker
from shared.observability.events import UPKEEP_FAILED, Event, listen


class Upkeep:
    """Stands for every part that the caretaker looks after: each call fails, as with a document nobody can read."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.clock = lambda: 1_000.0

    def __getattr__(self, name: str) -> Any:
        async def fail(*arguments: object, **more: object) -> None:
            self.calls.append(name)
            raise ValueError("a document that cannot be read")

        return fail


async def test_a_part_that_fails_is_told_and_the_others_have_their_turn() -> None:
    parts, told = Upkeep(), []

    def listener(event: Event, facts: dict[str, Any]) -> None:
        told.append(event)

    stop = listen(listener)
    try:
        await Caretaker(parts, parts, parts, parts).round()  # type: ignore[arg-type]
    finally:
        stop()

    assert parts.calls[:3] == ["sweep", "start_left", "ask_again"]
    assert told == [UPKEEP_FAILED] * 4
