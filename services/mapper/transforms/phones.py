"""Phone numbers to E.164 with their extension: a regular expression for the usual ones, phonenumbers for the rest."""

from __future__ import annotations

import re
from functools import cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from services.mapper.transforms.cells import EMPTY_FORMS, NOTHING, Parsed, Parser, unreadable

CODE = "unreadable_phone"

# The library rejects part of these ranges, so it decides them itself.
_NOT_WHOLLY_VALID = frozenset({523, 524, 983})
_NORTH_AMERICA = frozenset({"US", "CA"})
_CHARS_MAX = 200  # the library refuses longer texts after much work

_FAST = re.compile(
    r"(\+?1[ .\-]*)?\(?([2-9]\d\d)\)?[ .\-/]*([2-9]\d\d)[ .\-]*(\d{4})"
    r"(?:[ ,]*(?:x|ext\.?|extension|#)[ :.]*(\d{1,7}))?",
    re.ASCII | re.IGNORECASE,
)
_SEVERAL = re.compile(r"\s*(?:[;,|\n]|(?<!n)/|\bor\b|\band\b|&)\s*", re.IGNORECASE)


@cache
def area_codes() -> frozenset[str]:
    """Area codes of the United States and Canada all of whose numbers are valid; others go to the library.

    Caribbean and Pacific numbers share the country code +1 and are not among them.
    """
    return frozenset(
        str(code)
        for code in range(200, 1000)
        if code not in _NOT_WHOLLY_VALID
        and any(
            phonenumbers.is_valid_number_for_region(
                phonenumbers.PhoneNumber(country_code=1, national_number=code * 10_000_000 + 2_345_678), region
            )
            for region in _NORTH_AMERICA
        )
    )


def _by_library(text: str, region: str) -> Parsed | None:
    if len(text) > _CHARS_MAX:
        return None
    try:
        number = phonenumbers.parse(text, region)
        if not phonenumbers.is_valid_number(number):
            return None
    except NumberParseException:
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return Parsed(e164, e164, None, number.extension or None)


def phone_parser(region: str) -> Parser:
    """Reads numbers as people of `region` (ISO 3166 alpha-2) write them.

    Of several numbers in one cell the first is the value; the whole cell is kept as the original text.
    """
    codes = area_codes()
    without_country_code = region in _NORTH_AMERICA

    def one(text: str) -> Parsed | None:
        match = _FAST.fullmatch(text)
        if match is not None:
            country, area, exchange, line, extension = match.groups()
            if area in codes and (without_country_code or (country and country[0] == "+")):
                number = f"+1{area}{exchange}{line}"
                return Parsed(number, number, None, extension)
        return _by_library(text, region)

    def parse(text: str) -> Parsed:
        whole = one(text)
        if whole is not None:
            return whole
        pieces = [piece for piece in _SEVERAL.split(text[:1000]) if piece.lower() not in EMPTY_FORMS]
        if not pieces:
            return NOTHING
        return (one(pieces[0]) if len(pieces) > 1 or pieces[0] != text else None) or unreadable(CODE)

    return parse
