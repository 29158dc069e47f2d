"""Dates and times as exports write them. The order of day and month is a fact of the column, never of a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache

from services.mapper.transforms.cells import EMPTY_FORMS, MEMO_ENTRIES_MAX, NOTHING, Parsed, Parser, unreadable
from services.mapper.transforms.month_names import MONTHS, NOISE_WORDS, WEEKDAYS
from shared.catalog.date_order import DateOrder
from shared.catalog.identity import fold

CODE = "unreadable_date"

PIVOT = 70
"""Two-digit years below it are of this century (69 is 2069), the others of the last (70 is 1970)."""

YEAR_MIN = 1800
_CHARS_MAX = 64
_MONTH_FIRST_REGIONS = frozenset({"US", "CA", "PH"})
_NORTH_AMERICAN_ZONES = {
    "est": "-05:00", "edt": "-04:00", "cst": "-06:00", "cdt": "-05:00",
    "mst": "-07:00", "mdt": "-06:00", "pst": "-08:00", "pdt": "-07:00",
}  # fmt: skip

_TIME = (
    r"(\d{1,2})(?:[:h](\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*"
    r"([ap]\.?\s?m\.?)?\s*(z|utc|gmt|[ecmp][sd]t|[+-]\d{2}:?\d{2})?"
)
_NUMERIC = re.compile(
    rf"(\d{{1,4}})([-/.])(\d{{1,2}})\2(\d{{1,4}})(?:(?:t|,?\s+(?:at\s+)?){_TIME})?", re.ASCII | re.IGNORECASE
)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:[t ]?(\d\d)(\d\d)(\d\d)(z)?)?", re.ASCII | re.IGNORECASE)
_NAMED = re.compile(
    rf"([\d\s,./'-]*[a-z][a-z\d\s,./'-]*?\d{{1,4}})(?:(?:\s*,?\s+(?:at\s+|a\s+las\s+)?|t){_TIME})?",
    re.ASCII | re.IGNORECASE,
)
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|o)?", re.ASCII)
_PIECES = re.compile(r"[\s,./'-]+")
_ZEROS = re.compile(r"[0/.\-: t]*0[0/.\-: t]*")
_SERIAL = re.compile(r"(\d{5})(\.\d{1,15})?", re.ASCII)

# Serial days of spreadsheets: 1954-10-03 to 2064-04-08.
_SERIAL_MIN, _SERIAL_MAX = 20_000, 60_000
_SERIAL_EPOCH = datetime(1899, 12, 30)
_SERIAL_SHARE = 0.8


def is_month_first(region: str) -> bool:
    """How a region writes dates whose column gives no evidence."""
    return region in _MONTH_FIRST_REGIONS


def decide_excel_serials(values: Iterable[str]) -> bool:
    """True where a date column mostly holds day numbers of a spreadsheet (45292 is 2024-01-01)."""
    filled = [text for text in map(str.strip, values) if text.lower() not in EMPTY_FORMS]
    serials = sum(1 for text in filled if _serial(text) is not None)
    return bool(filled) and serials >= _SERIAL_SHARE * len(filled)


def date_parser(*, order: DateOrder | None, region: str, with_time: bool, excel_serials: bool = False) -> Parser:
    """Reads dates (`with_time=False`) or times; a bare date in a datetime field is its midnight, unzoned.

    Dates that do not exist (31 April, month 13 in the column's order) are problems, never guesses.
    """
    reader = _reader(order, region)

    def parse(text: str) -> Parsed:
        found = _from_serial(text) if excel_serials else None
        found = found or reader.read(text)
        if found is None:
            return NOTHING if _ZEROS.fullmatch(text.lower()) else unreadable(CODE)
        day, time = found
        stored = f"{day}T{time or '00:00:00'}" if with_time else day
        return Parsed(stored, stored)

    return parse


def _serial(text: str) -> float | None:
    if _SERIAL.fullmatch(text) is None:
        return None
    number = float(text)
    return number if _SERIAL_MIN <= number <= _SERIAL_MAX else None


def _from_serial(text: str) -> tuple[str, str] | None:
    number = _serial(text)
    if number is None:
        return None
    moment = _SERIAL_EPOCH + timedelta(seconds=round(number * 86_400))
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S")


def _full_year(digits: str) -> int | None:
    if len(digits) == 4:
        return int(digits)
    if len(digits) == 2:
        return int(digits) + (2000 if int(digits) < PIVOT else 1900)
    return None


def _day_text(year: int | None, month: int, day: int) -> str | None:
    if year is None or year < YEAR_MIN:
        return None
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


@lru_cache(maxsize=16)
def _reader(order: DateOrder | None, region: str) -> _Reader:
    """One for all date columns of a kind: most days of an invoice's due date are in its date of issue too."""
    return _Reader(order, region)


class _Reader:
    """The grammar for one column; `read` gives (YYYY-MM-DD, HH:MM:SS with offset or "") or None."""

    def __init__(self, order: DateOrder | None, region: str) -> None:
        self.read = lru_cache(maxsize=MEMO_ENTRIES_MAX)(self._read)
        month_first = is_month_first(region)
        self._day_first = order == "dmy" or (order != "mdy" and not month_first)
        self._short_year_first = order == "ymd"
        self._zones = _NORTH_AMERICAN_ZONES if month_first else {}

    def _read(self, text: str) -> tuple[str, str] | None:
        if len(text) > _CHARS_MAX:
            return None
        if text[:1].isdigit():
            if match := _NUMERIC.fullmatch(text):
                return self._with_time(self._numeric(match[1], match[3], match[4]), match.groups()[4:])
            if match := _COMPACT.fullmatch(text):
                year, month, day, *time, zone = match.groups()
                parts = (*time, None, None, zone) if time[0] else (None,) * 6
                return self._with_time(_day_text(int(year), int(month), int(day)), parts)
        return self._read_words(fold(text))

    def _read_words(self, text: str) -> tuple[str, str] | None:
        first, _, rest = text.partition(" ")
        if first.strip(".,") in WEEKDAYS and rest[:1].isdigit() and (match := _NUMERIC.fullmatch(rest)):
            return self._with_time(self._numeric(match[1], match[3], match[4]), match.groups()[4:])
        if match := _NAMED.fullmatch(text):
            return self._with_time(_named(match[1]), match.groups()[1:])
        return None

    def _numeric(self, first: str, second: str, third: str) -> str | None:
        if len(first) == 4:
            return _day_text(int(first), int(second), int(third)) if len(third) <= 2 else None
        if len(first) > 2:
            return None
        if self._short_year_first and len(third) <= 2:
            return _day_text(_full_year(first), int(second), int(third))
        day, month = (first, second) if self._day_first else (second, first)
        return _day_text(_full_year(third), int(month), int(day))

    def _with_time(self, day: str | None, parts: tuple[str | None, ...]) -> tuple[str, str] | None:
        if day is None:
            return None
        if parts[0] is None:
            return day, ""
        time = self._time(*parts)
        return None if time is None else (day, time)

    def _time(
        self,
        hour: str | None,
        minute: str | None,
        second: str | None,
        fraction: str | None,
        half: str | None,
        zone: str | None,
    ) -> str | None:
        if hour is None or (minute is None and half is None):
            return None  # a lone number behind a date is no time
        hours, minutes, seconds = int(hour), int(minute or 0), int(second or 0)
        if half:
            if hours > 12:
                return None
            hours = hours % 12 + (12 if half[0] in "pP" else 0)
        if hours > 23 or minutes > 59 or seconds > 59:
            return None
        digits = (fraction or "").rstrip("0")
        offset = self._offset(zone)
        if offset is None:
            return None
        return f"{hours:02}:{minutes:02}:{seconds:02}{'.' + digits if digits else ''}{offset}"

    def _offset(self, zone: str | None) -> str | None:
        if not zone:
            return ""
        folded = zone.lower()
        if folded in ("z", "utc", "gmt"):
            return "Z"
        if folded[0] not in "+-":
            return self._zones.get(folded)
        hours, minutes = folded[1:3], folded[-2:]
        return f"{folded[0]}{hours}:{minutes}" if int(hours) <= 14 and int(minutes) <= 59 else None


def _named(text: str) -> str | None:
    """'jan 15 2026', 'fri 3 jan 2025', '15 de enero de 2026', '2026-jan-15': a folded date with its month in words."""
    pieces = [piece for piece in _PIECES.split(text) if piece and piece not in NOISE_WORDS]
    if len(pieces) == 4 and pieces[0] in WEEKDAYS:
        pieces = pieces[1:]
    if len(pieces) != 3:
        return None
    if pieces[0] in MONTHS:
        month, day, year = pieces
    elif pieces[1] in MONTHS:
        day, month, year = pieces
        if len(day) == 4 and day.isdigit():
            day, year = year, day
    else:
        return None
    match = _DAY.fullmatch(day)
    if match is None or not year.isdigit():
        return None
    return _day_text(_full_year(year), MONTHS[month], int(match[1]))
