"""The many ways in which exports write the same telephone number, amount, date or name."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

_PHONE_FORMS = (
    "({a}) {b}-{c}",
    "{a}-{b}-{c}",
    "{a}.{b}.{c}",
    "{a}{b}{c}",
    "+1 {a} {b} {c}",
    "1-{a}-{b}-{c}",
    "({a}){b}-{c}",
    "+1{a}{b}{c}",
)
_EXTENSION_FORMS = (" x{e}", " ext. {e}", " ext {e}")


def phone(digits: str, form: int, extension: str = "") -> str:
    """Ten digits in one of the usual forms; `form` may be any number."""
    if not digits:
        return ""
    text = _PHONE_FORMS[form % len(_PHONE_FORMS)].format(a=digits[:3], b=digits[3:6], c=digits[6:])
    return text + _EXTENSION_FORMS[form % len(_EXTENSION_FORMS)].format(e=extension) if extension else text


def e164(digits: str) -> str | None:
    return f"+1{digits}" if digits else None


def money(amount: Decimal, form: int = 0) -> str:
    """$1,234.50, sometimes 1234.50; a negative amount in brackets or with a sign before the currency."""
    if amount < 0:
        return f"({-amount:,.2f})" if form % 2 == 0 else f"-${-amount:,.2f}"
    return f"{amount:.2f}" if form % 5 == 4 else f"${amount:,.2f}"


def amount(value: Decimal | None) -> str | None:
    """How the hub exports an amount."""
    return None if value is None else f"{value:.2f}"


def long_date(day: date | None) -> str:
    """Jan 15, 2026"""
    return "" if day is None else f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


def slash_date(day: date | None, padded: bool = False) -> str:
    """1/15/2026, or 01/15/2026 where padded"""
    if day is None:
        return ""
    return f"{day.month:02d}/{day.day:02d}/{day.year}" if padded else f"{day.month}/{day.day}/{day.year}"


def slash_time(moment: datetime | None) -> str:
    """1/15/2026 9:00 AM"""
    if moment is None:
        return ""
    hour = moment.hour % 12 or 12
    return f"{slash_date(moment.date())} {hour}:{moment.minute:02d} {'AM' if moment.hour < 12 else 'PM'}"


def iso_day(day: date | None) -> str | None:
    """How the hub exports a date."""
    return None if day is None else day.isoformat()


def iso_moment(moment: date | None) -> str | None:
    """How the hub exports a time without a zone; a bare day begins at midnight."""
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return moment.isoformat(timespec="seconds")


def can_have_typo(name: str) -> bool:
    return max(map(len, name.split()), default=0) >= 7


def typo(name: str, form: int) -> str:
    """One typing error inside the longest word: two letters swapped, one missing, or one doubled."""
    word = max(name.split(), key=len)
    at = 2 + form % (len(word) - 4)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    wrong = (swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:])[form % 3]
    if wrong == word:  # two equal neighbours were swapped
        wrong = word[:at] + word[at + 1 :]
    return name.replace(word, wrong, 1)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
