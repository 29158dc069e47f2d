"""Columns that hold nothing but times of day: no field takes them, and the date beside them says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from shared.catalog.lexicon import Lexicon
from shared.catalog.model import EntityType, FieldType
from shared.messages.analysis import ColumnProfile

_TIME = re.compile(r"\d{1,2}(?::\d{2}){1,2}\s*(?:[ap]\.?\s?m\.?)?|\d{1,2}\s*[ap]\.?\s?m\.?", re.IGNORECASE | re.ASCII)
_NO_TELLING = frozenset({"date", "time"})


def times_left_out(
    entity: EntityType, columns: Sequence[ColumnProfile], taken: Mapping[int, str], lexicon: Lexicon
) -> dict[int, str]:
    """Column of a date -> what to say: the time of day in another column is lost, since a field takes one column."""
    dates = {
        index: _words(columns[index], lexicon)
        for index, field in sorted(taken.items())
        if entity.fields[field].type is FieldType.DATETIME and columns[index].type == "date"
    }
    found: dict[int, str] = {}
    for profile in columns:
        if profile.index in taken or not is_time_of_day(profile):
            continue
        words = _words(profile, lexicon)
        fitting = [index for index, own in dates.items() if index not in found and (own == words or len(dates) == 1)]
        if fitting:
            found[fitting[0]] = f"The times in “{profile.header}” are not taken over: the field takes one column."
    return found


def is_time_of_day(profile: ColumnProfile) -> bool:
    """True where every value seen is a time without a date."""
    return bool(profile.examples) and all(_TIME.fullmatch(text) for text in profile.examples)


def _words(profile: ColumnProfile, lexicon: Lexicon) -> frozenset[str]:
    return frozenset(lexicon.tokens(profile.header)) - _NO_TELLING
