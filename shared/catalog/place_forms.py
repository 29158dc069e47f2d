"""Street lines that may stand inside a longer text."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.catalog.identity import normalise_street

UNIT_WORDS = frozenset({"apt", "ste", "lot", "rm", "room", "bldg", "building", "fl", "floor"})
"""Behind them, in normal form, stands which part of a house is meant."""
PLACES_MAX = 6
TEXT_MAX = 400

_SEPARATOR = re.compile(r"\s[-~]|[-~]\s|[–—|;:()\[\]{}<>]|\s[/@]\s|\s(?:c/o|attn|re|for|at)\s", re.IGNORECASE)


@lru_cache(maxsize=2048)
def places_in(text: str) -> tuple[str, ...]:
    """Street lines that may stand inside a text ('12 Oak St - furnace'), normalised; not the whole one.

    A unit that stands apart is part of them: '12 Oak St - Apt B' is not the whole house.
    """
    places, units = [], []
    for part in map(str.strip, _SEPARATOR.split(" ".join(text.split())[:TEXT_MAX])):
        normal = normalise_street(part)
        if part.startswith("#") or normal.split(" ")[0] in UNIT_WORDS:
            units.append(normal)
        elif any(map(str.isdigit, normal)):
            places.append(normal)
    found = dict.fromkeys(" ".join([place, *units]) for place in places)
    return tuple(place for place in found if place != normalise_street(text))[:PLACES_MAX]
