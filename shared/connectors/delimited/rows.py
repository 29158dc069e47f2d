"""Reading batches of a landed file: each by itself, from the middle of the file, exactly as landing counted them."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import compress, islice
from pathlib import Path
from typing import BinaryIO

from shared.connectors.delimited.encoding import decode, readable
from shared.connectors.delimited.header import strip_armour
from shared.connectors.delimited.quotes import csv_rows, literal_cells
from shared.errors import PermanentError
from shared.messages.landing import LandedFile, Reading, SourceRow, Span

OVERSIZED_CELL_CHARS = 1_000
"""What is shown of each cell of a record above 1 MiB; the whole text stays in the landed file."""


def read_span(source: Path | BinaryIO, reading: Reading, span: Span) -> list[SourceRow]:
    """The records of one batch. Short rows are padded; filled cells beyond the last column are in `extra`.

    The cells of an oversized span's record are cut to their first 1,000 characters.
    Raises PermanentError where the file is not the one that was landed.
    """
    lines, rows, extras = _records(source, reading, span)
    return [
        SourceRow(line, cells, extras.get(index, []))
        for index, (line, cells) in enumerate(zip(lines, rows, strict=True))
    ]


def read_span_columns(
    source: Path | BinaryIO, reading: Reading, span: Span
) -> tuple[list[int], list[list[str]], dict[int, list[str]]]:
    """The same as `read_span` by column: (physical lines, one list of cells per column, extra cells by row index)."""
    lines, rows, extras = _records(source, reading, span)
    return lines, [list(column) for column in zip(*rows, strict=True)] or [[] for _ in reading.headers], extras


def read_cells_at(
    source: Path | BinaryIO, reading: Reading, span: Span, wanted: Collection[int]
) -> dict[int, list[str]]:
    """The records of these numbers (0-based in the file) in the source's own cells, by number.

    Cells are whole and keep their armour; rows are padded to the file's width, and longer ones stay longer.
    """
    width = len(reading.headers)
    found: dict[int, list[str]] = {}
    for number, cells in enumerate(rows_as_written(source, reading, span)[1], start=span.first_record):
        if number in wanted:
            found[number] = cells + [""] * (width - len(cells))
    return found


def sample_rows(path: Path, landed: LandedFile, rows_max: int = 20_000) -> list[SourceRow]:
    """Up to `rows_max` records in whole batches spread evenly over the file, the first and the last among them.

    Deterministic. Records above 1 MiB are no part of it. Where not even two batches fit, each is cut.
    """
    spans = [span for span in landed.spans if not span.oversized]
    if not spans:
        return []
    largest = max(span.records for span in spans)
    count = len(spans) if landed.records <= rows_max else min(len(spans), max(2, rows_max // largest))
    last = len(spans) - 1
    chosen = sorted({index * last // max(count - 1, 1) for index in range(count)})
    each = rows_max if landed.records <= rows_max else max(1, rows_max // len(chosen))
    rows: list[SourceRow] = []
    with path.open("rb") as file:
        for index in chosen:
            rows += read_span(file, landed.reading, spans[index])[:each]
    return rows[:rows_max]


def _records(
    source: Path | BinaryIO, reading: Reading, span: Span
) -> tuple[list[int], list[list[str]], dict[int, list[str]]]:
    """(lines, cells of exactly the file's width, extra cells by index)."""
    width = len(reading.headers)
    lines, rows = rows_as_written(source, reading, span)
    if reading.armoured:
        rows = [[strip_armour(cell) for cell in cells] for cells in rows]
    extras: dict[int, list[str]] = {}
    if set(map(len, rows)) - {width}:
        for index, cells in enumerate(rows):
            if len(cells) == width:
                continue
            if extra := [cell for cell in cells[width:] if cell.strip()]:
                extras[index] = extra
            rows[index] = cells[:width] + [""] * (width - len(cells))
    if span.oversized:
        rows = [[cell[:OVERSIZED_CELL_CHARS] for cell in cells] for cells in rows]
        extras = {index: [cell[:OVERSIZED_CELL_CHARS] for cell in cells[:100]] for index, cells in extras.items()}
    return lines, rows, extras


def rows_as_written(source: Path | BinaryIO, reading: Reading, span: Span) -> tuple[list[int], list[list[str]]]:
    """Physical lines and cells, as many as written and still armoured, of a batch's records."""
    text = decode(_bytes(source, span), reading.encoding)
    if reading.replaced_bytes:
        text = readable(text)
    lines, rows = _physical(text, reading, span)
    if span.skipped_lines or not all(rows):
        skipped = frozenset(span.skipped_lines)
        kept = [bool(cells) and line not in skipped for line, cells in zip(lines, rows, strict=True)]
        lines, rows = list(compress(lines, kept)), list(compress(rows, kept))
    if len(rows) != span.records:
        raise PermanentError(
            f"A batch that begins on line {span.line} of the landed file holds {len(rows)} records instead of "
            f"{span.records}: the file was changed after it was landed.",
            next_step="Start a new session with the file.",
            code="landed_file_changed",
        )
    if "\0" in text:
        rows = [[cell.replace("\0", "") for cell in cells] for cells in rows]
    return lines, rows


def _physical(text: str, reading: Reading, span: Span) -> tuple[list[int], list[list[str]]]:
    """The line each row begins on, and all rows; lines with an open quote are read literally, each by itself."""
    stream = io.StringIO(text, newline="")
    lines: list[int] = []
    rows: list[list[str]] = []
    line = span.line
    for literal in (*span.literal_lines, None):
        part = stream if literal is None else islice(stream, literal - line)
        reader = csv_rows(part, reading.delimiter, quoting=reading.quoting)
        ends = [line]
        for cells in reader:
            rows.append(cells)
            ends.append(line + reader.line_num)
        line = ends.pop()
        lines += ends
        if literal is not None:
            rows.append(literal_cells(stream.readline(), reading.delimiter))
            lines.append(literal)
            line = literal + 1
    return lines, rows


def _bytes(source: Path | BinaryIO, span: Span) -> bytes:
    with _opened(source) as file:
        file.seek(span.position)
        return file.read(span.length)


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source
