"""In which order a column writes day, month and year. It is a fact of the column or of the file, never of a cell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

DateOrder = Literal["mdy", "dmy", "ymd"]

_NUMERIC = re.compile(r"\s*(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?!\d)", re.ASCII)


def decide_date_order(values: Iterable[str]) -> DateOrder | None:
    """The order of a column's dates: a first part above 12 says day first, a second one month first.

    None where nothing tells them apart, or where the cells contradict each other.
    """
    seen: set[DateOrder] = set()
    for value in values:
        match = _NUMERIC.match(value)
        if match is None:
            continue
        first, second = match[1], int(match[3])
        if len(first) == 4 or (int(first) > 31 and len(match[4]) == 2):
            seen.add("ymd")
        elif int(first) > 12:
            seen.add("dmy")
        elif second > 12:
            seen.add("mdy")
    day_or_month_first = seen - {"ymd"}
    if len(day_or_month_first) == 2:
        return None
    return next(iter(day_or_month_first or seen), None)


def open_date(values: Iterable[str]) -> str | None:
    """The first date that is another one day first than month first: 06/07/2024, but neither 06/06 nor 2024-06-07."""
    for value in values:
        match = _NUMERIC.match(value)
        if match and len(match[1]) <= 2 and int(match[1]) != int(match[3]) and max(int(match[1]), int(match[3])) <= 12:
            return value.strip()
    return None


def agreed_order(orders: Iterable[DateOrder | None]) -> DateOrder | None:
    """Whether columns that tell it have the day or the month first; None where none does or they contradict.

    Columns with the year first say nothing about the others.
    """
    told = {order for order in orders if order in ("dmy", "mdy")}
    return told.pop() if len(told) == 1 else None
