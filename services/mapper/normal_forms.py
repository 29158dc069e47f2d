"""How the parts of natural keys and link keys are written, so that two spellings of one fact are one text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from shared.catalog.identity import fold, normalise_name, normalise_number, normalise_street
from shared.catalog.model import Field, FieldType

Normaliser = Callable[[str], str]

SEPARATOR = "\x1f"

# Entity types whose name is that of a person or a company, where word order and legal form do not count.
NAMED_LIKE_PEOPLE = frozenset({"customers", "employees", "contacts", "leads"})
_NUMBERS = frozenset({"number", "employee_number", "serial_number", "sku", "code"})
_LOOSE_SPACE = re.compile(r"  | $|^ ", re.MULTILINE)
_ZIP_PLUS_FOUR = re.compile(r"(\d{5})-?\d{4}", re.ASCII)


@lru_cache(maxsize=8192)
def normalise_postal_code(text: str) -> str:
    """Without spaces and, for a ZIP+4, without the last four digits: '62701-1234' and '62701' are one place."""
    folded = fold(text).replace(" ", "")
    match = _ZIP_PLUS_FOUR.fullmatch(folded)
    return match[1] if match else folded


def name_normaliser(entity: str) -> Normaliser:
    """How `entity` is called: people and companies by their names, a property by its street line."""
    if entity == "properties":
        return normalise_street
    return normalise_name if entity in NAMED_LIKE_PEOPLE else fold


def normalise_email(text: str) -> str:
    """E-mail addresses are compared without case."""
    return text.strip().lower()


def part_normaliser(entity: str, field: Field) -> Normaliser:
    """How one part of a natural key is compared."""
    if field.type is FieldType.EMAIL:
        return normalise_email
    if field.name == "name":
        return name_normaliser(entity) if entity in NAMED_LIKE_PEOPLE else fold
    if field.name == "street":
        return normalise_street
    if field.name == "postal_code":
        return normalise_postal_code
    if field.name in _NUMBERS:
        return normalise_number
    return str if field.type in (FieldType.PHONE, FieldType.DATE, FieldType.DATETIME) else fold


def normalised(values: Sequence[Any], normalise: Normaliser) -> list[str]:
    """One text per value, "" where there is none."""
    texts: list[str] = [value or "" for value in values]
    if normalise is str:
        return texts
    if normalise is fold or normalise is normalise_number:
        return _folded_at_once(texts, normalise)
    return [normalise(text) if text else "" for text in texts]


def _folded_at_once(texts: list[str], normalise: Normaliser) -> list[str]:
    """`fold` and `normalise_number` for a whole column of plain trimmed texts, without a call for each."""
    joined = "\n".join(texts)
    is_number = normalise is normalise_number
    is_plain = joined.isascii() and joined.replace("\n", "").isprintable() and joined.count("\n") == len(texts) - 1
    if not is_plain or (is_number and "#" in joined) or _LOOSE_SPACE.search(joined):
        return [normalise(text) if text else "" for text in texts]
    folded = joined.lower()
    return (folded.replace(" ", "") if is_number else folded).split("\n")


def joined_where_complete(parts: Sequence[Sequence[str]]) -> list[str]:
    """The parts of each record in one text, "" where one of them is missing."""
    if len(parts) == 1:
        return list(parts[0])
    return [SEPARATOR.join(row) if all(row) else "" for row in zip(*parts, strict=True)]


def row_texts(columns: Sequence[Sequence[str]], count: int) -> list[str]:
    """The cells of each row in one text; two rows have the same text only if all their cells are the same."""
    if not columns:
        return [""] * count
    texts = [SEPARATOR.join(row) for row in zip(*columns, strict=True)]
    separators = len(columns) - 1
    if sum(text.count(SEPARATOR) for text in texts) > separators * count:  # some cell holds the separator itself
        for i, text in enumerate(texts):
            if text.count(SEPARATOR) > separators:
                texts[i] = SEPARATOR.join(f"{len(column[i])}:{column[i]}" for column in columns)
    return texts


def person_names(firsts: Sequence[str | None], lasts: Sequence[str | None]) -> list[str]:
    """'first last', whichever of the two are known."""
    return [f"{first or ''} {last or ''}".strip() for first, last in zip(firsts, lasts, strict=True)]
