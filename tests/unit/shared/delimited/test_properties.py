"""Any table comes back cell by cell, and any bytes are either refused or accounted for."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.connectors.delimited import land, read_cells_at, read_span, read_span_columns
from shared.errors import BadInputError

_CELLS = st.text(
    st.one_of(
        st.sampled_from("ab ,;|\t\"'\n\r=é€ñ漢😀\u2028\x0b\x1c"),
        st.characters(exclude_categories=("Cs", "Cc")),
    ),
    max_size=12,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    width = draw(st.integers(2, 6))
    names = st.text(st.sampled_from("abcdefgh"), min_size=1, max_size=8)
    header = draw(st.lists(names, min_size=width, max_size=width, unique=True))
    row = st.lists(_CELLS, min_size=width, max_size=width)
    return header, draw(st.lists(row, max_size=40))


@given(
    table=tables(),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    quote_all=st.booleans(),
    batch_records=st.integers(1, 9),
    batch_bytes=st.integers(1, 400),
)
@settings(deadline=None, max_examples=300)
def test_written_table_is_read_back_batch_by_batch(
    table: tuple[list[str], list[list[str]]],
    delimiter: str,
    end: str,
    encoding: str,
    quote_all: bool,
    batch_records: int,
    batch_bytes: int,
) -> None:
    header, rows = table
    if encoding == "cp1252":
        rows = [[cell.encode(encoding, "replace").decode(encoding) for cell in row] for row in rows]
    text, lines = _written([header, *rows], delimiter, end, quote_all)
    empties = {line for line, row in zip(lines[1:], rows, strict=True) if not "".join(row).strip()}
    repeats = {line for line, row in zip(lines[1:], rows, strict=True) if _stripped(row) == header} - empties
    expected = {
        line: row for line, row in zip(lines[1:], rows, strict=True) if line not in empties and line not in repeats
    }

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(text.encode(encoding))
        landed = land(
            path,
            delimiter=delimiter,
            header_line=1,
            encoding=None if encoding in ("utf-8-sig", "utf-16") else encoding,
            batch_records=batch_records,
            batch_bytes=batch_bytes,
        )
        batches = [read_span(path, landed.reading, span) for span in landed.spans]
        columns = [read_span_columns(path, landed.reading, span) for span in landed.spans]
        source = [read_cells_at(path, landed.reading, span, range(10_000)) for span in landed.spans]

    footers = {row.line for row in landed.left_out if row.reason in ("total", "comment")}
    found = {row.line: row.cells for batch in batches for row in batch}
    kept = {line: row for line, row in expected.items() if line not in footers}
    assert found == {line: [_unarmoured(cell) for cell in row] for line, row in kept.items()}
    assert landed.records == len(found) == len(kept)
    assert {row.line for row in landed.left_out if row.reason == "empty_cells"} == empties
    assert {row.line for row in landed.left_out if row.reason == "repeated_header"} == repeats
    assert all(len(batch) <= batch_records for batch in batches)
    for (lines_read, by_column, extras), batch in zip(columns, batches, strict=True):
        assert lines_read == [row.line for row in batch]
        assert [list(cells) for cells in zip(*by_column, strict=True)] == [row.cells for row in batch]
        assert extras == {}
    numbered = {number: cells for part in source for number, cells in part.items()}
    assert list(numbered) == list(range(landed.records))
    assert list(numbered.values()) == list(kept.values())


def _written(rows: list[list[str]], delimiter: str, end: str, quote_all: bool) -> tuple[str, list[int]]:
    """The text, and the physical line each row begins on.

    Where it may, it is written by the standard library, which leaves a line break other than its own unquoted.
    """
    lines: list[int] = []
    text = ""
    for row in rows:
        lines.append(len(io.StringIO(text, newline="").readlines()) + 1)
        if quote_all or end == "\r\n":
            line = io.StringIO(newline="")
            writer = csv.writer(
                line,
                delimiter=delimiter,
                lineterminator=end,
                quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
            )
            writer.writerow(row)
            text += line.getvalue()
        else:
            special = set(delimiter + '"\r\n')
            cells = ['"' + cell.replace('"', '""') + '"' if special & set(cell) else cell for cell in row]
            text += delimiter.join(cells) + end
    return text, lines


def _stripped(row: list[str]) -> list[str]:
    return [_unarmoured(cell.strip()).strip() for cell in row]


def _unarmoured(cell: str) -> str:
    return cell[2:-1] if len(cell) > 2 and cell.startswith('="') and cell.endswith('"') else cell


@given(content=st.binary(max_size=400), batch_records=st.integers(1, 5))
@settings(deadline=None, max_examples=300)
def test_arbitrary_bytes_are_refused_or_accounted_for(content: bytes, batch_records: int) -> None:
    _assert_accounted_for(content, batch_records)


@given(
    content=st.lists(
        st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"1", b'""', b'","', b"a,b\n", b"\xe9", b"\0"])
    ).map(b"".join),
    batch_records=st.integers(1, 5),
)
@settings(deadline=None, max_examples=500)
def test_arbitrary_quotes_and_line_ends_are_accounted_for(content: bytes, batch_records: int) -> None:
    _assert_accounted_for(content, batch_records)


def _assert_accounted_for(content: bytes, batch_records: int) -> None:
    """Nothing but BadInputError, every record readable, and every byte that is not white space in some row."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(content)
        try:
            landed = land(path, batch_records=batch_records)
        except BadInputError:
            return
        rows = [row for span in landed.spans for row in read_span(path, landed.reading, span)]
        source = [read_cells_at(path, landed.reading, span, range(10_000)) for span in landed.spans]

    header_line = landed.reading.header_line
    starts = [row.line for row in rows] + [row.line for row in landed.left_out]
    starts += [] if header_line is None else [header_line]
    assert len(rows) == landed.records
    assert len(set(starts)) == len(starts) == landed.records + landed.left_out_total + (header_line is not None)
    text = content.decode(landed.reading.encoding, "replace")
    physical = io.StringIO(text, newline="").readlines()
    left_out = [_physical_row(physical, row.line, starts) for row in landed.left_out]
    records = [cell for part in source for cells in part.values() for cell in cells]
    assert _signs(records) + _signs(left_out) + _signs(landed.reading.headers) == _signs([text])


def _physical_row(physical: list[str], line: int, starts: list[int]) -> str:
    """The text of a row up to where the next one begins (blank lines between them hold nothing to count)."""
    stop = min((start for start in starts if start > line), default=len(physical) + 1)
    return "".join(physical[line - 1 : stop - 1])


def _signs(texts: Iterable[str]) -> int:
    """Letters and digits: what may not get lost, whatever becomes of quotes and white space."""
    return sum(char.isascii() and char.isalnum() for text in texts for char in text)
