"""E-mail addresses, web addresses, tags and JSON texts."""

from __future__ import annotations

import re

import msgspec

from services.mapper.transforms.cells import EMPTY_FORMS, NOTHING, Parsed, Parser, unreadable

EMAIL_CODE = "unreadable_email"
URL_CODE = "unreadable_url"

TAG_SEPARATORS = ",;|\n"

_HOST = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[^\W\d_]{2,24}|xn--[a-z\d-]{1,59})"
_EMAIL = re.compile(rf"([\w!#$%&'*+/=?^`{{|}}~-]+(?:\.[\w!#$%&'*+/=?^`{{|}}~-]+)*)@({_HOST})", re.IGNORECASE)
_NAMED_EMAIL = re.compile(r"[^<>@]*<([^<>]+)>")
_SEVERAL = re.compile(r"[\s,;|]+")
_URL = re.compile(
    rf"(https?://)?(?:{_HOST}|localhost|\d{{1,3}}(?:\.\d{{1,3}}){{3}})(?::\d{{1,5}})?(?:[/?#]\S*)?", re.IGNORECASE
)
_CHARS_MAX = 320
_URL_CHARS_MAX = 4096


def _one_email(text: str) -> str | None:
    match = _EMAIL.fullmatch(text) if len(text) <= _CHARS_MAX else None
    return f"{match[1]}@{match[2].lower()}" if match else None


def parse_email(text: str) -> Parsed:
    """The address with its domain in lower case; of several in one cell the first."""
    found = _one_email(text)
    if found is None:
        if named := _NAMED_EMAIL.fullmatch(text):
            text = named[1].strip()
        text = text[7:] if text[:7].lower() == "mailto:" else text
        pieces = [piece for piece in _SEVERAL.split(text[:4000]) if piece and piece.lower() not in EMPTY_FORMS]
        if not pieces:
            return NOTHING
        found = _one_email(pieces[0])
    return Parsed(found, found) if found else unreadable(EMAIL_CODE)


def parse_url(text: str) -> Parsed:
    """http and https addresses as they are; a bare domain gets https:// in front."""
    match = _URL.fullmatch(text) if len(text) <= _URL_CHARS_MAX else None
    if match is None:
        return unreadable(URL_CODE)
    address = text if match[1] else f"https://{text}"
    return Parsed(address, address)


def tags_parser(separators: str | None) -> Parser:
    """A list of distinct texts in the order written; never unreadable."""
    pattern = re.compile(f"[{re.escape(separators or TAG_SEPARATORS)}]")

    def parse(text: str) -> Parsed:
        tags = list(dict.fromkeys(piece for piece in map(str.strip, pattern.split(text)) if piece))
        if not tags:
            return NOTHING
        joined = ",".join(tags)
        return Parsed(tags, text if text in (joined, ", ".join(tags)) else joined)

    return parse


def parse_json(text: str) -> Parsed:
    """An object or a list stays JSON with its numbers as written; everything else is kept as text."""
    if text[0] in "[{":
        try:
            msgspec.json.decode(text)
            return Parsed(msgspec.Raw(msgspec.json.format(text.encode(), indent=-1)), text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            pass  # it only looks like JSON
    return Parsed(text, text)
