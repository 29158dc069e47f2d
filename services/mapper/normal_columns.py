"""Normal forms of whole columns: plain texts are normalised all at once, the few others one by one, to the same letter.

Measured per text not seen before, against a call for each: names 0.6 instead of 2.7 µs, streets 0.6 instead of 2.9,
numbers 0.09 instead of 0.46.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.mapper.normal_forms import Normaliser, normalise_email, normalise_postal_code
from services.mapper.transforms.cells import Converted
from shared.catalog.identity import (
    LEGAL_WORDS,
    STREET_WORDS,
    HashedTexts,
    fold,
    normalise_id,
    normalise_name,
    normalise_number,
    normalise_street,
)

_LINE_END = "\0"  # printable texts do not hold it, and it is no white space
_POSSESSIVE = re.compile(r"['`]s?\b")
_ZIP_PLUS_FOUR = re.compile(r"^(\d{5})-?\d{4}$", re.ASCII | re.MULTILINE)
_NO_WORD = str.maketrans({chr(c): " " for c in range(32, 127) if not (chr(c).isalnum() or chr(c) == "_")})


def normalised(values: Sequence[Any], normalise: Normaliser) -> list[str]:
    """One text per value, "" where there is none."""
    texts: list[str] = list(values) if all(values) else [value or "" for value in values]
    if normalise is str:
        return texts
    if normalise is normalise_id:
        return list(map(str.strip, texts))
    at_once = _AT_ONCE.get(normalise)
    if at_once is None or not texts:
        return [normalise(text) if text else "" for text in texts]
    block = "\n".join(texts)
    if block.isascii() and block.replace("\n", "").isprintable() and block.count("\n") == len(texts) - 1:
        return at_once(block.lower())
    odd = {i: normalise(text) for i, text in enumerate(texts) if not (text.isascii() and text.isprintable())}
    found = at_once("\n".join(["" if i in odd else text for i, text in enumerate(texts)]).lower())
    for i, text in odd.items():
        found[i] = text
    return found


class NormalForms:
    """The normal forms of a batch's values. Natural keys and link keys share most of them; each is made once."""

    def __init__(self, values: Mapping[str, Converted]) -> None:
        self._values = values
        self._made: dict[tuple[str, Normaliser], HashedTexts] = {}

    def __contains__(self, field: str) -> bool:
        return field in self._values

    def values(self, field: str) -> Sequence[Any]:
        """The values of a mapped field as they are."""
        return self._values[field].values

    def of(self, field: str, normalise: Normaliser) -> HashedTexts:
        """The normal forms of a mapped field, "" where there is no value."""
        found = self._made.get((field, normalise))
        if found is None:
            found = self._made[field, normalise] = HashedTexts(normalised(self._values[field].values, normalise))
        return found


# Each takes printable ASCII texts in lower case, one a line.


def _folded(block: str) -> list[str]:
    if "  " in block or " \n" in block or "\n " in block or block[:1] == " " or block[-1:] == " ":
        return [" ".join(line.split()) for line in block.split("\n")]
    return block.split("\n")


def _numbers(block: str) -> list[str]:
    lines = block.replace(" ", "").split("\n")
    return [line.lstrip("#") for line in lines] if "#" in block else lines


def _emails(block: str) -> list[str]:
    return list(map(str.strip, block.split("\n")))


def _postal_codes(block: str) -> list[str]:
    return _ZIP_PLUS_FOUR.sub(r"\1", block.replace(" ", "")).split("\n")


def _names(block: str) -> list[str]:
    if "'" in block or "`" in block:
        block = _POSSESSIVE.sub("", block)
    block = block.translate(_NO_WORD)
    has_none = LEGAL_WORDS.isdisjoint
    rows = map(str.split, block.split("\n"))
    return [" ".join(sorted(words if has_none(words) else _telling(words))) for words in rows]


def _telling(words: list[str]) -> list[str]:
    return [word for word in words if word not in LEGAL_WORDS] or words


def _streets(block: str) -> list[str]:
    words = block.translate(_NO_WORD).replace("\n", f" {_LINE_END} ").split()
    text = " ".join(map(STREET_WORDS.get, words, words))
    return text.replace(f" {_LINE_END}", _LINE_END).replace(f"{_LINE_END} ", _LINE_END).split(_LINE_END)


_AT_ONCE: dict[Normaliser, Callable[[str], list[str]]] = {
    fold: _folded,
    normalise_number: _numbers,
    normalise_email: _emails,
    normalise_postal_code: _postal_codes,
    normalise_name: _names,
    normalise_street: _streets,
}
