"""Headers as strangers may see them: a file's first record may have been taken for its header row, and is nobody's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from services.mapper.presets import header_key, load_presets
from shared.catalog.lexicon import load_lexicon

SHOWN_CHARACTERS_MAX = 120
_KNOWN_MIN = 0.9
"""From here on a text is the usual name of a field (or of something that no field holds)."""
_LIKELY_MIN = 0.7
_ROW_SHARE_MIN = 0.5
"""In a row of headers at least so many are known ones; the others of such a row are headers too."""
_NUMBER_DIGITS_MIN = 5
_BEGIN_WITH_DIGITS = frozenset(
    {"street", "address", "phone", "date", "datetime", "money", "decimal", "integer", "percent", "postal_code", "id"}
)


def told_headers(
    headers: Sequence[str], kinds: Sequence[str], values: Sequence[Collection[str]] = ()
) -> tuple[str, ...]:
    """The headers of one file, with a mask (Aaa Aaaaa) in the place of each that may be a value.

    `kinds`: the types of the columns; `values`: values of each column, where they are at hand.
    """
    is_row_of_headers = _is_row_of_headers([header for header in headers if header])
    known_values = values or [()] * len(headers)
    return tuple(
        header[:SHOWN_CHARACTERS_MAX]
        if (is_row_of_headers or _score(header) >= _KNOWN_MIN) and not _is_value(header, kind, of_column)
        else masked(header)
        for header, kind, of_column in zip(headers, kinds, known_values, strict=True)
    )


def masked(text: str, length: int = SHOWN_CHARACTERS_MAX) -> str:
    """The shape of a text without its content: capitals as A, other letters as x, digits as 9."""
    return "".join(
        "9" if c.isnumeric() else "A" if c.isalpha() and c.isupper() else "x" if c.isalpha() else c
        for c in text[:length]
    )


# ---- inside ---------------------------------------------------------------------------------------------------


def _is_row_of_headers(headers: Sequence[str]) -> bool:
    return sum(_score(header) >= _LIKELY_MIN for header in headers) >= _ROW_SHARE_MIN * len(headers)


@lru_cache(maxsize=8192)
def _score(header: str) -> float:
    """0..1: how well it fits the name of any field, of something that no field holds, or a header of a preset."""
    if header_key(header) in _preset_headers():
        return 1.0
    lexicon = load_lexicon()
    return max(lexicon.nothing_score(header), *lexicon.header_scores(header).values(), 0.0)


@lru_cache(maxsize=1)
def _preset_headers() -> frozenset[str]:
    return frozenset(header for layout in load_presets() for header in layout.columns)


def _is_value(header: str, kind: str, values: Collection[str]) -> bool:
    """Whether a header looks like what stands below it; wrongly masked is better than wrongly told."""
    if header in values or "@" in header or sum(map(str.isdigit, header)) >= _NUMBER_DIGITS_MIN:
        return True
    if header[:1].isdigit() and kind in _BEGIN_WITH_DIGITS:
        return True
    words = set(header.lower().split())
    return kind == "name" and not words.isdisjoint(load_lexicon().vocabularies["given_name"].words)
