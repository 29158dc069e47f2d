"""The one sequential pass over a delimited file: how it is read, what is a record, and where its batches lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from shared.connectors.delimited.encoding import blocks, encoded_length, readable
from shared.connectors.delimited.header import FOOTER_ROWS_MAX, footer_reasons, is_blank, plain
from shared.connectors.delimited.layout import Layout, layout_of, line_too_long
from shared.connectors.delimited.quotes import ROW_CHARS_MAX, rows_of
from shared.connectors.delimited.rows import rows_as_written
from shared.messages.landing import LandedFile, LeftOut, LeftOutReason, Span

RECORD_BYTES_MAX = 1 << 20
"""A record above this cannot travel in a message: it is landed as a batch of its own, to become an error."""
LEFT_OUT_LISTED = 1_000
NOTES_MAX = 20

_ENCODING_NAMES = {"cp1252": "Windows-1252", "mac_roman": "Mac Roman"}

Progress = Callable[[int, int], None]
"""Called with (bytes read, records found so far)."""


class _QuotesHopelessError(Exception):
    """So many quotes are open that quotes cannot be what delimits cells in this file."""


def land(
    path: Path,
    *,
    name: str | None = None,
    batch_records: int = 500,
    batch_bytes: int = 512 * 1024,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_line: int | None = None,
    on_progress: Progress | None = None,
) -> LandedFile:
    """Index a local, unchanging file: exact count, batches, rows left out. Same bytes and options, same index.

    Options as in `detect_reading`. A batch closes at `batch_records` records or before its text exceeds
    `batch_bytes`. Memory does not grow with the file (the index itself aside). Raises BadInputError, with file, line
    and way out, where the file is empty, no text, wider than 2,000 columns or has a line above 4 MiB.
    """
    shown = name or path.name
    layout = layout_of(path, shown, encoding, delimiter, header_line)
    limits = _Limits(batch_records, batch_bytes, (64 << 20) + 4 * layout.form.stop)
    try:
        return _Pass(path, shown, layout, limits, on_progress).run()
    except _QuotesHopelessError:
        unquoted = layout_of(path, shown, encoding, layout.reading.delimiter, header_line, quoting=False)
        return _Pass(path, shown, unquoted, limits, on_progress).run()


@dataclass(frozen=True)
class _Limits:
    batch_records: int
    batch_bytes: int
    wasted_chars_max: int


@dataclass(slots=True)
class _Open:
    """The batch being filled; it begins with a record."""

    first_record: int
    line: int
    position: int
    stop: int
    records: int = 0
    literal: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)

    def closed(self, *, oversized: bool = False) -> Span:
        return Span(
            first_record=self.first_record,
            records=self.records,
            line=self.line,
            position=self.position,
            length=self.stop - self.position,
            literal_lines=tuple(self.literal),
            skipped_lines=tuple(self.skipped),
            oversized=oversized,
        )


class _Pass:
    """The pass over the rows of the table, from the first one below the header row to the end of the file."""

    def __init__(self, path: Path, name: str, layout: Layout, limits: _Limits, on_progress: Progress | None) -> None:
        self._path = path
        self._name = name
        self._layout = layout
        self._limits = limits
        self._on_progress = on_progress
        self._reading = layout.reading
        self._header = _trimmed(layout.reading.headers)
        self._line = layout.line
        self._position = layout.position
        self._records = 0
        self._open: _Open | None = None
        self._spans: list[Span] = []
        self._left_out = list(layout.left_out)
        self._left_out_total = len(layout.left_out)
        self._blank_lines = layout.blank_lines
        self._notes: list[str] = []
        self._open_quotes = 0
        self._wasted = 0
        self._armoured = False

    def run(self) -> LandedFile:
        kept = ""
        form = self._layout.form
        done = self._position
        for block, done in blocks(self._path, form, start=self._position):
            kept += block
            kept = kept[self._take(kept, final=done >= form.stop) :]
            if self._on_progress is not None:
                self._on_progress(done, self._records)
            if len(kept) > ROW_CHARS_MAX:
                raise line_too_long(self._name, self._line, kept)
        self._close()
        self._leave_out_footer()
        return self._landed()

    def _take(self, raw: str, *, final: bool) -> int:
        """Take all complete rows of a text; the number of characters taken."""
        reading = self._reading
        shown = readable(raw) if reading.replaced_bytes else raw
        self._armoured = self._armoured or '="' in shown
        # One byte per character is the usual case; otherwise each row is measured.
        one_byte = raw.isascii() and not reading.encoding.startswith("utf-16")
        is_plain = "\0" not in shown
        header_first = self._layout.header_first
        limits, position, line, start = self._limits, self._position, self._line, 0
        current = self._open
        rows = rows_of(shown, reading.delimiter, quoting=reading.quoting, width=len(reading.headers), final=final)
        for cells, end, lines, wasted in rows:
            size = end - start if one_byte else encoded_length(raw[start:end], reading.encoding)
            stop = position + size
            if current is not None and (
                current.records == limits.batch_records
                or stop - current.position > limits.batch_bytes
                or size > RECORD_BYTES_MAX
            ):
                self._spans.append(current.closed())
                current = None
            if end - start > ROW_CHARS_MAX:
                raise line_too_long(self._name, line, shown[start:end])
            if wasted:
                self._note_open_quote(line, wasted)
            first = cells[0] if cells else ""
            if (is_plain and first and first != header_first and not first.isspace()) or self._is_record(cells, line):
                if current is None:
                    current = _Open(self._records, line, position, stop)
                current.records += 1
                current.stop = stop
                self._records += 1
                if wasted:
                    current.literal.append(line)
                if size > RECORD_BYTES_MAX:
                    self._spans.append(current.closed(oversized=True))
                    current = None
            elif current is not None:
                current.skipped += [line] if cells else []
                current.literal += [line] if wasted else []
            start, position, line = end, stop, line + lines
        self._open, self._position, self._line = current, position, line
        return start

    def _is_record(self, cells: list[str], line: int) -> bool:
        """Look closely at a row that may be none; one that is none is counted, with its reason."""
        if not cells:
            self._blank_lines += 1
        elif all(is_blank(cell) for cell in cells):
            self._leave_out(line, "empty_cells")
        elif self._reading.header_line is not None and _trimmed(map(plain, cells)) == self._header:
            self._leave_out(line, "repeated_header")
        else:
            return True
        return False

    def _leave_out(self, line: int, reason: LeftOutReason) -> None:
        self._left_out_total += 1
        if len(self._left_out) < LEFT_OUT_LISTED:
            self._left_out.append(LeftOut(line, reason))

    def _note_open_quote(self, line: int, wasted: int) -> None:
        self._open_quotes += 1
        self._wasted += wasted
        if self._wasted > self._limits.wasted_chars_max:
            raise _QuotesHopelessError
        if self._open_quotes <= NOTES_MAX:
            self._notes.append(f"Line {line} has an opening quote that is never closed: it was read as it stands.")

    def _close(self) -> None:
        if self._open is not None:
            self._spans.append(self._open.closed())
            self._open = None

    def _leave_out_footer(self) -> None:
        """Totals and remarks among the last rows are taken back out of the last batches."""
        tail: list[tuple[int, list[str]]] = []
        for span in reversed(self._spans):
            if span.oversized or len(tail) > FOOTER_ROWS_MAX:
                break
            tail = [*zip(*rows_as_written(self._path, self._reading, span), strict=True), *tail]
        tail = tail[-FOOTER_ROWS_MAX - 1 :]
        reasons = footer_reasons(tail, len(self._reading.headers))
        lines = [line for line, _ in tail[len(tail) - len(reasons) :]]
        for line, reason in zip(lines, reversed(reasons), strict=True):
            self._leave_out(line, reason)
        self._records -= len(lines)
        while lines:
            span = self._spans.pop()
            taken = lines[-span.records :]
            del lines[-span.records :]
            if span.records > len(taken):
                shorter = msgspec.structs.replace(
                    span, records=span.records - len(taken), skipped_lines=(*span.skipped_lines, *taken)
                )
                self._spans.append(shorter)

    def _landed(self) -> LandedFile:
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return LandedFile(
            sha256=digest,
            size_bytes=self._path.stat().st_size,
            reading=msgspec.structs.replace(self._reading, armoured=self._armoured),
            records=self._records,
            spans=tuple(self._spans),
            left_out=tuple(self._left_out),
            left_out_total=self._left_out_total,
            blank_lines=self._blank_lines,
            notes=self._all_notes(),
        )

    def _all_notes(self) -> tuple[str, ...]:
        encoding = self._reading.encoding
        notes: list[str] = []
        if encoding in ("cp1252", "mac_roman"):
            notes.append(f"The file is not UTF-8; it was read as {_ENCODING_NAMES[encoding]}.")
        if self._reading.replaced_bytes:
            notes.append(f"Some bytes are not valid {encoding}: shown as \ufffd, and their rows get a warning.")
        if not self._reading.quoting:
            notes.append("So many quotes are opened and never closed that quotes were read as ordinary text.")
        notes += self._notes
        if self._open_quotes > NOTES_MAX:
            notes.append(f"{self._open_quotes - NOTES_MAX:,} more lines have an opening quote that is never closed.")
        return tuple(notes)


def _trimmed(cells: Iterable[str]) -> list[str]:
    """The cells without the empty ones at the end."""
    trimmed = list(cells)
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return trimmed
