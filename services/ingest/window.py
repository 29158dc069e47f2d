"""The window: which positions of a step are in flight. Derived from the acknowledgements, never counted."""

from __future__ import annotations

from collections.abc import Iterable


def first_released(window: int, planned: int) -> range:
    """The positions released when a step begins."""
    return range(min(window, planned))


def released_by(position: int, window: int, planned: int) -> int | None:
    """The position an acknowledgement releases; None at the end of the step."""
    follower = position + window
    return follower if follower < planned else None


def may_complete(position: int, window: int, planned: int) -> bool:
    """Whether this acknowledgement can be the last of its step: only those that release nothing can."""
    return position + window >= planned


def outstanding(acknowledged: Iterable[int], window: int, planned: int) -> list[int]:
    """Everything released and not acknowledged, ascending: what a resume or a repair sends again."""
    done = set(acknowledged)
    released = set(first_released(window, planned))
    released.update(f for p in done if (f := released_by(p, window, planned)) is not None)
    return sorted(released - done)
