"""Columns whose values hardly repeat (amounts, phones, e-mails, times): the usual spelling is converted a whole column
at a time by string operations; every other cell goes to the parser. Both give the same result to the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from services.mapper.transforms.cells import MEMO_ENTRIES_MAX, Converted, Members, MemoColumn, Parser
from services.mapper.transforms.phones import area_codes

_Usual = tuple[list[Any], Sequence[str], Sequence[str] | None]

_HEAD = 20
"""So many cells tell whether a column is mostly written as usual."""


class BulkColumn(MemoColumn):
    """`usual` is a pattern of cells that `_convert_usual` understands; such cells need no escaping in JSON."""

    usual: str
    filler: str
    """A usual cell that stands in for the others, so that one of them does not slow down the whole column."""
    quote = '"'
    """Around the values in JSON."""

    def __init__(self, field: str, parse: Parser) -> None:
        super().__init__(field, parse)
        self._usual = re.compile(f"(?:{self.usual})?", re.ASCII)
        self._usual_lines = re.compile(rf"(?:(?:{self.usual})?\n)*+", re.ASCII)

    def convert(self, cells: Sequence[str]) -> Converted:
        """One result per cell, in order."""
        head = cells[:_HEAD]
        text = "\n".join(cells)
        if text.count("\n") >= len(cells) or 2 * sum(map(bool, map(self._usual.fullmatch, head))) < len(head):
            return super().convert(cells)
        usual, places = cells, self._odd(text)
        if places:
            usual = list(cells)
            for i in places:
                usual[i] = self.filler
            text = "\n".join(usual)
        values, texts, originals = self._convert_usual(usual, text)
        codes: list[str | None] | None = None
        if None in values:
            places += [i for i, value in enumerate(values) if value is None and usual[i]]
        if places:
            texts, originals, codes = list(texts), list(originals or [""] * len(cells)), [None] * len(cells)
            for i in places:
                values[i], json, original, codes[i] = self[cells[i]]
                texts[i], originals[i] = json[1:-1] if self.quote else json, original[1:-1]
        return Converted(
            values,
            Members(self._prefix + self.quote, texts, self.quote),
            Members(f'{self._prefix}"', originals, '"') if originals and any(originals) else None,
            codes if codes and any(codes) else None,
        )

    def _odd(self, text: str) -> list[int]:
        """Which lines are neither usual nor empty. A run of usual lines is one match (0.1 to 0.4 µs a line)."""
        places: list[int] = []
        text += "\n"
        at = line = 0
        while (begin := self._usual_lines.match(text, at).end()) < len(text):  # type: ignore[union-attr]
            line += text.count("\n", at, begin)
            places.append(line)
            line += 1
            at = text.index("\n", begin) + 1
        return places

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        """Values, their JSON texts and originals, both without quotes, of cells that are usual or empty.

        `text` is all of them, line by line. A usual cell of which it cannot make anything (an unknown area code) gets
        the value None and the text "".
        """
        raise NotImplementedError


class MoneyColumn(BulkColumn):
    """`$1,234.56`, `1234.56`: two digits after a point, no sign."""

    usual = r"\$?(?:[1-9]\d{0,2}+(?:(?:,\d{3}){1,3}+|\d{0,7}+)|0)\.\d\d"
    filler = "$1.00"
    quote = ""

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        lines = "\n" + text.translate(_NO_MONEY_SIGNS)
        # An amount below 1.00 is three digits, of which the first one or two may be a zero too many.
        lines = lines.replace("\n0", "\n").replace("\n0", "\n")[1:]
        texts = lines.split("\n")
        if all(texts):  # the JSON reader makes whole numbers at a third of the cost of `int`
            values: list[Any] = _WHOLE_NUMBERS.decode(f"[{lines.replace(chr(10), ',')}]")
        else:
            values = [int(number) if number else None for number in texts]
        if text.count("$") == len(cells):
            return values, texts, cells
        if "$" in text or "," in text:
            return values, texts, [c if "$" in c or "," in c else "" for c in cells]
        return values, texts, None


class PhoneColumn(BulkColumn):
    """North American numbers without an extension, in the spellings people use."""

    usual = r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-]?)[2-9]\d\d[ .-]?\d{4}"
    filler = "201-555-0100"

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        codes = area_codes()
        numbers = [digits[-10:] for digits in text.translate(_NO_PHONE_SIGNS).split("\n")]
        values: list[Any] = [f"+1{number}" if number[:3] in codes else None for number in numbers]
        texts = values if None not in values else [value or "" for value in values]
        if "+" in text:
            originals = ["" if cell == value else cell for cell, value in zip(cells, texts, strict=True)]
            return values, texts, [kept if value else "" for kept, value in zip(originals, values, strict=True)]
        return values, texts, cells if texts is values else [c if v else "" for c, v in zip(cells, values, strict=True)]


class EmailColumn(BulkColumn):
    """Plain addresses whose domain is in lower case."""

    usual = (
        r"[A-Za-z0-9_%+-]++(?:\.[A-Za-z0-9_%+-]++)*+"
        r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}"
    )
    filler = "a@example.com"

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        return list(cells) if all(cells) else [cell or None for cell in cells], cells, None


class DateColumn(BulkColumn):
    """Dates in digits: one look-up a cell, for the value is its own JSON text and the cell its own original."""

    usual = r"[\d/.-]{6,10}+"
    filler = "1/1/2000"

    def __init__(self, field: str, parse: Parser) -> None:
        super().__init__(field, parse)
        self._dates = _Parts(parse, "{}", slice(None))

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        return self._stored(list(map(self._dates.__getitem__, cells)), cells, text)

    def _stored(self, texts: list[str], cells: Sequence[str], text: str) -> _Usual:
        values: list[Any] = list(texts) if all(texts) else [stored or None for stored in texts]
        if "-" in text:  # some cells may be written as they are stored
            return values, texts, ["" if cell == stored else cell for cell, stored in zip(cells, texts, strict=True)]
        return values, texts, cells


class DatetimeColumn(DateColumn):
    """A day and a time of day: each of the two repeats, so each has a memo of its own."""

    usual = (
        r"\d{1,2}/\d{1,2}/\d{4}(?: \d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp][Mm])?)?"
        r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?"
    )

    def __init__(self, field: str, parse: Parser) -> None:
        super().__init__(field, parse)
        self._days = _Parts(parse, "{}", slice(0, 10))
        self._times = _Parts(parse, "2000-01-01 {}", slice(10, None))

    def _convert_usual(self, cells: Sequence[str], text: str) -> _Usual:
        is_iso = "T" in text
        if not is_iso and " " not in text:
            return super()._convert_usual(cells, text)
        days, times = self._days, self._times
        parts = [cell.partition(" ") for cell in (text.replace("T", " ").split("\n") if is_iso else cells)]
        texts = [on + at if (on := days[day]) and (at := times[time]) else "" for day, _, time in parts]
        return self._stored(texts, cells, text)


class _Parts(dict[str, str]):
    """Day, time of day -> its part of the stored moment ("" where it is none), kept like every memo."""

    def __init__(self, parse: Parser, moment: str, part: slice) -> None:
        super().__init__()
        self._parse, self._moment, self._part = parse, moment, part

    def __missing__(self, text: str) -> str:
        if len(self) >= MEMO_ENTRIES_MAX:
            self.clear()
        found: str = (self._parse(self._moment.format(text).strip()).value or "")[self._part]
        self[text] = found
        return found


_WHOLE_NUMBERS = msgspec.json.Decoder(list[int])
_NO_MONEY_SIGNS = str.maketrans("", "", "$,.")
_NO_PHONE_SIGNS = str.maketrans("", "", "()+-. ")
