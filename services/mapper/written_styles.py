"""How the files of a session write dates and numbers, for columns whose own values do not tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.mapper.transforms import default_decimal_mark, is_month_first
from shared.catalog.date_order import DateOrder, agreed_order, open_date
from shared.catalog.model import Field, FieldType
from shared.messages.analysis import ColumnProfile, Detection

DecimalMark = Literal[".", ","]

_DATES = frozenset({FieldType.DATE, FieldType.DATETIME})
_NUMBERS = frozenset({FieldType.MONEY, FieldType.DECIMAL, FieldType.INTEGER})
_OPEN_NUMBER = re.compile(r"(?<![\d.,])[1-9]\d{0,2}[.,]\d{3}(?![\d.,])", re.ASCII)


@dataclass(frozen=True)
class WrittenStyles:
    """What the columns that tell it agree on, first those of the file, then those of the session's other files."""

    region: str = "US"
    date_order: DateOrder | None = None
    dates_of: str = "file"
    decimal_mark: DecimalMark | None = None
    marks_of: str = "file"

    def order_of(self, profile: ColumnProfile) -> DateOrder | None:
        """The order of a date column's day and month; None leaves it to the region."""
        return profile.date_order or self.date_order

    def mark_of(self, profile: ColumnProfile) -> DecimalMark | None:
        """The decimal mark of a column of numbers; None leaves it to the region."""
        return profile.decimal_mark or self.decimal_mark

    def reason(self, field: Field, profile: ColumnProfile) -> str | None:
        """How values that can be read in two ways are read, and why so; None where there are none."""
        values = [value for value, _ in profile.frequent] or profile.examples
        if field.type in _DATES and profile.date_order is None and (text := open_date(values)):
            return self._of_dates(text)
        if field.type in _NUMBERS and profile.decimal_mark is None and (text := _open_number(values)):
            return self._of_marks(text)
        return None

    def _of_dates(self, text: str) -> str:
        if self.date_order is not None:
            which = "day" if self.date_order == "dmy" else "month"
            return f"“{text}” is read as {which} first, like the other dates of the {self.dates_of}."
        which = "month" if is_month_first(self.region) else "day"
        return f"“{text}” is read as {which} first: no date tells the day from the month. Correct it if that is wrong."

    def _of_marks(self, text: str) -> str | None:
        usual = default_decimal_mark(self.region)
        mark = self.decimal_mark or usual
        if mark is None or (mark == usual and mark not in text):
            return None  # unreadable, which is said of each value; or a comma between thousands, which nobody doubts
        if self.decimal_mark is not None:
            name = "point" if mark == "." else "comma"
            return f"“{text}” is read with a decimal {name}, like the other numbers of the {self.marks_of}."
        return f"“{text}” is read as {text.rstrip('0').rstrip(mark)}: no other number tells what its point parts."


NO_STYLES = WrittenStyles()
"""Nothing is known of other columns."""


def written_styles(detections: Sequence[Detection], region: str = "US") -> list[WrittenStyles]:
    """The styles of each file of a session. Columns of a file that contradict each other leave it to the region."""
    orders = [{c.date_order for c in d.columns if c.date_order in ("dmy", "mdy")} for d in detections]
    marks = [{c.decimal_mark for c in d.columns if c.decimal_mark} for d in detections]
    all_orders, all_marks = set().union(*orders), set().union(*marks)
    return [
        WrittenStyles(
            region=region,
            date_order=agreed_order(own_orders or all_orders),
            dates_of="file" if own_orders else "session",
            decimal_mark=agreed_mark(own_marks or all_marks),
            marks_of="file" if own_marks else "session",
        )
        for own_orders, own_marks in zip(orders, marks, strict=True)
    ]


def agreed_mark(marks: Iterable[DecimalMark | None]) -> DecimalMark | None:
    """The mark of the columns that tell it; None where none does or they contradict."""
    told = {mark for mark in marks if mark}
    return told.pop() if len(told) == 1 else None


def _open_number(values: Iterable[str]) -> str | None:
    return next((match[0] for value in values if (match := _OPEN_NUMBER.search(value))), None)
