"""Further addresses in a customer's row: service address columns and groups that repeat with a running number.

Each group makes a property of its own beside the customer. Only clear ones count: a street with a city or postal code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.catalog.evidence import Evidence
from shared.messages.analysis import ColumnProfile

PART_SCORE_MIN = 0.7

_PARTS = (
    "street", "street2", "city", "state", "postal_code", "country", "name", "notes", "access_notes", "latitude",
    "longitude",
)  # fmt: skip
_GAP = r"[\s_.:\-/]*"
_CONTEXT = rf"(?:(?:service|property|site|location|job{_GAP}site|customer|client){_GAP})?"
_PLACE = rf"{_CONTEXT}(?:address(?:es)?|addr|location|property|site)"
_NUMBER_FIRST = re.compile(rf"{_PLACE}{_GAP}[#(\[]?(\d{{1,3}})[)\]]?{_GAP}([^\d\s_.:\-/].*)$", re.IGNORECASE)
_NUMBER_LAST = re.compile(rf"({_CONTEXT}[a-z][a-z\s_.\-/]*?){_GAP}[#(\[]?(\d{{1,3}})[)\]]?$", re.IGNORECASE)
_SERVICE = re.compile(rf"(?:service|property|site|job{_GAP}site|location){_GAP}(\S.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class AddressGroup:
    """One address besides the customer's own. `columns`: property field -> column index."""

    label: str
    columns: dict[str, int]


def find_address_groups(profiles: Sequence[ColumnProfile], evidence: Evidence) -> list[AddressGroup]:
    """The service address first, then numbered groups in the order of their numbers; empty where there is none."""
    service = _groups(profiles, evidence, _read_service)
    numbered = _groups(profiles, evidence, _read_number_first) or _groups(profiles, evidence, _read_number_last)
    if len(numbered) < 2 and not any(_NUMBER_FIRST.match(p.header) for p in profiles):
        numbered = []  # "Street 2" beside "Street" is a second line, not a second address
    used = {column for group in numbered for column in group.columns.values()}
    return [group for group in service if not used & set(group.columns.values())] + numbered


def _groups(
    profiles: Iterable[ColumnProfile], evidence: Evidence, read: Callable[[str], tuple[int, str] | None]
) -> list[AddressGroup]:
    found: dict[int, dict[str, int]] = {}
    for profile in profiles:
        if (place := read(profile.header)) is not None and (part := _part(place[1], evidence)) is not None:
            found.setdefault(place[0], {}).setdefault(part, profile.index)
    return [
        AddressGroup(f"address {number}" if number >= 0 else "service address", columns)
        for number, columns in sorted(found.items())
        if "street" in columns and ("city" in columns or "postal_code" in columns)
    ]


def _read_service(header: str) -> tuple[int, str] | None:
    match = _SERVICE.match(header)
    return (-1, match[1]) if match and not _NUMBER_FIRST.match(header) else None


def _read_number_first(header: str) -> tuple[int, str] | None:
    """'Address_1 Street Line 1', 'Address 2 City', 'Property #3 Zip'."""
    match = _NUMBER_FIRST.match(header)
    return (int(match[1]), match[2]) if match else None


def _read_number_last(header: str) -> tuple[int, str] | None:
    """'City 2', 'Service Zip (3)'."""
    match = _NUMBER_LAST.match(header)
    return (int(match[2]), match[1]) if match else None


def _part(text: str, evidence: Evidence) -> str | None:
    scores = evidence.lexicon.header_scores(text)
    best = max(_PARTS, key=lambda part: scores.get(("properties", part), 0.0))
    return best if scores.get(("properties", best), 0.0) >= PART_SCORE_MIN else None
