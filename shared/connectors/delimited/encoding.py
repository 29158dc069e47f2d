"""From bytes to text: is this text at all, in which encoding, and where each character lies in the file."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import BadInputError

BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16
# White space, the end-of-file mark of old systems and the four ASCII separators do occur in texts.
_TEXT_CONTROLS = b"\t\n\v\f\r\x1a\x1c\x1d\x1e\x1f"
# Text of an office export holds next to no other control characters; random bytes hold 8 %, pictures and archives more.
_CONTROL_SHARE_MAX = 0.05
_NUL_SHARE_MAX = 0.2
# Bad bytes per row of a file that is otherwise UTF-8, above which it is taken for another encoding.
_BAD_BYTES_PER_ROW_MAX = 0.001
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UNREADABLE = re.compile("[\ud800-\udfff]")
# Accented letters and typographic quotes where a western text has them: the reading that finds more of them is right.
_ACCENTS = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿß"
_PLAUSIBLE = re.compile(
    rf"(?<=[A-Za-z])[{_ACCENTS}](?![A-Z])|\b[{_ACCENTS}](?=[a-z])"
    "|(?<=[A-Za-z])’(?=[a-z])|(?<![A-Za-z])[“‘](?=[A-Za-z])|(?<=[A-Za-z.,!?])”(?![A-Za-z])"
)
_MAC_BLOCKS_MAX = 8

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive", "Unpack it and use the files inside."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "Open it and save the sheet as CSV."),
    (b"%PDF", "a PDF document", "Export the data as CSV instead."),
    (b"\x89PNG", "a PNG picture", "Export the data as CSV instead."),
    (b"\xff\xd8\xff", "a JPEG picture", "Export the data as CSV instead."),
    (b"GIF8", "a GIF picture", "Export the data as CSV instead."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it and use the file inside."),
    (b"BZh", "a bzip2 archive", "Unpack it and use the file inside."),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it and use the files inside."),
    (b"Rar!", "a RAR archive", "Unpack it and use the files inside."),
    (b"SQLite format 3\x00", "an SQLite database", "Export its tables as CSV."),
    (b"PAR1", "a Parquet file", "Export the data as CSV instead."),
    (b"\x7fELF", "a program", "Choose the exported data file instead."),
    (b"{\\rtf", "a rich text document", "Save the table as CSV instead."),
    (codecs.BOM_UTF32_LE, "text in UTF-32", "Save it as CSV in UTF-8."),
    (codecs.BOM_UTF32_BE, "text in UTF-32", "Save it as CSV in UTF-8."),
)
_MARKUP = (
    (
        re.compile(rb"<(!doctype html|html|table)\b", re.I),
        "a web page (HTML)",
        "Open it in a spreadsheet and save it as CSV.",
    ),
    (re.compile(rb"<\?xml\b", re.I), "an XML file", "Export the data as CSV instead."),
    (re.compile(rb'(\[\s*)?\{\s*"[^"\n]*"\s*:'), "a JSON file", "Export the data as CSV instead."),
)


@dataclass(frozen=True)
class TextForm:
    """How the bytes of a file become text. `start` is the byte offset behind the byte-order mark."""

    encoding: str
    start: int
    stop: int
    """Byte offset at which readable text ends: the size, but for half a character at the end of UTF-16."""
    replaced_bytes: bool


def codec_errors(encoding: str) -> str:
    """The error handler under which decoding keeps one character per bad byte, so that offsets stay exact."""
    return "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"


def decode(data: bytes, encoding: str) -> str:
    """Text in which bad bytes are lone surrogates: `encode` gives back exactly the same bytes."""
    return data.decode(encoding, codec_errors(encoding))


def encoded_length(text: str, encoding: str) -> int:
    """Bytes that `text`, as given by `decode`, takes in the file."""
    if text.isascii() and not encoding.startswith("utf-16"):
        return len(text)
    return len(text.encode(encoding, codec_errors(encoding)))


def readable(text: str) -> str:
    """Text with U+FFFD for each bad byte; the same number of characters."""
    return _UNREADABLE.sub("\ufffd", text)


def blocks(path: Path, form: TextForm, *, start: int) -> Iterator[tuple[str, int]]:
    """The text from byte `start` on in blocks, each with the byte offset read so far."""
    decoder = codecs.getincrementaldecoder(form.encoding)(codec_errors(form.encoding))
    done = start
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(min(BLOCK_BYTES, form.stop - done)):
            done += len(block)
            yield decoder.decode(block, done >= form.stop), done


def beginning(path: Path, form: TextForm, size: int) -> tuple[str, bool]:
    """The first `size` bytes as text, without a character cut in two at the end, and whether that is all."""
    with path.open("rb") as file:
        file.seek(form.start)
        data = file.read(min(size, form.stop - form.start))
    is_all = form.start + len(data) >= form.stop
    return codecs.getincrementaldecoder(form.encoding)(codec_errors(form.encoding)).decode(data, is_all), is_all


def text_form(path: Path, *, name: str, encoding: str | None = None) -> TextForm:
    """Find the encoding of the whole file: byte-order mark, UTF-16 by zero bytes, UTF-8, Windows-1252 or Mac.

    Raises BadInputError where the file is empty, no text, or `encoding` (the user's choice) cannot be used.
    """
    size = path.stat().st_size
    if size == 0:
        raise BadInputError(f"{name} is empty (0 bytes).", next_step="Export it again and look that it has rows.")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    _refuse_other_formats(head, name)
    marked, start = _byte_order_mark(head)
    chosen = _supported(encoding, name) if encoding is not None else marked or _utf16_without_mark(head)
    if chosen is not None and marked != chosen:
        start = 0
    if chosen is not None and chosen.startswith("utf-16"):
        stop = size - (size - start) % 2
        return TextForm(chosen, start, stop, stop != size or _has_lone_surrogates(path, chosen, start, stop))
    _refuse_binary(head, name)
    if chosen is not None and chosen != "utf-8":
        return TextForm(chosen, start, size, _has_undefined_bytes(path, chosen))
    census = _census(path, start)
    if not census.bad:
        return TextForm("utf-8", start, size, False)
    if chosen == "utf-8" or census.is_damaged_utf8():
        return TextForm("utf-8", start, size, True)
    single = "mac_roman" if census.is_mac() else "cp1252"
    return TextForm(single, start, size, _has_undefined_bytes(path, single))


def _refuse_other_formats(head: bytes, name: str) -> None:
    for magic, what, way_out in _MAGIC:
        if head.startswith(magic):
            if magic.startswith(b"PK") and b"xl/" in head:
                what, way_out = "an Excel workbook (.xlsx)", "Open it in Excel and save the sheet as CSV."
            elif magic.startswith(b"PK") and b"opendocument.spreadsheet" in head[:200]:
                what, way_out = "an OpenDocument spreadsheet (.ods)", "Open it and save the sheet as CSV."
            raise _not_delimited(name, what, way_out)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for pattern, what, way_out in _MARKUP:
        if pattern.match(text) and not (what == "a JSON file" and not _is_json(text)):
            raise _not_delimited(name, what, way_out)


def _is_json(text: bytes) -> bool:
    """A first line or a whole text that is JSON, or an array: a cell of JSON in a CSV is followed by a delimiter."""
    if text.startswith(b"["):
        return True
    for candidate in (text.split(b"\n", 1)[0], text):
        try:
            json.loads(candidate)
        except ValueError:
            continue
        return True
    return text[1:].lstrip(b" \t")[:1] in (b"\r", b"\n")


def _refuse_binary(head: bytes, name: str) -> None:
    counts = Counter(head)
    controls = sum(counts[byte] for byte in range(1, 32) if byte not in _TEXT_CONTROLS)
    if controls > len(head) * _CONTROL_SHARE_MAX or counts[0] > len(head) * _NUL_SHARE_MAX:
        raise _not_delimited(name, "no text but binary data", "Export the data as CSV and use that file.")


def _not_delimited(name: str, what: str, way_out: str) -> BadInputError:
    return BadInputError(f"{name} is not a CSV file: it is {what}. Nothing was imported from it.", next_step=way_out)


def _byte_order_mark(head: bytes) -> tuple[str | None, int]:
    return next(((name, len(mark)) for mark, name in _BOMS if head.startswith(mark)), (None, 0))


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 text of western languages has a zero in nearly every second byte, always on the same side."""
    pairs = len(head) // 2
    if pairs < 2:
        return None
    even, odd = head[0 : 2 * pairs : 2].count(0) / pairs, head[1 : 2 * pairs : 2].count(0) / pairs
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


def _supported(encoding: str, name: str) -> str:
    """The codec's own name, if bytes and characters can be matched exactly: UTF-8, UTF-16 and single-byte codes."""
    try:
        found = codecs.lookup(encoding).name
        if found in ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"):
            return found.removesuffix("-sig")
        if len(bytes(range(256)).decode(found, "surrogateescape")) == 256:
            return found
    except (LookupError, UnicodeError):
        pass
    raise BadInputError(
        f"{name} cannot be read in the encoding {encoding!r}.",
        next_step="Choose utf-8, utf-16-le, utf-16-be, cp1252, latin-1 or mac_roman, or save the file as UTF-8.",
    )


@dataclass
class _Census:
    """What a file holds that is not ASCII, seen as UTF-8."""

    rows: int = 0
    good: int = 0
    """Characters beyond ASCII that are valid."""
    bad: Counter[int] = field(default_factory=Counter)
    """Bytes that are not valid, by value."""
    as_windows: int = 0
    as_mac: int = 0
    """Plausible characters if the first blocks with bad bytes are read in a single-byte code."""

    def is_damaged_utf8(self) -> bool:
        """UTF-8 with some bad bytes: far more good characters than bad bytes, or few bytes no other code knows."""
        bad = self.bad.total()
        few = bad <= max(2, self.rows * _BAD_BYTES_PER_ROW_MAX)
        if self.good >= bad * (1 if few else 10):
            return True
        unknown_to_windows = sum(self.bad[byte] for byte in b"\x81\x8d\x8f\x90\x9d")
        return few and unknown_to_windows == bad and not self.is_mac()

    def is_mac(self) -> bool:
        """Two characters make sense as Mac text, and clearly fewer do as Windows text."""
        return self.as_mac >= 2 and self.as_mac > 2 * self.as_windows


def _census(path: Path, start: int) -> _Census:
    census = _Census()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    bad_blocks = 0
    with path.open("rb") as file:
        file.seek(start)
        while True:
            block = file.read(BLOCK_BYTES)
            text = decoder.decode(block, not block)
            census.rows += text.count("\n") or text.count("\r")
            if not text.isascii():
                bad = _UNREADABLE.findall(text)
                census.bad.update(ord(char) - 0xDC00 for char in bad)
                census.good += len(text) - len(text.encode("ascii", "ignore")) - len(bad)
                if bad and bad_blocks < _MAC_BLOCKS_MAX:
                    bad_blocks += 1
                    census.as_windows += len(_PLAUSIBLE.findall(block.decode("cp1252", "replace")))
                    census.as_mac += len(_PLAUSIBLE.findall(block.decode("mac_roman")))
            if not block:
                return census


def _has_undefined_bytes(path: Path, encoding: str) -> bool:
    undefined = bytes(byte for byte in range(256) if "\udc80" <= decode(bytes([byte]), encoding) <= "\udcff")
    if not undefined:
        return False
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            if len(block.translate(None, undefined)) != len(block):
                return True
    return False


def _has_lone_surrogates(path: Path, encoding: str, start: int, stop: int) -> bool:
    form = TextForm(encoding, start, stop, False)
    return any(_UNREADABLE.search(text) is not None for text, _ in blocks(path, form, start=start))
