"""What every column converter gives back, the memo they share, and the text columns that need none.

A converter takes a whole column and never raises. A cell becomes the JSON member it will be in the record's body
(`"phone":"+12125550142"`), so that a body is nothing but its members joined; what all members of a column begin and end
with is kept once. Storage forms:

text trimmed · phone E.164, its extension in a member `<field>.extension` · money integer minor units (two digits) ·
date `YYYY-MM-DD` · datetime `YYYY-MM-DDTHH:MM:SS` with the offset where the source gave one · boolean · integer ·
decimal as a JSON string of its exact digits · tags a list of strings · enum one of its allowed values · json as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple, Protocol

import msgspec

MEMO_ENTRIES_MAX = 8192
"""Per column, then it is emptied: room for the days of twenty years. About 350 bytes an entry, 3 MiB a column; columns
whose values hardly repeat are converted in bulk and leave theirs nearly empty."""

MEMO_CELL_CHARS_MAX = 256
"""A longer cell is converted each time: it hardly repeats and would keep the memo from being small."""

EMPTY_FORMS = frozenset({"", "-", "--", "---", "–", "—", "n/a", "#n/a", "na", "nan", "nat", "null", "none", "nil"})
"""What stands for "no value" (in lower case) in every field that is not free text."""

_CELL_MARK = "\x7f"  # between cells while a column is escaped in one go; JSON leaves it as it is


class Parsed(NamedTuple):
    """What a parser understood of one trimmed text that is not empty.

    `text` is the value's own spelling: where the source wrote it otherwise, the source's text is kept beside it.
    """

    value: Any
    text: str = ""
    code: str | None = None
    extension: str | None = None


NOTHING = Parsed(None)
"""The text stands for "no value" (00/00/0000): no problem, nothing to keep."""

Parser = Callable[[str], Parsed]


class Cell(NamedTuple):
    """One converted cell; `json` and `original` are JSON values or "", `code` says why it could not be read."""

    value: Any
    json: str
    original: str
    code: str | None


_NO_CELL = Cell(None, "", "", None)


class Members:
    """A column of JSON members, one or none ("") per record: `opening` + text + `closing` where the text is not ""."""

    def __init__(self, opening: str, texts: Sequence[str], closing: str = "") -> None:
        self.opening, self.texts, self.closing = opening, texts, closing

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, i: int) -> str:
        return f"{self.opening}{text}{self.closing}" if (text := self.texts[i]) else ""

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Members | Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it holds lists


class Converted(NamedTuple):
    """One converted column. `originals` and `codes` are None where no cell has one."""

    values: Sequence[Any]
    members: Members
    originals: Members | None
    codes: Sequence[str | None] | None


class Column(Protocol):
    """Converts the cells of one column; keeps nothing but a bounded memo between calls."""

    def convert(self, cells: Sequence[str]) -> Converted:
        """One result per cell, in order. Never raises."""
        ...


class Cut(NamedTuple):
    """Takes the part of a text before or after the first separator; the whole text where it does not occur."""

    part: str
    separator: str

    def __call__(self, text: str) -> str:
        before, found, after = text.partition(self.separator)
        if not found:
            return text
        return (before if self.part == "before" else after).strip()


def json_text(text: str) -> str:
    """A text as JSON, quotes included."""
    return encode_basestring(text)


def escaped(texts: Sequence[str]) -> Sequence[str]:
    """The texts as JSON without their quotes. Hardly any column needs it, and one look at all of it tells."""
    block = "".join(texts)
    if block.isprintable() and '"' not in block and "\\" not in block:
        return texts
    found = encode_basestring(_CELL_MARK.join(texts))[1:-1].split(_CELL_MARK)
    if len(found) == len(texts):
        return found
    return [encode_basestring(text)[1:-1] for text in texts]  # a cell holds the mark itself


def unreadable(code: str) -> Parsed:
    """The parser's answer where a text is no value of its type."""
    return Parsed(None, "", code)


class MemoColumn(dict[str, Cell]):
    """A column of any type but text: each distinct cell is parsed once and looked up from then on."""

    def __init__(
        self,
        field: str,
        parse: Parser,
        *,
        default: str | None = None,
        cut: Cut | None = None,
        empty_forms: frozenset[str] = EMPTY_FORMS,
    ) -> None:
        super().__init__()
        self._prefix = f"{json_text(field)}:"
        self._extension_prefix = f",{json_text(field + '.extension')}:"
        self._parse = parse
        self._cut = cut
        self._empty_forms = empty_forms
        self._default = _NO_CELL
        if default is not None:
            self._default = self._read(default.strip())._replace(original="")

    @property
    def default(self) -> Cell:
        """What an empty cell becomes."""
        return self._default

    def __missing__(self, raw: str) -> Cell:
        cell = self._read(raw.strip())
        if len(raw) <= MEMO_CELL_CHARS_MAX:
            if len(self) >= MEMO_ENTRIES_MAX:
                self.clear()
            self[raw] = cell
        return cell

    def _read(self, source: str) -> Cell:
        text = self._cut(source) if self._cut else source
        if text.lower() in self._empty_forms:
            return self._default
        parsed = self._parse(text)
        if parsed is NOTHING:
            return self._default
        original = "" if source == parsed.text else encode_basestring(source)
        if parsed.value is None:
            return Cell(None, "", original, parsed.code)
        return Cell(parsed.value, self._json(parsed), original, None)

    def _json(self, parsed: Parsed) -> str:
        value = parsed.value
        if type(value) is str:
            text = encode_basestring(value)
        elif type(value) is msgspec.Raw:
            text = bytes(value).decode()
        else:
            text = msgspec.json.encode(value).decode()
        if parsed.extension:
            text += self._extension_prefix + encode_basestring(parsed.extension)
        return text

    def convert(self, cells: Sequence[str]) -> Converted:
        """One result per cell, in order."""
        if not cells:
            return Converted((), Members(self._prefix, ()), None, None)
        values, texts, originals, codes = zip(*map(self.__getitem__, cells), strict=True)
        return Converted(
            values,
            Members(self._prefix, texts),
            Members(self._prefix, originals) if any(originals) else None,
            codes if any(codes) else None,
        )


class TextColumn:
    """Free text: trimmed, otherwise as it is. A whole column is escaped at once; "" and white space are no value."""

    def __init__(self, field: str, *, default: str | None = None, cut: Cut | None = None) -> None:
        self._prefix = f"{json_text(field)}:"
        self._cut = cut
        self._default = (default or "").strip()

    def convert(self, cells: Sequence[str]) -> Converted:
        """One result per cell, in order."""
        texts = list(map(str.strip, cells))
        originals = None
        if self._cut:
            whole, texts = texts, [self._cut(text) for text in texts]
            kept = ["" if text == cut else text for text, cut in zip(whole, texts, strict=True)]
            originals = self._members(kept) if any(kept) else None
        if self._default:
            texts = [text or self._default for text in texts]
        values = texts if all(texts) else [text or None for text in texts]
        return Converted(values, self._members(texts), originals, None)

    def _members(self, texts: Sequence[str]) -> Members:
        return Members(f'{self._prefix}"', escaped(texts), '"')
