"""Further addresses in a customer's row: service address columns and groups that repeat with a running number.

Each group makes a property of its own beside the customer. Only clear ones count: a street with a city or postal code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.catalog.evidence import Evidence
from shared.catalog.lexicon import SERVICE_WORDS, SHIPPING_WORDS
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
_TO = rf"(?:{_GAP}to(?=[\W_]|(?-i:[A-Z])))?"


def _beginning(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = "|".join(sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?:job{_GAP})?(?:{longest_first}){_TO}{_GAP}(\S.*)$", re.IGNORECASE)


_SERVICE, _SHIPPING = _beginning(SERVICE_WORDS), _beginning(SHIPPING_WORDS)
_SERVICE_GROUP, _SHIPPING_GROUP = -2, -1
_LABELS = {_SERVICE_GROUP: "service address", _SHIPPING_GROUP: "shipping address"}


@dataclass(frozen=True)
class AddressGroup:
    """One address besides the customer's own. `columns`: property field -> column index."""

    label: str
    columns: dict[str, int]


def find_address_groups(profiles: Sequence[ColumnProfile], evidence: Evidence) -> list[AddressGroup]:
    """The service address first, then numbered groups in the order of their numbers; empty where there is none.

    Where there is no service address the shipping address is it.
    """
    service = _groups(profiles, evidence, _read_service) or _groups(profiles, evidence, _read_shipping)
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
        AddressGroup(_LABELS.get(number, f"address {number}"), columns)
        for number, columns in sorted(found.items())
        if "street" in columns and ("city" in columns or "postal_code" in columns)
    ]


def _read_service(header: str) -> tuple[int, str] | None:
    match = _SERVICE.match(header)
    return (_SERVICE_GROUP, match[1]) if match and not _NUMBER_FIRST.match(header) else None


def _read_shipping(header: str) -> tuple[int, str] | None:
    """'Shipping Street', 'Ship To City', 'ship-to_address_line_1', 'Delivery Zip'."""
    match = _SHIPPING.match(header)
    return (_SHIPPING_GROUP, match[1]) if match else None


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
