"""Quotes that are opened and never closed: how they are told from long cells, and how their line is read instead."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

ROW_CHARS_MAX = 4 << 20
"""No cell is looked for further than this: a quote still open then is taken for text, a line still going is refused."""
# A cell of more line breaks or characters than this is looked at twice; real notes of that size exist.
_LINES_SUSPICIOUS = 50
_CHARS_SUSPICIOUS = 1 << 16
# How much of a suspicious row is looked at: enough to be sure, little enough to cost nothing.
_LINES_JUDGED = 200
_CHARS_JUDGED = 1 << 18
# In a closed, well-formed cell of some lines each comma must be where a record would have it, this many times over.
_COINCIDENCES_MAX = 12


def csv_rows(lines: Iterator[str] | list[str], delimiter: str, *, quoting: bool = True) -> CsvReader:
    """The standard library's reader, with cells as long as a row may be."""
    csv.field_size_limit(8 * ROW_CHARS_MAX)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE)


@lru_cache(maxsize=16)
def _patterns(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """(one cell of a line, a whole well-formed row)."""
    other = re.escape(delimiter)
    quoted = r'"([^"]*+(?:""[^"]*+)*+)"'
    cell = re.compile(rf"{quoted}(?={other}|\Z)|([^{other}]*+)")
    bare = rf'(?:"[^"]*+(?:""[^"]*+)*+"|[^{other}"\r\n][^{other}\r\n]*+|)'
    return cell, re.compile(rf"{bare}(?:{other}{bare})*+(?:\r\n|\r|\n|)")


def literal_cells(line: str, delimiter: str) -> list[str]:
    """The cells of one physical line, never looking beyond it: a quote that is not closed in the line is text.

    Cells that are properly quoted on the line are still unquoted.
    """
    pattern = _patterns(delimiter)[0]
    text = line.rstrip("\r\n")
    cells: list[str] = []
    at = 0
    while True:
        match = pattern.match(text, at)
        assert match is not None  # the second alternative matches everywhere
        quoted = match.group(1)
        cells.append(match.group(2) if quoted is None else quoted.replace('""', '"'))
        if match.end() == len(text):
            return cells
        at = match.end() + 1


def rows_of(
    text: str, delimiter: str, *, quoting: bool, width: int | None, final: bool
) -> Iterator[tuple[list[str], int, int, int]]:
    """The rows of a text that begins at a line start: (cells, end, physical lines, wasted) for each.

    `end` is the offset in characters behind the row. `wasted` is 0, or where the row is a line with an open quote,
    read literally, the number of characters that were read in vain before that was clear (at least 1).
    Unless `final`, the last row is held back, for it may go on in the text that follows.
    `width` is the number of columns, None where it is not known yet. A blank line is a row without cells.
    """
    stream = io.StringIO(text, newline="")
    tell = stream.tell
    length = len(text)
    start = 0
    while start < length:
        reader = csv_rows(stream, delimiter, quoting=quoting)
        seen = 0
        for row in reader:
            end = tell()
            line_number = reader.line_num
            lines = line_number - seen
            if lines > 1 or end == length:
                unfinished = end == length and not final
                at_end = end == length
                if quoting and _is_open_quote(
                    text[start:end], lines, delimiter, width, unfinished=unfinished, at_end=at_end
                ):
                    break
                if unfinished:
                    return
            yield row, end, lines, 0
            seen = line_number
            start = end
        else:
            return
        stream.seek(start)
        line = stream.readline()
        wasted = end - start
        start = tell()
        if start == length and not final:
            return
        yield literal_cells(line, delimiter), start, 1, wasted


def _is_open_quote(row: str, lines: int, delimiter: str, width: int | None, *, unfinished: bool, at_end: bool) -> bool:
    """Whether the first line of this row holds a quote that was never meant to reach into the lines below."""
    suspicious = lines > 1 and (lines > _LINES_SUSPICIOUS or len(row) > _CHARS_SUSPICIOUS)
    if lines > 1 and len(row) > ROW_CHARS_MAX:
        return True
    if unfinished:
        return suspicious and _lines_are_records(row, delimiter, width, share=0.9)
    if at_end and _ends_open(row, delimiter):
        return lines == 1 or suspicious or _lines_are_records(row, delimiter, width, share=0.8)
    if lines == 1:
        return False
    if _patterns(delimiter)[1].fullmatch(row) is None:
        return _lines_are_records(row, delimiter, width, share=0.8)
    coincidences = lines * ((width or 1) - 1)
    if not suspicious and coincidences < _COINCIDENCES_MAX:
        return False
    return _lines_are_records(row, delimiter, width, share=0.9 if suspicious else 1, closed=True)


def _ends_open(row: str, delimiter: str) -> bool:
    """A line put behind the row becomes part of it."""
    ended = row if row.endswith(("\n", "\r")) else row + "\n"
    return sum(1 for _ in csv_rows(io.StringIO(ended + "x", newline=""), delimiter)) == 1


def _lines_are_records(row: str, delimiter: str, width: int | None, *, share: float, closed: bool = False) -> bool:
    """Read line by line, nearly all lines have the file's width: they are records that the quote has swallowed.

    `closed`: the quote is closed as it should be, so the lines must also begin like records where the table is so
    narrow that the commas of a text could be taken for its columns.
    """
    lines = [line for line in islice(io.StringIO(row[:_CHARS_JUDGED], newline=""), _LINES_JUDGED) if line.strip()]
    first, *below = [literal_cells(line, delimiter) for line in lines]
    known = width or len(first)
    if len(first) != known or (closed and known == 1):
        return False
    if below and _opens(below[-1], known):
        below.pop()  # it opens the next long cell, whose end lies further below
    if sum(len(cells) == known for cells in below) < share * len(below):
        return False
    if closed and known <= 3:
        kind = _kind(first[0])
        return sum(_kind(cells[0]) == kind for cells in below) >= 0.8 * len(below)
    return True


def _opens(cells: list[str], width: int) -> bool:
    return len(cells) <= width and cells[-1].startswith('"')


def _kind(cell: str) -> str:
    text = cell.strip().strip('"')
    if not text:
        return "empty"
    return "digits" if text[0].isdigit() else "letters" if text.isalpha() else "mixed"
