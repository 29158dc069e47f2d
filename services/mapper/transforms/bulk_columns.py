"""Columns whose values hardly repeat (amounts, phones, e-mails, times): the usual spelling is converted a whole column
at a time by string operations; every other cell goes to the parser. Both give the same result to the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from services.mapper.transforms.cells import MEMO_ENTRIES_MAX, Converted, MemoColumn, Parser
from services.mapper.transforms.phones import area_codes

_Usual = tuple[list[Any], list[str], list[str] | None]


class BulkColumn(MemoColumn):
    """`usual` is a pattern of cells that `_convert_usual` understands; such cells need no escaping in JSON."""

    usual: str

    def __init__(self, field: str, parse: Parser) -> None:
        super().__init__(field, parse)
        self._odd = re.compile(rf"^(?!(?:{self.usual})$).+", re.MULTILINE | re.ASCII)

    def convert(self, cells: Sequence[str]) -> Converted:
        """One result per cell, in order."""
        text = "\n".join(cells)
        if not cells or text.count("\n") >= len(cells):
            return super().convert(cells)
        odd = set(self._odd.findall(text))
        if 2 * len(odd) > len(cells):
            return super().convert(cells)
        usual = ["" if cell in odd else cell for cell in cells] if odd else cells
        values, members, originals = self._convert_usual(usual, "\n".join(usual) if odd else text)
        codes = self._convert_odd([i for i, cell in enumerate(cells) if cell in odd], cells, values, members, originals)
        kept = originals or codes[0]
        return Converted(values, members, kept if kept and any(kept) else None, codes[1])

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        """Values, members and originals of cells that are usual or empty; `text` is all of them, line by line.

        A usual cell of which it cannot make anything (an unknown area code) gets the value None and no member.
        """
        raise NotImplementedError

    def _convert_odd(
        self,
        places: list[int],
        cells: Sequence[str],
        values: list[Any],
        members: list[str],
        originals: list[str] | None,
    ) -> tuple[list[str] | None, list[str | None] | None]:
        """Fills in the other cells; gives originals, where there were none before, and codes."""
        if None in values:
            places = [i for i, value in enumerate(values) if value is None and cells[i]]
        if not places:
            return None, None
        kept = originals or [""] * len(cells)
        codes: list[str | None] = [None] * len(cells)
        for i in places:
            values[i], members[i], kept[i], codes[i] = self[cells[i]]
        return (kept if any(kept) else None), (codes if any(codes) else None)

    def _quoted(self, texts: Sequence[str | None]) -> list[str]:
        prefix = self._prefix
        return [f'{prefix}"{text}"' if text else "" for text in texts]


class MoneyColumn(BulkColumn):
    """`$1,234.56`, `1234.56`: two digits after a point, no sign."""

    usual = r"\$?(?:0|[1-9]\d{0,2}(?:,\d{3}){1,3}|[1-9]\d{0,9})\.\d\d"

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        digits = text.translate(_NO_MONEY_SIGNS).split("\n")
        prefix = self._prefix
        values = [int(number) if number else None for number in digits]
        members = [f"{prefix}{value}" if value is not None else "" for value in values]
        if "$" in text or "," in text:
            return values, members, [f'{prefix}"{c}"' if "$" in c or "," in c else "" for c in cells]
        return values, members, None


class PhoneColumn(BulkColumn):
    """North American numbers without an extension, in the spellings people use."""

    usual = r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-]?)[2-9]\d\d[ .-]?\d{4}"

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        codes = area_codes()
        numbers = [digits[-10:] for digits in text.translate(_NO_PHONE_SIGNS).split("\n")]
        values = [f"+1{number}" if number[:3] in codes else None for number in numbers]
        prefix = self._prefix
        originals = [
            f'{prefix}"{cell}"' if value and cell != value else "" for cell, value in zip(cells, values, strict=True)
        ]
        return values, self._quoted(values), originals


class EmailColumn(BulkColumn):
    """Plain addresses whose domain is in lower case."""

    usual = (
        r"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*"
        r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}(?<!\.)"
    )

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        return [cell or None for cell in cells], self._quoted(cells), None


class DatetimeColumn(BulkColumn):
    """A day and a time of day: each of the two repeats, so each has a memo of its own."""

    usual = (
        r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?"
        r"|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?"
    )

    def __init__(self, field: str, parse: Parser) -> None:
        super().__init__(field, parse)
        self._days = _Parts(parse, "{}", slice(0, 10))
        self._times = _Parts(parse, "2000-01-01 {}", slice(10, None))

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        days, times = self._days, self._times
        is_iso = "T" in text
        parts = [(cell.replace("T", " ") if is_iso else cell).partition(" ") for cell in cells]
        values = [on + at if day and (on := days[day]) and (at := times[time]) else None for day, _, time in parts]
        if is_iso:
            kept = [cell if cell != value else "" for cell, value in zip(cells, values, strict=True)]
            return values, self._quoted(values), self._quoted(kept)
        return values, self._quoted(values), self._quoted(cells)


class _Parts(dict[str, str]):
    """Day or time of day -> its part of the stored moment ("" where it is none), kept like every memo."""

    def __init__(self, parse: Parser, moment: str, part: slice) -> None:
        super().__init__()
        self._parse, self._moment, self._part = parse, moment, part

    def __missing__(self, text: str) -> str:
        if len(self) >= MEMO_ENTRIES_MAX:
            self.clear()
        found: str = (self._parse(self._moment.format(text)).value or "")[self._part]
        self[text] = found
        return found


_NO_MONEY_SIGNS = str.maketrans("", "", "$,.")
_NO_PHONE_SIGNS = str.maketrans("", "", "()+-. ")
