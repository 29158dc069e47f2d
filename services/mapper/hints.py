"""Evidence about columns that comes from outside their file: presets, approved mappings, a language model.

It enters the same assignment as headers and values do, as strengths that are probabilities by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

RIVAL_SHARE = 0.8
"""How much of its strength a hint takes from the other fields of its column: one witness may be wrong."""

FIT_ENOUGH = 0.5
"""From this fit of the values on they say nothing against a field."""

Origin = Literal["preset", "memory", "language_model"]


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a file taken for one entity type feeds a field, or (`field` None) feeds nothing.

    `strength` is how often such a hint is right, 0..1.
    """

    entity: str
    column: int
    field: str | None
    strength: float
    reason: str
    origin: Origin


class FileHints(msgspec.Struct, frozen=True, kw_only=True):
    """All hints about one file. `entity`: what an approved mapping of such a file took it for."""

    hints: tuple[Hint, ...] = ()
    entity: str | None = None
    entity_strength: float = 0.0
    reasons: tuple[str, ...] = ()
    """What to say about the file as a whole."""

    def about(self, entity: str, column: int) -> tuple[Hint, ...]:
        """The hints about one column, the strongest first."""
        own = [hint for hint in self.hints if hint.entity == entity and hint.column == column]
        return tuple(sorted(own, key=lambda hint: -hint.strength))

    def joined(self, more: Iterable[Hint]) -> FileHints:
        """These hints and more."""
        return msgspec.structs.replace(self, hints=(*self.hints, *more))

    def noting(self, reasons: Iterable[str]) -> FileHints:
        """These hints with more to say about the file."""
        return msgspec.structs.replace(self, reasons=(*self.reasons, *reasons))


NO_HINTS = FileHints()


def as_far_as_it_fits(strength: float, fit: float) -> float:
    """The strength of a hint that did not see the values: less where the field could not even hold them."""
    return round(strength * min(1.0, fit / FIT_ENOUGH), 3)


def weighed(score: float, field: str, hints: Sequence[Hint]) -> float:
    """A score of 0..1 for a field of a column after its hints: raised by those for it, lowered by those for others."""
    for hint in hints:
        if hint.field != field:
            score *= 1.0 - RIVAL_SHARE * hint.strength
    for hint in hints:
        if hint.field == field:
            score += (1.0 - score) * hint.strength
    return score


def strongest_for(field: str, hints: Sequence[Hint]) -> Hint | None:
    """The best hint for a field; None where no hint speaks for it."""
    return max((hint for hint in hints if hint.field == field), key=lambda hint: hint.strength, default=None)
