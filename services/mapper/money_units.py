"""Whether a file's amounts are cents: told by its headers, by what was approved, or by the interface that wrote it.

Wrong either way is wrong by a factor of a hundred, and no later check can see it: without a sure sign amounts are read
as they stand, and wherever they are read as cents the mapping says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from services.mapper.column_options import money_unit_of
from services.mapper.memory import Recall
from services.mapper.presets import Layout, MoneyUnit, header_key, layout_in_cents
from shared.catalog.lexicon import Lexicon
from shared.catalog.model import Catalog, FieldType
from shared.messages.analysis import ColumnProfile, Detection
from shared.messages.mapping import FieldMapping, FileMapping, RecordMapping

_WHOLE_NUMBERS = ("integer", "postal_code")
_WITH_POINT = ("money", "decimal")
_NOT_TAKEN_OVER = (
    "In your approved mapping amounts were cents. This file has other columns, so its amounts are read as they stand."
)


def with_money_units(
    file: FileMapping,
    detection: Detection,
    platforms: Collection[str],
    catalog: Catalog,
    lexicon: Lexicon,
    recalled: Recall | None,
) -> FileMapping:
    """The mapping of a file with the unit of each amount, and why where they are cents.

    `platforms`: those that the file itself or the source label names. What was approved counts in the account's own
    files with the same columns; in any other the unit is told afresh, for all amounts alike.
    """
    columns = detection.columns
    if recalled is not None and _is_known(recalled, file, columns):
        return _changed(file, catalog, lambda field: _saying(field, columns, "as you approved"))

    def by_header(field: FieldMapping) -> FieldMapping:
        profile = columns[field.column] if field.column is not None else None
        unit = money_unit_of(profile, lexicon) if profile else "major"
        return _saying(_in(unit, field), columns, "as its header says")

    told = _changed(file, catalog, by_header)
    layout = _layout(told, detection, platforms, catalog)
    if layout is not None:
        told = _changed(told, catalog, lambda field: _by_layout(field, columns, layout))
    if _was_in_cents(recalled) and not _minor(told.records):
        return told.model_copy(update={"reasons": (*told.reasons, _NOT_TAKEN_OVER)})
    return told


# ---- inside ---------------------------------------------------------------------------------------------------


def _is_known(recalled: Recall, file: FileMapping, columns: Sequence[ColumnProfile]) -> bool:
    """True for the account's own mapping of these very columns; not where amounts of then have a decimal point now."""
    found, remembered = recalled.alignment, recalled.remembered
    if remembered.from_other_account or found.renamed or found.gone or found.added:
        return False
    primary = _primary(file)
    if primary is None or primary.entity != remembered.entity:
        return False
    return not any(columns[found.same[at]].type in _WITH_POINT for at in _minor(remembered.records))


def _minor(records: Sequence[RecordMapping]) -> list[int]:
    """The columns whose amounts are cents."""
    return [
        field.column
        for record in records
        for field in record.fields
        if field.column is not None and field.options.money_unit == "minor"
    ]


def _primary(file: FileMapping) -> RecordMapping | None:
    return next((record for record in file.records if record.primary), None)


def _changed(file: FileMapping, catalog: Catalog, change: Callable[[FieldMapping], FieldMapping]) -> FileMapping:
    """The file with each amount changed."""

    def changed(record: RecordMapping) -> RecordMapping:
        known = catalog[record.entity].fields
        fields = (change(f) if known[f.field].type is FieldType.MONEY else f for f in record.fields)
        return record.model_copy(update={"fields": tuple(fields)})

    return file.model_copy(update={"records": tuple(map(changed, file.records))})


def _was_in_cents(recalled: Recall | None) -> bool:
    """True where the account's own mapping, of other columns, read amounts as cents."""
    if recalled is None or recalled.remembered.from_other_account:
        return False
    return bool(_minor(recalled.remembered.records))


def _layout(file: FileMapping, detection: Detection, platforms: Collection[str], catalog: Catalog) -> Layout | None:
    """The known layout that says that whole amounts of the file are cents."""
    primary = _primary(file)
    if primary is None:
        return None
    ids = [text for column in detection.columns if header_key(column.header) == "id" for text in column.examples]
    layout = layout_in_cents(file.headers, primary.entity, platforms, ids)
    if layout is None:
        return None
    amounts = {f.column for f in primary.fields if catalog[primary.entity].fields[f.field].type is FieldType.MONEY}
    known = [column for column in detection.columns if header_key(column.header) in layout.columns]
    # One amount with a decimal point says that none of them is counted in cents.
    return None if any(column.index in amounts and column.type in _WITH_POINT for column in known) else layout


def _by_layout(field: FieldMapping, columns: Sequence[ColumnProfile], layout: Layout) -> FieldMapping:
    if field.column is None or columns[field.column].type not in _WHOLE_NUMBERS:
        return field
    if field.options.money_unit == "minor":
        return field  # its header has said so
    return _saying(_in("minor", field), columns, f"as {layout.label} writes them ({layout.name})")


def _in(unit: MoneyUnit, field: FieldMapping) -> FieldMapping:
    return field.model_copy(update={"options": field.options.model_copy(update={"money_unit": unit})})


def _saying(field: FieldMapping, columns: Sequence[ColumnProfile], why: str) -> FieldMapping:
    """The field with the reason why its amounts are cents, where they are."""
    if field.options.money_unit == "major" or field.column is None:
        return field
    example = next((text for text in columns[field.column].examples if text.isascii() and text.isdigit()), "12050")
    amount = f"{int(example) // 100}.{int(example) % 100:02}"
    reason = f"Its amounts are cents, {why}: {example} is read as {amount}."
    return field.model_copy(update={"reasons": (reason, *field.reasons)})
