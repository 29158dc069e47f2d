"""How the parts of natural keys and link keys are written, so that two spellings of one fact are one text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from shared.catalog.identity import SEPARATOR, fold, normalise_name, normalise_number, normalise_street
from shared.catalog.model import Field, FieldType
from shared.catalog.name_forms import NAMED_LIKE_PEOPLE

Normaliser = Callable[[str], str]

_NUMBERS = frozenset({"number", "employee_number", "serial_number", "sku", "code"})
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


def row_texts(columns: Sequence[Sequence[str]], count: int) -> list[str]:
    """The cells of each row in one text; two rows have the same text only if all their cells are the same."""
    if not columns:
        return [""] * count
    texts = list(map(SEPARATOR.join, zip(*columns, strict=True)))
    separators = len(columns) - 1
    if "".join(texts).count(SEPARATOR) > separators * count:  # some cell holds the separator itself
        for i, text in enumerate(texts):
            if text.count(SEPARATOR) > separators:
                texts[i] = SEPARATOR.join(f"{len(column[i])}:{column[i]}" for column in columns)
    return texts


def person_names(firsts: Sequence[str | None], lasts: Sequence[str | None]) -> list[str]:
    """'first last', whichever of the two are known."""
    return [f"{first or ''} {last or ''}".strip() for first, last in zip(firsts, lasts, strict=True)]
