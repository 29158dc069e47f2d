"""What ingest knows of a landed file: how it is read, where its batches lie, which rows are no records."""

from __future__ import annotations

from typing import Literal

import msgspec

LeftOutReason = Literal["title", "repeated_header", "total", "empty_cells", "comment"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a delimited text file is read. Every run, batch and error file reads it the same way.

    `header_line` is the physical line (1-based) the header row begins on, None where the file has no header row.
    `headers` are as written (stripped, "" where empty), one per column; a file without a header row has "" for all.
    """

    encoding: str
    delimiter: str
    header_line: int | None
    headers: tuple[str, ...]
    quoting: bool = True
    """False: quote characters are ordinary text in the whole file."""
    armoured: bool = False
    """True: cells may look like ="123" and are stripped of that armour."""
    replaced_bytes: bool = False
    """True: single bytes that are not valid in the encoding are read as U+FFFD; each such row gets a warning."""


class Span(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One batch of a landed file: where it begins and how many records it holds; enough to read it alone."""

    first_record: int
    """0-based number of the first record among the file's records."""
    records: int
    line: int
    """Physical line (1-based) on which reading begins."""
    position: int
    """Byte offset in the landed file where reading begins (always the start of a line)."""
    length: int
    """Bytes from `position` to the end of the batch's text."""
    literal_lines: tuple[int, ...] = ()
    """Physical lines that are read with quoting off: each holds an opening quote that is never closed."""
    skipped_lines: tuple[int, ...] = ()
    """Physical lines on which a row begins that is no record (blank rows are skipped without being listed)."""
    oversized: bool = False
    """True: the batch's one record is above 1 MiB of source text. It is read with short cells, to be an error."""


class LeftOut(msgspec.Struct, frozen=True, array_like=True):
    """A row of the file that is no record, with the physical line it begins on."""

    line: int
    reason: LeftOutReason


class LandedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The index made by the one sequential pass over a file. Deterministic for the same bytes and options."""

    sha256: str
    size_bytes: int
    reading: Reading
    records: int
    spans: tuple[Span, ...]
    left_out: tuple[LeftOut, ...]
    left_out_total: int
    """All rows left out; `left_out` lists the first 1,000 of them."""
    blank_lines: int
    notes: tuple[str, ...] = ()
    """What the reader had to decide, in words for the owner (an open quote on line 214, two unreadable bytes ...)."""


class SourceRow(msgspec.Struct, frozen=True, array_like=True):
    """One record as the source gave it. `cells` has exactly as many cells as the file has columns."""

    line: int
    """Physical line (1-based) the record begins on."""
    cells: list[str]
    extra: list[str] = []
    """Cells beyond the last column that are not empty: the row's columns may have shifted."""
