"""How a column's text is to be understood: options decided once per column, from its profile and its header."""

from __future__ import annotations

import re
from typing import Literal

from services.mapper.transforms import decide_excel_serials, fold_value, is_in_hours, propose_values
from services.mapper.written_styles import NO_STYLES, WrittenStyles
from shared.catalog.lexicon import Lexicon, time_unit_of
from shared.catalog.model import Field, FieldType
from shared.messages.analysis import ColumnProfile
from shared.messages.mapping import Options, ReferenceBy, TimeUnit

_MINOR_WORDS = frozenset({"cent", "cents", "centavo", "centime", "pennies"})
_INVERTING = frozenset(
    {"archived", "inactive", "deleted", "disabled", "deactivated", "retired", "discontinued", "nontaxable"}
)
_COMPANY_FLAG = {"true": "commercial", "yes": "commercial", "1": "commercial", "y": "commercial",
                 "false": "residential", "no": "residential", "0": "residential", "n": "residential"}  # fmt: skip
_PAIR = re.compile(r"[A-Za-z0-9]+_[A-Za-z0-9]+$")
_SERIAL_DATE_TYPES = ("integer", "decimal", "postal_code")


def options_for(
    entity: str, field: Field, profile: ColumnProfile, lexicon: Lexicon, styles: WrittenStyles = NO_STYLES
) -> Options:
    """The options of one column for one field; what nothing tells stays at its default.

    `styles`: how the columns around it write dates and numbers.
    """
    words = set(lexicon.tokens(profile.header)) if profile.header else set()
    match field.type:
        case FieldType.DATE | FieldType.DATETIME:
            serials = profile.type in _SERIAL_DATE_TYPES and decide_excel_serials(_values(profile))
            return Options(date_order=styles.order_of(profile), excel_serials=serials)
        case FieldType.MONEY:
            return Options(decimal_mark=styles.mark_of(profile), money_unit=money_unit_of(profile, lexicon))
        case FieldType.DECIMAL | FieldType.INTEGER:
            return Options(decimal_mark=styles.mark_of(profile), time_unit=_time_unit(field, profile))
        case FieldType.BOOLEAN:
            return Options(invert=bool(words & _INVERTING))
        case FieldType.ENUM:
            return Options(values=_value_mapping(entity, field, profile))
        case FieldType.TAGS:
            return Options(split=_tag_separator(profile))
    return Options()


def money_unit_of(profile: ColumnProfile, lexicon: Lexicon) -> Literal["major", "minor"]:
    """`minor` where the header speaks of cents and the values are whole numbers."""
    speaks_of_cents = bool(profile.header) and not _MINOR_WORDS.isdisjoint(lexicon.tokens(profile.header))
    return "minor" if speaks_of_cents and profile.type in ("integer", "postal_code") else "major"


def _time_unit(field: Field, profile: ColumnProfile) -> TimeUnit:
    unit = time_unit_of(profile.header) if is_in_hours(field.name) else None
    return "hours" if unit is None or unit == "other" else unit


def _values(profile: ColumnProfile) -> list[str]:
    return [value for value, _ in profile.frequent] or list(profile.examples)


def _value_mapping(entity: str, field: Field, profile: ColumnProfile) -> dict[str, str | None]:
    values = _values(profile)
    proposed: dict[str, str | None] = dict(propose_values(entity, field.name, values))
    if set(field.values) == set(_COMPANY_FLAG.values()) and profile.type == "boolean":
        proposed.update({folded: _COMPANY_FLAG[folded] for v in values if (folded := fold_value(v)) in _COMPANY_FLAG})
    return proposed


def _tag_separator(profile: ColumnProfile) -> str | None:
    """A bar separates tags only where no comma or semicolon does."""
    values = _values(profile)
    is_barred = any("|" in value for value in values) and not any("," in v or ";" in v for v in values)
    return "|" if is_barred else None


def is_pair(profile: ColumnProfile) -> bool:
    """Ids such as '<client>_<property>': the row stands for a record and one of its children."""
    return bool(profile.examples) and all(_PAIR.match(value) for value in profile.examples)


def reference_by(field: Field, profile: ColumnProfile, lexicon: Lexicon) -> ReferenceBy:
    """What the cells of a reference column name their parent by."""
    words = set(lexicon.tokens(profile.header)) if profile.header else set()
    if profile.type in ("email", "phone"):
        return "email" if profile.type == "email" else "phone"
    if profile.type in ("name", "company", "street", "address", "city"):
        return "name"
    if "email" in words and profile.type == "empty":
        return "email"
    if field.ref in ("jobs", "estimates", "invoices"):
        return "source_id" if "id" in words else "number"
    if words & {"id", "number", "code", "reference"} and "name" not in words:
        return "source_id"
    return "source_id" if profile.type in ("id", "integer", "postal_code") else "name"
