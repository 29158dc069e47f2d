"""Amounts, decimals and whole numbers, exact: digits are moved, never computed in floating point."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal, NamedTuple

from services.mapper.transforms.cells import Parsed, Parser, unreadable
from shared.catalog.amounts import MINOR_DIGITS, decimal_text
from shared.messages.mapping import TimeUnit

DecimalMark = Literal[".", ","]

AMOUNT_CODE = "unreadable_amount"
AMBIGUOUS_CODE = "ambiguous_amount"
PRECISE_CODE = "too_precise_amount"
PERCENT_CODE = "percentage_not_amount"
NUMBER_CODE = "unreadable_number"
AMBIGUOUS_NUMBER_CODE = "ambiguous_number"


_HOURS_IN: dict[TimeUnit, Fraction] = {
    "hours": Fraction(1), "minutes": Fraction(1, 60), "seconds": Fraction(1, 3600), "days": Fraction(24),
}  # fmt: skip
_HOUR_DIGITS = 4

WHOLE_MAX = 2**53 - 1
"""Larger numbers would not survive a JSON reader that knows only floating point; no amount comes near."""

_CHARS_MAX = 64
_POINT_REGIONS = frozenset(["US", "CA", "GB", "IE", "AU", "NZ", "MX", "PR", "IN", "PH", "SG", "HK", "IL", "ZA"])

_CURRENCY = r"(?:(?:US|CA|AU|NZ|MX|C|A)?\$|€|£|¥|USD|CAD|AUD|NZD|MXN|EUR|GBP|CHF)"
_WRITTEN = re.compile(
    rf"(?:{_CURRENCY}\s*(?=\())?(\()?\s*([-−+])?\s*{_CURRENCY}?\s*([-−+])?\s*"
    rf"(\d[\d.,'’\s\u00a0\u202f]*|[.,]\d+)\s*{_CURRENCY}?\s*(-)?\s*(\))?",
    re.IGNORECASE | re.ASCII,
)
_FAST_AMOUNT = re.compile(r"(-?)\$?(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d\d?))?", re.ASCII)
_SPACES = re.compile(r"[\s\u00a0\u202f]+")
_GROUPED = re.compile(r"\d{1,3}(?:([ .,'])\d{3})(?:\1\d{3})*|\d*", re.ASCII)


class _Digits(NamedTuple):
    negative: bool
    whole: str
    fraction: str


def default_decimal_mark(region: str) -> DecimalMark | None:
    """The mark of a region whose columns gave no evidence: known where the comma is never a decimal mark."""
    return "." if region in _POINT_REGIONS else None


def money_parser(*, mark: DecimalMark | None, unit: Literal["major", "minor"] = "major") -> Parser:
    """Amounts to integer minor units. Without a known mark, a comma or point before three digits is a problem."""
    minor_source = unit == "minor"

    def parse(text: str) -> Parsed:
        if mark == "." and not minor_source and (match := _FAST_AMOUNT.fullmatch(text)):
            sign, whole, fraction = match.groups()
            return _amount(_Digits(sign == "-", whole.replace(",", ""), fraction or ""), minor_source)
        if text.endswith("%"):
            return unreadable(PERCENT_CODE)
        digits = _digits(text, mark, point_is_mark=False)
        if isinstance(digits, str):
            return unreadable(AMBIGUOUS_CODE if digits == "ambiguous" else AMOUNT_CODE)
        return _amount(digits, minor_source)

    return parse


def decimal_parser(*, mark: DecimalMark | None, unit: TimeUnit = "hours") -> Parser:
    """Decimals as exact text ("1,234.50" is "1234.50"), so that no digit is invented or lost.

    `unit`: of a column for a field in hours; "100" minutes are "1.6667", rounded to four digits (a third of a second).
    """

    def parse(text: str) -> Parsed:
        digits = _digits(text, mark, point_is_mark=True)
        if isinstance(digits, str):
            return unreadable(AMBIGUOUS_NUMBER_CODE if digits == "ambiguous" else NUMBER_CODE)
        number = (digits.whole.lstrip("0") or "0") + (f".{digits.fraction}" if digits.fraction else "")
        if unit != "hours":
            number = _in_hours(number, unit)
        stored = f"-{number}" if digits.negative and number.strip("0.") else number
        return Parsed(stored, stored)

    return parse


def _in_hours(number: str, unit: TimeUnit) -> str:
    hours = Fraction(number) * _HOURS_IN[unit]
    whole, part = divmod(round(hours * 10**_HOUR_DIGITS), 10**_HOUR_DIGITS)
    return f"{whole}.{part:0{_HOUR_DIGITS}}".rstrip("0").rstrip(".")


def is_in_hours(field: str) -> bool:
    """True for fields that hold a number of hours: only they have a unit of time."""
    return field.endswith("_hours")


def integer_parser(*, mark: DecimalMark | None) -> Parser:
    """Whole numbers; "12.0" is one, "12.5" is not."""

    def parse(text: str) -> Parsed:
        digits = _digits(text, mark, point_is_mark=True)
        if isinstance(digits, str) or digits.fraction.strip("0"):
            return unreadable(AMBIGUOUS_NUMBER_CODE if digits == "ambiguous" else NUMBER_CODE)
        number = _signed(int(digits.whole or "0"), digits.negative)
        return unreadable(NUMBER_CODE) if abs(number) > WHOLE_MAX else Parsed(number, str(number))

    return parse


def _signed(number: int, negative: bool) -> int:
    return -number if negative else number


def _amount(digits: _Digits, minor_source: bool) -> Parsed:
    if minor_source:
        if digits.fraction.strip("0"):
            return unreadable(PRECISE_CODE)
        minor = int(digits.whole or "0")
    else:
        if digits.fraction[MINOR_DIGITS:].strip("0"):
            return unreadable(PRECISE_CODE)
        minor = int(digits.whole + digits.fraction[:MINOR_DIGITS].ljust(MINOR_DIGITS, "0"))
    if minor > WHOLE_MAX:
        return unreadable(AMOUNT_CODE)
    minor = _signed(minor, digits.negative)
    return Parsed(minor, str(minor) if minor_source else decimal_text(minor))


def _body(text: str) -> tuple[bool, str] | None:
    """(negative, digits with their separators) of a written amount, None where it is none."""
    match = _WRITTEN.fullmatch(text) if len(text) <= _CHARS_MAX else None
    if match is None:
        return None
    opened, sign, inner_sign, body, trailing, closed = match.groups()
    if bool(opened) != bool(closed) or sum(map(bool, (opened, sign, inner_sign, trailing))) > 1:
        return None
    negative = bool(opened or trailing) or (sign or inner_sign or "+") != "+"
    return negative, _SPACES.sub(" ", body.strip()).replace("’", "'")


def _digits(
    text: str, mark: DecimalMark | None, *, point_is_mark: bool
) -> _Digits | Literal["unreadable", "ambiguous"]:
    found = _body(text)
    if found is None:
        return "unreadable"
    negative, body = found
    if mark is None:
        mark = _sure_mark(body) or ("." if point_is_mark and "," not in body else None)
        if mark is None:
            return "ambiguous"
    whole, _, fraction = body.rpartition(mark) if mark in body else (body, "", "")
    grouping = _GROUPED.fullmatch(whole)
    if grouping is None or grouping[1] == mark or (fraction and not fraction.isdigit()):
        return "unreadable"
    if not whole and not fraction:
        return "unreadable"
    return _Digits(negative, re.sub(r"\D", "", whole), fraction)


def _sure_mark(body: str) -> DecimalMark | None:
    """The only decimal mark under which `body` can be read; "." where there is no separator at all; None: either."""
    points, commas = body.count("."), body.count(",")
    if points and commas:
        return "." if body.rfind(".") > body.rfind(",") else ","
    if points + commas == 0:
        return "."
    if points + commas > 1:
        return "," if points else "."
    here: DecimalMark = "." if points else ","
    before, _, after = body.partition(here)
    could_group = len(after) == 3 and 1 <= len(before) <= 3 and before.isdigit() and before[0] != "0"
    return None if could_group else here
