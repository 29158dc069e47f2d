"""Which row names the columns, which rows above it are titles, and which rows at the end are totals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from shared.connectors.delimited.dialect import HEAD_ROWS, HeadRow, usual_width
from shared.messages.landing import LeftOutReason

HEADER_LINES_MAX = 20
"""A header row begins on one of the first 20 physical lines."""
FOOTER_ROWS_MAX = 8
"""Totals and remarks are looked for among the last 8 rows only: anywhere else such a row is a record."""

# A longer cell is text: it is not matched, so that no pattern runs over megabytes.
_VALUE_CHARS_MAX = 200
_YEAR = re.compile(r"(?:19|20)\d\d")
_ARMOUR = re.compile(r'="(.*)"', re.DOTALL)
_NUMBER = re.compile(r"[-+(]?\s*(?:[$€£]|USD|CAD)?\s*[-+]?[\d.,' ]*\d[\d.,]*\s*(?:[%€$)]|USD|CAD)*")
_VALUE = re.compile(
    r"[^@\s]+@[^@\s]+\.[^@\s]+"  # e-mail
    r"|https?://\S+"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?"  # date
    r"|[a-z]{3,9}\.? \d{1,2},? \d{4}.*"  # Jan 15, 2026
    r"|\+?\(?\d[\d\s().-]{6,}\d(?:\s*(?:x|ext\.?)\s*\d+)?"  # phone
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{13,}",  # UUID
    re.IGNORECASE,
)
_TOTAL = re.compile(r"(?:(?:grand|sub|report|overall|page)[ -]?)?(?:total|totals|sum|summary)\s*[:=]?", re.IGNORECASE)
_COUNT = re.compile(
    r"(?:total |number of )*(?:records?|rows?|count|results?)(?: count)?\s*[:=]?\s*[\d,.]+"
    r"|(?:total:? )?[\d,.]+ (?:total )?(?:records?|rows?|results?)(?: (?:found|returned|exported|total|selected))?\.?",
    re.IGNORECASE,
)
_END = re.compile(r"[-=*#/<\s]*end of (?:the )?(?:report|file|data|export|list)\b.{0,40}$", re.IGNORECASE)
_REMARK = re.compile(
    _END.pattern + r"|(?:report |file )?(?:generated|exported|printed|created) (?:by|on|at)\b.*"
    r"|(?:copyright|©|\(c\)|confidential information)\b.*"
    r"|page \d+ of \d+"
    r"|[-=*_#\s]{3,}",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Heading:
    """`row` is the index of the header row among the head rows (None: there is none), `body` of the first data row."""

    row: int | None
    body: int
    headers: tuple[str, ...]


def strip_armour(cell: str) -> str:
    """The text inside a spreadsheet's ="123", or the cell as it is."""
    if cell.startswith('="') and (match := _ARMOUR.fullmatch(cell)):
        return match.group(1)
    return cell


def is_blank(cell: str) -> bool:
    return not cell.replace("\0", "").strip()


def find_heading(rows: list[HeadRow], header_line: int | None = None) -> Heading | None:
    """Find the header row, or take the one on `header_line` (0: none). None where no row begins on that line."""
    if header_line:
        index = next((index for index, row in enumerate(rows) if row.line == header_line and row.cells), None)
        return None if index is None else _with_header(rows, index)
    filled = [index for index, row in enumerate(rows) if not all(is_blank(cell) for cell in row.cells)][:HEAD_ROWS]
    if not filled:
        return Heading(None, len(rows), ("",) * usual_width(rows))
    width = usual_width([rows[index] for index in filled])
    if header_line is None:
        for place, index in enumerate(filled):
            if rows[index].line > HEADER_LINES_MAX:
                break
            below = [rows[other].cells for other in filled[place + 1 :]]
            if _is_data(rows[index].cells, width, below):
                break
            if _is_header(rows[index].cells, width, below):
                if _recurs(rows[index].cells, below):
                    break
                return _with_header(rows, index)
    body = next((index for index in filled if width < 3 or len(_filled(rows[index].cells)) > 1), filled[0])
    return Heading(None, body, ("",) * width)


def _with_header(rows: list[HeadRow], index: int) -> Heading:
    headers = [plain(cell) for cell in rows[index].cells]
    below = [row.cells for row in rows[index + 1 :] if row.cells][:HEAD_ROWS]
    longer = [cells for cells in below if len(cells) > len(headers)]
    if longer:
        widths = [len(cells) for cells in longer]
        usual = max(set(widths), key=widths.count)
        if widths.count(usual) > len(below) / 2:
            # Most rows go on by as many cells: the header row only lacks the names of the last columns.
            used = max(len(_used(cells)) for cells in longer if len(cells) == usual)
            headers += [""] * (used - len(headers))
    return Heading(index, index + 1, tuple(headers))


def _used(cells: list[str]) -> list[str]:
    """The cells up to the last one that is filled."""
    last = max((index for index, cell in enumerate(cells) if not is_blank(cell)), default=-1)
    return cells[: last + 1]


def _filled(cells: Sequence[str]) -> list[str]:
    return [plain(cell) for cell in cells if not is_blank(cell)]


def _is_data(cells: list[str], width: int, below: list[list[str]]) -> bool:
    """A full row with e-mails, phones, dates or numbers like those below it: the table has begun without a header."""
    filled = _filled(cells)
    if len(cells) < width or 2 * len(filled) < width:
        return False
    like_below = [
        cell
        for index, cell in enumerate(map(plain, cells))
        if (_is_value(cell) or _is_number(cell)) and _values_below(index, below)
    ]
    return any(map(_is_value, like_below)) or len(like_below) > 0.2 * len(filled)


def _values_below(column: int, below: list[list[str]]) -> bool:
    """Whether the column goes on as it begins, with values (under a date range above a table it does not)."""
    cells = [plain(row[column]) for row in below if column < len(row) and not is_blank(row[column])]
    return 3 * sum(_is_value(cell) or _is_number(cell) for cell in cells) >= len(cells)


def plain(cell: str) -> str:
    """A cell as it is compared: without NUL bytes, armour and outer white space."""
    return strip_armour(cell.replace("\0", "").strip()).strip()


def _is_value(cell: str) -> bool:
    return len(cell) <= _VALUE_CHARS_MAX and _VALUE.fullmatch(cell) is not None


def _is_number(cell: str) -> bool:
    """Numbers and amounts; not a year alone, which may well head a column."""
    return len(cell) <= _VALUE_CHARS_MAX and _NUMBER.fullmatch(cell) is not None and _YEAR.fullmatch(cell) is None


def _is_header(cells: list[str], width: int, below: list[list[str]]) -> bool:
    filled = _filled(cells)
    values = sum(_is_value(cell) or _is_number(cell) for cell in filled)
    if values > 0.2 * len(filled):
        return False
    if width > 1 and (len(filled) < 2 or 2 * len(cells) < width):
        return len(cells) == 1 and _names_only_first(cells, below)
    if len(filled) < 0.6 * len(cells) and len(_used(cells)) != len(filled):
        return False
    return 2 * len({cell.casefold() for cell in filled}) >= len(filled)


def _names_only_first(cells: list[str], below: list[list[str]]) -> bool:
    """A lone cell above wider data is a title, unless every row below is data of two columns."""
    return len(cells) == 1 and bool(below) and all(len(row) == 2 and _is_data(row, 2, below) for row in below)


def _recurs(cells: list[str], below: list[list[str]]) -> bool:
    """The row's texts are values of their columns too, so it is the first record of a file without a header row."""
    others = [row for row in below if row != cells]
    if len(others) < 5:
        return False
    counts = [
        sum(index < len(row) and row[index] == cell for row in others)
        for index, cell in enumerate(cells)
        if not is_blank(cell)
    ]
    return sum(count > 0 for count in counts) >= 2 or max(counts, default=0) >= 0.2 * len(others)


def footer_reasons(rows: list[tuple[int, list[str]]], width: int) -> list[LeftOutReason]:
    """Why the last rows of a file are no records, one reason per row from the last one upwards, up to the first record.

    `rows` are the file's last rows with their lines, cells as written. A row counts as a total only if a word such as
    "Total" stands alone in its first filled cell and nothing but numbers beside it; as a remark only if it is the
    one filled cell of a row of several columns. A customer named "Total Comfort HVAC" is a record.
    """
    block: list[LeftOutReason | None] = []
    for _, cells in reversed(rows):
        reason = _footer_reason(cells, width)
        if reason is None and (width < 3 or len(cells) != 1):
            break
        block.append(reason)
    above = len(rows) - len(block) - 1
    set_off = above >= 0 and rows[above + 1][0] - rows[above][0] > 1 if block else False
    if set_off and any(block):
        # Below a blank line, lone cells beside remarks are remarks too: a report's name, a company's.
        return [reason or "comment" for reason in block]
    return [reason for reason in takewhile(bool, block) if reason is not None]


def _footer_reason(cells: list[str], width: int) -> LeftOutReason | None:
    filled = _filled(cells)
    first = filled[0] if filled else ""
    if not first or len(first) > _VALUE_CHARS_MAX:
        return None
    if width == 1:
        return "comment" if _END.match(first) else None
    if len(filled) == 1:
        if _COUNT.fullmatch(first):
            return "total"
        if _REMARK.fullmatch(first):
            return "comment"
    if _TOTAL.fullmatch(first) and all(_is_number(cell) for cell in filled[1:]):
        return "total"
    return None
