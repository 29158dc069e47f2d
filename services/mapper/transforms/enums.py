"""Values out of a fixed set, and booleans: folded spellings are looked up in tables (`value_synonyms.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from services.mapper.transforms.cells import EMPTY_FORMS, Parsed, Parser, unreadable
from shared.catalog.identity import fold
from shared.catalog.model import load_catalog

ENUM_CODE = "unknown_value"
BOOLEAN_CODE = "unreadable_boolean"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C saves a worker 0.1 s at its start
_DROPPED = re.compile(r"[\s_\-]+")


def fold_value(text: str) -> str:
    """The form in which values are compared: lower case, no accents, no spaces, underscores, hyphens."""
    return _DROPPED.sub("", fold(text))


@cache
def _tables() -> Mapping[str, Any]:
    text = resources.files("services.mapper").joinpath("value_synonyms.yaml").read_text(encoding="utf-8")
    tables: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - one of the two safe loaders
    return tables


def _folded(table: Mapping[Any, Iterable[str]]) -> dict[str, Any]:
    return {fold_value(str(spelling)): value for value, spellings in table.items() for spelling in spellings}


@cache
def known_values(entity: str, field: str) -> Mapping[str, str]:
    """Folded spelling -> allowed value: the allowed values themselves and their known synonyms."""
    synonyms = _folded(_tables()["enums"].get(f"{entity}.{field}", {}))
    return {**synonyms, **{fold_value(value): value for value in load_catalog()[entity].fields[field].values}}


def propose_values(entity: str, field: str, distinct_values: Iterable[str]) -> dict[str, str]:
    """Value mapping of an enum column: folded source value -> allowed value, for every value that is understood.

    Values that are missing from the answer need a person; left alone, they are warnings.
    """
    known = known_values(entity, field)
    return {folded: known[folded] for folded in dict.fromkeys(map(fold_value, distinct_values)) if folded in known}


def enum_parser(entity: str, field: str, chosen: Mapping[str, str | None]) -> tuple[Parser, frozenset[str]]:
    """The parser and its empty forms: "none" is a value where the catalogue or the mapping says so.

    `chosen` is the mapping's own table and wins; a value mapped to None is left empty by choice, without a warning.
    """
    table: dict[str, str | None] = {**known_values(entity, field), **{fold_value(k): v for k, v in chosen.items()}}

    def parse(text: str) -> Parsed:
        folded = fold_value(text)
        if folded not in table:
            return unreadable(ENUM_CODE)
        value = table[folded]
        return Parsed(value, value or "")

    return parse, frozenset(form for form in EMPTY_FORMS if not form or fold_value(form) not in table)


def boolean_parser(field: str, *, invert: bool = False) -> Parser:
    """Yes and no in many spellings. `invert` turns answers round ("Archived: yes" -> active false), not words that
    name the state itself ("inactive", "archived")."""
    words = _tables()["booleans"]
    answers = {spelling: value != invert for spelling, value in _folded(words["answers"]).items()}
    table = {**answers, **_folded(words["states"].get(field, {}))}

    def parse(text: str) -> Parsed:
        value = table.get(fold_value(text))
        return unreadable(BOOLEAN_CODE) if value is None else Parsed(value, "true" if value else "false")

    return parse
