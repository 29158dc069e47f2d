"""What a remembered mapping gives back that evidence about columns cannot say: options, constants, further records."""

from __future__ import annotations

from collections.abc import Sequence

from services.mapper.memory import SURE_STRENGTH, Recall, strength_of
from services.mapper.memory_shapes import are_kindred
from services.mapper.written_styles import DecimalMark, agreed_mark
from shared.catalog.date_order import DateOrder, agreed_order
from shared.catalog.lexicon import time_unit_of
from shared.messages.analysis import ColumnProfile
from shared.messages.mapping import FieldMapping, FileMapping, Options, RecordMapping

_READ_AS = ("date_order", "decimal_mark", "time_unit")


def restored(file: FileMapping, recalled: Recall | None, columns: Sequence[ColumnProfile]) -> FileMapping:
    """A proposal with what evidence about columns cannot say: options, constants, further records of a row."""
    if recalled is None or not any(record.primary for record in file.records):
        return file
    remembered = recalled.remembered
    primary = next(record for record in file.records if record.primary)
    if remembered.primary is None or primary.entity != remembered.entity:
        return file
    further = [_moved(record, recalled, columns) for record in remembered.records if not record.primary]
    records = (
        _primary(primary, remembered.primary, recalled, columns),
        *(record for record in further if any(f.column is not None for f in record.fields)),
    )
    return file.model_copy(update={"records": records})


# ---- inside ---------------------------------------------------------------------------------------------------


def _primary(
    proposed: RecordMapping, remembered: RecordMapping, recalled: Recall, columns: Sequence[ColumnProfile]
) -> RecordMapping:
    """The proposed record with the options of then; what was left out then is left out, what is missing is put back."""
    alignment = recalled.alignment
    before = {field.field: field for field in remembered.fields}
    used = {field.column for field in remembered.fields}
    left_out = {
        now for then, now in alignment.same.items() if then not in used and _holds_the_same(recalled, then, columns)
    }
    fields = [
        _with_options(field, before.get(field.field), recalled, columns)
        for field in proposed.fields
        if field.column not in left_out
    ]
    have = {field.field for field in fields}
    taken = {field.column for field in fields} - {alignment.columns.get(at) for at in _feeding_several(remembered)}
    missing = [
        field
        for field in remembered.fields
        if field.field not in have and (field.column is None or alignment.columns.get(field.column) not in taken)
    ]
    fields += _moved(remembered.model_copy(update={"fields": tuple(missing)}), recalled, columns).fields
    return proposed.model_copy(update={"fields": tuple(fields)})


def _feeding_several(record: RecordMapping) -> set[int]:
    columns = [field.column for field in record.fields if field.column is not None]
    return {column for column in columns if columns.count(column) > 1}


def _holds_the_same(recalled: Recall, before: int, columns: Sequence[ColumnProfile]) -> bool:
    """True where a remembered column is there and its values are of a kindred kind."""
    now = recalled.alignment.columns.get(before)
    return now is not None and are_kindred(recalled.remembered.columns[before].kind, columns[now].type)


def _with_options(
    proposed: FieldMapping, before: FieldMapping | None, recalled: Recall, columns: Sequence[ColumnProfile]
) -> FieldMapping:
    if before is None or before.column is None or proposed.column is None:
        return proposed
    if recalled.alignment.columns.get(before.column) != proposed.column:
        return proposed
    moved = _moved_field(before, recalled, columns)
    now, then = proposed.options, before.options
    options: Options = then.model_copy(
        update={
            # The order of day and month and the decimal mark are facts of the file where its values tell them;
            # what only other files tell comes behind what somebody approved.
            "date_order": _told_order(proposed.column, columns) or then.date_order or now.date_order,
            "decimal_mark": _told_mark(proposed.column, columns) or then.decimal_mark or now.decimal_mark,
            "time_unit": now.time_unit if _is_renamed_unit(proposed, before) else then.time_unit,
            "excel_serials": now.excel_serials,
            "values": {**now.values, **then.values},
        }
    )
    update: dict[str, object] = {"options": options, "by": before.by, "evidence": moved.evidence}
    if any(getattr(options, name) != getattr(now, name) for name in _READ_AS):
        # What else it said was said of other options.
        update["reasons"] = (*proposed.reasons[:1], "Its values are read as in the approved mapping.")
    return proposed.model_copy(update=update)


def _told_order(column: int, columns: Sequence[ColumnProfile]) -> DateOrder | None:
    return columns[column].date_order or agreed_order(other.date_order for other in columns)


def _told_mark(column: int, columns: Sequence[ColumnProfile]) -> DecimalMark | None:
    return columns[column].decimal_mark or agreed_mark(other.decimal_mark for other in columns)


def _is_renamed_unit(proposed: FieldMapping, before: FieldMapping) -> bool:
    """True where another header than then says what is counted."""
    return proposed.header != before.header and time_unit_of(proposed.header or "") is not None


def _moved(record: RecordMapping, recalled: Recall, columns: Sequence[ColumnProfile]) -> RecordMapping:
    """A remembered record on the columns of the file at hand, without fields whose column is gone or holds others."""
    fields = [
        _moved_field(field, recalled, columns)
        for field in record.fields
        if field.column is None or _holds_the_same(recalled, field.column, columns)
    ]
    return record.model_copy(update={"fields": tuple(fields)})


def _moved_field(field: FieldMapping, recalled: Recall, columns: Sequence[ColumnProfile]) -> FieldMapping:
    found = recalled.alignment.columns
    column = found.get(field.column) if field.column is not None else None
    confidence = SURE_STRENGTH
    if field.column is not None and column is not None:
        confidence = strength_of(recalled, field.column, columns[column], has_fields=True)
    return field.model_copy(
        update={
            "column": column,
            "header": (columns[column].header or None) if column is not None else None,
            "confidence": round(confidence, 3),
            "reasons": ("As in the approved mapping of such a file.",),
            "evidence": {kind: found[at] for kind, at in field.evidence.items() if at in found},
        }
    )
