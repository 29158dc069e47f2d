"""Column profiles: what kind of values a column holds, from patterns of its distinct values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice, zip_longest
from typing import Literal

from msgspec.structs import replace

from services.analyze.column_relations import with_relations
from services.analyze.value_kinds import kinds_of
from shared.catalog.date_order import decide_date_order
from shared.catalog.lexicon import load_lexicon
from shared.messages.analysis import ColumnProfile, ColumnType

CLASSIFIED_MAX = 200
"""Distinct values looked at closely, by frequency: shares are then right within 0.07, and a column costs under 8 ms."""
EVIDENCE_MAX = 5_000
"""Distinct values searched for evidence of date order and decimal mark: a rare 13th of the month decides."""
FREQUENT_MAX = 1_000
EXAMPLES = 5
EXAMPLE_CHARACTERS_MAX = 200
TYPE_SHARE_MIN = 0.75
STRAY_SHARE_MAX = 0.02

_EMPTY = frozenset({"-", "--", "n/a", "na", "null", "none", "#n/a", "nan", "nil"})
EMPTY_LENGTH_MAX = max(map(len, _EMPTY))

_ID_WORDS = frozenset(
    {
        "id",
        "invoice",
        "estimate",
        "order",
        "account",
        "document",
        "part",
        "item",
        "code",
        "reference",
        "key",
        "serial",
        "barcode",
        "sku",
    }
)
_PHONE_WORDS = frozenset({"phone", "mobile", "fax", "landline", "contact"})
_COMMA_MARK = re.compile(r"\d,\d{1,2}\D*$|\d\.\d{3},\d")
_POINT_MARK = re.compile(r"\d\.\d{1,2}\D*$|\d,\d{3}\.\d|\d\.\d{4,}")

# In this order: a narrower kind decides before a wider one that holds it too.
_DECIDING: tuple[ColumnType, ...] = (
    "email", "url", "json", "datetime", "date", "phone", "percent", "boolean", "money", "postal_code", "integer",
    "decimal", "address", "street", "state", "longtext", "id",
)  # fmt: skip


def profile_columns(headers: Sequence[str], rows: Sequence[Sequence[str]], total_records: int) -> list[ColumnProfile]:
    """One profile per header; `rows` may be a sample of `total_records`. Cells beyond the headers are not looked at."""
    columns: Iterable[Sequence[str]] = islice(zip_longest(*rows, fillvalue=""), len(headers)) if rows else ()
    profiles = [_profile(i, headers[i], cells) for i, cells in enumerate(columns)]
    profiles.extend(_profile(i, headers[i], ()) for i in range(len(profiles), len(headers)))
    return with_relations([_beside_address(profiles, at) for at in range(len(profiles))], rows)


def _beside_address(profiles: Sequence[ColumnProfile], at: int) -> ColumnProfile:
    """What only neighbours tell: a word between street and state is a city; five digits alone are no postal code."""
    profile = profiles[at]
    before = profiles[at - 1].type if at else "empty"
    following = profiles[at + 1].type if at + 1 < len(profiles) else "empty"
    if profile.type in ("text", "name", "company") and before in ("street", "address"):
        if following in ("state", "postal_code") or "street" in before:
            words = profile.kinds.get("word", 0.0) + profile.kinds.get("person", 0.0)
            return replace(profile, kinds={**profile.kinds, "after_street": min(1.0, words)})
    elif profile.type == "postal_code" and not profile.header:
        nearby = {p.type for p in profiles[max(0, at - 3) : at]}
        if not nearby & {"state", "street", "address"}:
            kinds = {kind: share for kind, share in profile.kinds.items() if kind != "postal_code"}
            return replace(profile, type="integer", kinds=kinds)
    return profile


def is_empty(value: str) -> bool:
    """Blank, or one of the ways people write that there is nothing."""
    return not value or value.lower() in _EMPTY


def _profile(index: int, header: str, cells: Sequence[str]) -> ColumnProfile:
    counts: Counter[str] = Counter()
    for value, count in Counter(cells).items():
        if len(text := value.strip()) > EMPTY_LENGTH_MAX or not is_empty(text):
            counts[text] += count
    filled = counts.total()
    if not filled:
        return _empty_profile(index, header)
    common = counts.most_common(CLASSIFIED_MAX)
    weight = sum(count for _, count in common)
    shares: dict[str, float] = {}
    for value, count in common:
        for kind in kinds_of(value):
            shares[kind] = shares.get(kind, 0.0) + count / weight
    shares = {kind: round(share, 4) for kind, share in shares.items()}
    kind = _decide(shares, common, header)
    lengths = [len(value) for value in counts]
    values = [value for value, _ in common]
    return ColumnProfile(
        index=index,
        header=header,
        type=kind,
        fill=filled / len(cells),
        distinct=len(counts),
        unique_share=len(counts) / filled,
        min_length=min(lengths),
        max_length=max(lengths),
        pattern=Counter(shape(value) for value in values[:100]).most_common(1)[0][0],
        examples=tuple(value[:EXAMPLE_CHARACTERS_MAX] for value in values[:EXAMPLES]),
        frequent=tuple(counts.most_common()) if len(counts) <= FREQUENT_MAX else (),
        kinds=shares,
        date_order=decide_date_order(islice(counts, EVIDENCE_MAX)) if kind in ("date", "datetime") else None,
        decimal_mark=_decimal_mark(islice(counts, EVIDENCE_MAX))
        if kind in ("money", "decimal", "integer", "percent")
        else None,
    )


def _empty_profile(index: int, header: str) -> ColumnProfile:
    return ColumnProfile(
        index=index, header=header, type="empty", fill=0.0, distinct=0, unique_share=0.0, min_length=0, max_length=0,
        pattern="", examples=(), frequent=(), kinds={},
    )  # fmt: skip


def _decide(shares: dict[str, float], common: Sequence[tuple[str, int]], header: str) -> ColumnType:
    if shares.get("digit", 0) == 1.0 and {value for value, _ in common} == {"0", "1"}:
        return "boolean"
    if shares.get("date", 0) + shares.get("datetime", 0) >= TYPE_SHARE_MIN:
        return "datetime" if shares.get("datetime", 0) >= 0.3 else "date"
    if shares.get("integer", 0) + shares.get("decimal", 0) + shares.get("money", 0) >= TYPE_SHARE_MIN:
        return _number_type(shares, header)
    if shares.get("street", 0) + shares.get("address", 0) >= TYPE_SHARE_MIN:
        return "address" if shares.get("address", 0) >= TYPE_SHARE_MIN else "street"
    for kind in _DECIDING:
        if shares.get(kind, 0) >= TYPE_SHARE_MIN:
            return "id" if kind == "phone" and shares.get("id", 0) >= TYPE_SHARE_MIN and _says_id(header) else kind
    if shares.get("person", 0) >= 0.6 or shares.get("given_name", 0) >= 0.5:
        return "name" if shares.get("company", 0) < 0.5 else "company"
    if shares.get("company", 0) >= 0.5:
        return "company"
    return "text"


def _number_type(shares: dict[str, float], header: str) -> ColumnType:
    # Ten bare digits are a phone number or a long id: the header tells, where it says anything.
    if shares.get("phone", 0) >= TYPE_SHARE_MIN:
        return "integer" if _says_id(header) else "phone"
    if shares.get("money", 0) > 0:
        return "money"
    if shares.get("postal_code", 0) >= 0.95:
        return "postal_code"
    if shares.get("decimal", 0) > STRAY_SHARE_MAX:
        return "decimal"
    # Stray words ("none", a total's label) make no column of numbers something else; letters among the numbers do.
    return "id" if shares.get("id", 0) > shares["integer"] + STRAY_SHARE_MAX else "integer"


def _says_id(header: str) -> bool:
    words = set(load_lexicon().tokens(header)) if header else set()
    return bool(words & _ID_WORDS) and not words & _PHONE_WORDS


@lru_cache(maxsize=4096)
def shape(value: str) -> str:
    """'AB-123' -> 'A-9': the form of a value, runs of the same class folded."""
    classes = ["9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in value[:60]]
    return "".join(c for i, c in enumerate(classes) if not i or c != classes[i - 1])


def _decimal_mark(values: Iterable[str]) -> Literal[".", ","] | None:
    point = comma = False
    for value in values:
        point = point or _POINT_MARK.search(value) is not None
        comma = comma or _COMMA_MARK.search(value) is not None
    return None if point == comma else "." if point else ","
