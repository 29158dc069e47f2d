"""What columns of numbers count: the lines of a document or all of it, and hours or something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.mapper.candidates import Candidate
from services.mapper.transforms import decimal_parser, is_in_hours
from shared.catalog.lexicon import time_unit_of
from shared.catalog.model import Field, FieldType
from shared.messages.analysis import ColumnProfile
from shared.messages.mapping import Options

DOCUMENT_FIELDS = frozenset({"total", "subtotal", "tax", "balance"})
OTHER_UNIT_SHARE = 0.3
"""What remains of the chance that pounds or dollars are hours; it never suffices."""
NO_HOURS = frozenset({"days", "other"})
"""A day of work may be eight hours or twenty-four: nobody knows, so a person has to say."""

_MOVED_MIN = 0.2


def amounts_of_whole_documents(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile]) -> None:
    """Where rows are lines of documents, the amount of the whole document feeds its total, not that of the line."""
    if not any("names_lines" in c.kinds and _numbers(own) for c, own in zip(columns, candidates, strict=True)):
        return
    for field in DOCUMENT_FIELDS:
        of_line = _chances(field, "of_line", candidates, columns)
        of_document = _chances(field, "of_document", candidates, columns)
        if not of_line or not of_document:
            continue
        best = max(of_document, key=lambda index: of_document[index])
        for index in of_line:
            candidates[index] = [c for c in candidates[index] if c.field != field or c.hints]
        raised = max(of_document[best], *of_line.values())
        candidates[best] = sorted(
            (replace(c, score=raised) if c.field == field else c for c in candidates[best]),
            key=lambda c: (-c.score, c.field),
        )


def _numbers(options: Sequence[Candidate]) -> bool:
    return bool(options) and options[0].field in ("number", "source_id")


def _chances(
    field: str, kind: str, candidates: Sequence[Sequence[Candidate]], columns: Sequence[ColumnProfile]
) -> dict[int, float]:
    return {
        at: c.score
        for at, own in enumerate(candidates)
        for c in own
        if kind in columns[at].kinds and c.field == field and c.score >= _MOVED_MIN
    }


def without_other_units(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile]) -> None:
    """Days, pounds and dollars are no hours; who approved such a column before knows better."""
    for at, profile in enumerate(columns):
        if time_unit_of(profile.header) in NO_HOURS:
            candidates[at] = sorted(
                (
                    replace(c, score=c.score * OTHER_UNIT_SHARE) if is_in_hours(c.field) and not c.hints else c
                    for c in candidates[at]
                ),
                key=lambda c: (-c.score, c.field),
            )


def unit_reason(field: Field, profile: ColumnProfile, options: Options) -> str | None:
    """How the first value is converted, None where nothing is."""
    if field.type is not FieldType.DECIMAL or options.time_unit == "hours":
        return None
    parse = decimal_parser(mark=options.decimal_mark or ".", unit=options.time_unit)
    for text in profile.examples:
        if (hours := parse(text).value) is not None:
            return f"Its header counts {options.time_unit}: “{text}” is read as {hours} hours."
    return f"Its header counts {options.time_unit}, which are converted to hours."
