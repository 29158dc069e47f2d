"""How a file is laid out: its encoding, delimiter, header row and the place where the rows of its table begin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.connectors.delimited.dialect import HEAD_ROWS, HeadRow, find_delimiter, head_rows
from shared.connectors.delimited.encoding import TextForm, beginning, encoded_length, readable, text_form
from shared.connectors.delimited.header import HEADER_LINES_MAX, Heading, find_heading, is_blank
from shared.connectors.delimited.quotes import ROW_CHARS_MAX
from shared.errors import BadInputError
from shared.messages.landing import LeftOut, Reading

COLUMNS_MAX = 2_000
"""Wider files are no exports of records: the widest known export has under 200 columns."""
# Detection looks at the beginning of a file; more of it only where a single row fills all that was looked at.
_HEAD_BYTES = (1 << 18, 1 << 20, ROW_CHARS_MAX + (1 << 18))


@dataclass(frozen=True)
class Layout:
    """What the beginning of a file says: the reading, and the byte and line at which the table's rows begin."""

    form: TextForm
    reading: Reading
    header_first: str | None
    """The first cell of the header row as written, None without a header row."""
    position: int
    line: int
    left_out: tuple[LeftOut, ...]
    blank_lines: int


def detect_reading(
    path: Path,
    *,
    name: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_line: int | None = None,
) -> Reading:
    """How a file is to be read. Looks at all its bytes for the encoding and at its beginning for everything else.

    `encoding`, `delimiter` and `header_line` (1-based, 0: no header row) are the user's choice, None leaves it open.
    `name` is what the file is called in errors. Raises BadInputError where the file is no delimited text.
    """
    return layout_of(path, name or path.name, encoding, delimiter, header_line).reading


def layout_of(
    path: Path,
    name: str,
    encoding: str | None,
    delimiter: str | None,
    header_line: int | None,
    *,
    quoting: bool | None = None,
) -> Layout:
    """As `detect_reading`; `quoting` None leaves open whether quotes delimit cells."""
    form = text_form(path, name=name, encoding=encoding)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise BadInputError(f"{delimiter!r} cannot delimit the cells of {name}.", next_step="Choose one character.")
    text, rows, found, quoted = _head(path, name, form, delimiter, quoting)
    if not any(row.cells for row in rows):
        raise BadInputError(f"{name} is empty: it has no rows.", next_step="Export it again and look that it has rows.")
    heading = find_heading(rows, header_line)
    if heading is None:
        raise BadInputError(
            f"No row of {name} begins on line {header_line}, which was given as its header row.",
            next_step="Give the line on which the column names stand, or 0 if the file has none.",
        )
    if len(heading.headers) > COLUMNS_MAX:
        at = rows[heading.row if heading.row is not None else heading.body].line
        raise _too_wide(name, len(heading.headers), at)
    reading = Reading(
        encoding=form.encoding,
        delimiter=found,
        header_line=None if heading.row is None else rows[heading.row].line,
        headers=heading.headers,
        quoting=quoted,
        replaced_bytes=form.replaced_bytes,
    )
    return _above_body(form, reading, heading, rows, text)


def _above_body(form: TextForm, reading: Reading, heading: Heading, rows: list[HeadRow], text: str) -> Layout:
    above = [row for index, row in enumerate(rows[: heading.body]) if index != heading.row]
    left_out = tuple(
        LeftOut(row.line, "empty_cells" if all(is_blank(cell) for cell in row.cells) else "title")
        for row in above
        if row.cells
    )
    blank_lines = sum(not row.cells for row in above)
    if heading.body < len(rows):
        body, line = rows[heading.body].start, rows[heading.body].line
    else:
        last = rows[-1]
        body, line = last.end, last.line + last.lines
    position = form.start + encoded_length(text[:body], form.encoding)
    header_first = None if heading.row is None else rows[heading.row].cells[0]
    return Layout(form, reading, header_first, position, line, left_out, blank_lines)


def _head(
    path: Path, name: str, form: TextForm, delimiter: str | None, quoting: bool | None
) -> tuple[str, list[HeadRow], str, bool]:
    """(text, rows, delimiter, quoting) of the beginning of the file."""
    text, rows, found, is_all = "", list[HeadRow](), "", False
    for size in _HEAD_BYTES:
        text, is_all = beginning(path, form, size)
        shown = readable(text)
        found = delimiter or find_delimiter(shown, final=is_all)
        rows = _rows(shown, found, quoting is not False, is_all)
        if is_all or len(rows) > 1:
            break
        _refuse_wide_first_row(shown, name, delimiter)
    if not rows and not is_all:
        raise line_too_long(name, 1, text)
    if quoting is None:
        quoting = not _quotes_are_text(rows)
        if not quoting:
            rows = _rows(readable(text), found, False, is_all)
    return text, rows, found, quoting


def _refuse_wide_first_row(text: str, name: str, delimiter: str | None) -> None:
    """A row of which the end is not even in sight is refused by what is seen of it, before more is read."""
    found = delimiter or find_delimiter(text, final=True)
    columns = max((len(row.cells) for row in _rows(text, found, True, True)[:1]), default=0)
    if columns > COLUMNS_MAX:
        raise _too_wide(name, columns, 1)


def _too_wide(name: str, columns: int, line: int) -> BadInputError:
    return BadInputError(
        f"{name} has {columns:,} or more columns on line {line}; at most {COLUMNS_MAX:,} can be read.",
        next_step="Look that the right file was chosen, or export fewer columns.",
    )


def line_too_long(name: str, line: int, text: str) -> BadInputError:
    """The refusal of a line of which `text` is the beginning."""
    return BadInputError(
        f"Line {line} of {name} is longer than {ROW_CHARS_MAX >> 20} MiB "
        f"(it begins with {readable(text[:40])!r}). Nothing was imported from the file.",
        next_step="Look that the right file was chosen, or export it again with one record per line.",
    )


def _rows(text: str, delimiter: str, quoting: bool, final: bool) -> list[HeadRow]:
    return head_rows(text, delimiter, quoting=quoting, final=final, rows_max=HEADER_LINES_MAX + 2 * HEAD_ROWS)


def _quotes_are_text(rows: list[HeadRow]) -> bool:
    """Of the rows with quotes most have one that is never closed: inch marks, not delimiters."""
    literal = sum(row.literal for row in rows)
    return literal >= 3 and 2 * literal > sum(row.literal or '"' in "".join(row.cells) for row in rows)
