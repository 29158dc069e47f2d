"""Headers as strangers may see them: a file's first record may have been taken for its header row, and is nobody's."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from services.mapper.presets import header_key, load_presets
from services.mapper.transforms.enums import fold_value, known_values
from shared.catalog.first_names import FIRST_NAMES
from shared.catalog.identity import fold
from shared.catalog.lexicon import load_lexicon
from shared.catalog.model import FieldType, load_catalog

SHOWN_CHARACTERS_MAX = 120
_KNOWN_MIN = 0.9
"""From here on a text is the usual name of a field (or of something that no field holds)."""
_LIKELY_MIN = 0.7
_ROW_SHARE_MIN = 0.5
"""In a row of headers at least so many are known ones; of the others of such a row the known words are told."""
_NUMBER_DIGITS_MIN = 5
_LONG_NUMBER_DIGITS = 3
"""A number in a header counts (Phone 2); a longer one may be a code."""
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])")
_BETWEEN = frozenset(
    {"a", "an", "and", "are", "at", "by", "de", "del", "des", "du", "el", "et", "for", "from", "has", "in", "is", "la",
     "le", "les", "of", "on", "or", "per", "the", "to", "with", "y"}
)  # fmt: skip
_CELLS = frozenset({"", "false", "n", "n/a", "na", "no", "none", "null", "true", "vip", "x", "y", "yes"})
"""What stands in many cells, whatever else it may be the header of."""
_BEGIN_WITH_DIGITS = frozenset(
    {"street", "address", "phone", "date", "datetime", "money", "decimal", "integer", "percent", "postal_code", "id"}
)


def told_headers(
    headers: Sequence[str], kinds: Sequence[str], values: Sequence[Collection[str]] = ()
) -> tuple[str, ...]:
    """The headers of one file, with a mask (Aaa Aaaaa) in the place of what may be a value.

    Usual headers are told. Of another header, in a row that is one of headers, the words are told that usual headers
    are made of, and no first name: hours per technician stand under the names of people.
    `kinds`: the types of the columns; `values`: values of each column, where they are at hand.
    """
    is_row_of_headers = _is_row_of_headers([header for header in headers if header])
    known_values = values or [()] * len(headers)
    return tuple(
        masked(header) if _is_value(header, kind, of_column) else _told(header, is_row_of_headers)
        for header, kind, of_column in zip(headers, kinds, known_values, strict=True)
    )


def masked(text: str, length: int = SHOWN_CHARACTERS_MAX) -> str:
    """The shape of a text without its content: capitals as A, other letters as x, digits as 9."""
    return "".join(
        "9" if c.isnumeric() else "A" if c.isalpha() and c.isupper() else "x" if c.isalpha() else c
        for c in text[:length]
    )


# ---- inside ---------------------------------------------------------------------------------------------------


def _told(header: str, is_of_a_row_of_headers: bool) -> str:
    shown = header[:SHOWN_CHARACTERS_MAX]
    if _score(header) >= _KNOWN_MIN:
        return shown
    if not is_of_a_row_of_headers:
        return masked(header)
    return _WORD.sub(lambda word: word[0] if _is_header_word(word[0]) else masked(word[0]), shown)


def _is_row_of_headers(headers: Sequence[str]) -> bool:
    """True where most are usual headers; what may be a cell as well (TX, No, Open) says nothing either way."""
    telling = [header for header in headers if fold_value(header) not in _usual_cells()]
    known = sum(_score(header) >= _LIKELY_MIN for header in telling)
    return bool(known) and known >= _ROW_SHARE_MIN * len(telling)


@lru_cache(maxsize=8192)
def _is_header_word(word: str) -> bool:
    """True for a word that usual headers are made of, 'leadSource2' too; never for a first name or a longer number."""
    return all(_is_header_part(fold(part)) for part in _CAMEL.split(word))


def _is_header_part(part: str) -> bool:
    if part.isdigit():
        return len(part) < _LONG_NUMBER_DIGITS
    if part in FIRST_NAMES:
        return False
    lexicon = load_lexicon()
    return (
        part in _BETWEEN
        or part in _preset_words()
        or lexicon.is_known(part)
        or lexicon.is_known(part.removesuffix("s"))
    )


@lru_cache(maxsize=1)
def _preset_words() -> frozenset[str]:
    headers = (header for layout in load_presets() for header in layout.spelled)
    return frozenset(fold(part) for header in headers for word in _WORD.findall(header) for part in _CAMEL.split(word))


@lru_cache(maxsize=1)
def _usual_cells() -> frozenset[str]:
    """States, values of enums and the like, in the form in which values are compared."""
    whole = [vocabulary for vocabulary in load_lexicon().vocabularies.values() if vocabulary.whole]
    words = {fold_value(word) for vocabulary in whole for word in vocabulary.words}
    fields = [(entity.name, field) for entity in load_catalog().detectable() for field in entity.fields.values()]
    enums = (known_values(entity, field.name) for entity, field in fields if field.type is FieldType.ENUM)
    return (_CELLS | words).union(*enums)


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
