"""Value mapping: what the values of an enum column mean in the words of the catalogue, and which nobody knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from services.mapper.transforms.enums import fold_value, known_values
from services.mapper.value_reading import ValueProposal, propose_value
from shared.catalog.model import Catalog, FieldType
from shared.messages.analysis import ColumnProfile, Detection
from shared.messages.mapping import FieldMapping, FileMapping, MappingDocument, RecordMapping, SourceValue

VALUES_TOLD_MAX = 50
"""Values kept in a mapping document per column; a column with more is hardly a list of states."""


class ValueChoice(BaseModel):
    """One source value as people see it."""

    value: str
    count: int
    share: float
    """Of all filled rows of the column that were looked at."""
    becomes: str | None
    state: str
    """`matched`, `unmatched` (a warning for each record until somebody decides) or `left_empty` (by choice)."""
    suggested: str | None = None
    """Of an unmatched value: what it may mean; not used before somebody says so."""
    confidence: float
    reason: str


class ValueMappingView(BaseModel):
    """The values of one column that feeds an enum field."""

    file: str
    entity: str
    field: str
    label: str
    column: int
    header: str | None
    allowed: list[str]
    values: list[ValueChoice]
    """Those to decide first, then by frequency."""
    unmatched: list[str]
    """Those to decide among `values`."""
    values_total: int
    """Different values that were seen."""
    values_not_shown: int
    rows_not_shown: int
    """Rows that hold the values not shown."""


def with_source_values(document: MappingDocument, detections: Sequence[Detection], catalog: Catalog) -> MappingDocument:
    """The document with the values of its enum columns, and a proposal for each that has none yet."""
    files = [
        _file_with_values(file, detection.columns, catalog)
        for file, detection in zip(document.files, detections, strict=True)
    ]
    return document.model_copy(update={"files": tuple(files)})


def with_known_counts(given: FileMapping, current: FileMapping) -> FileMapping:
    """A mapping given by hand with the counts of the current one, where it left them out."""
    seen = {(record.entity, field.field, field.column): field for record in current.records for field in record.fields}

    def counted(entity: str, field: FieldMapping) -> FieldMapping:
        before = seen.get((entity, field.field, field.column))
        if before is None:
            return field
        return field.model_copy(
            update={
                "source_values": field.source_values or before.source_values,
                "source_values_total": before.source_values_total,
                "source_values_rows": before.source_values_rows,
            }
        )

    records = [
        record.model_copy(update={"fields": tuple(counted(record.entity, field) for field in record.fields)})
        for record in given.records
    ]
    return given.model_copy(update={"records": tuple(records)})


def value_views(document: MappingDocument, catalog: Catalog) -> list[ValueMappingView]:
    """Every enum column of a mapping with its values as they will be read."""
    return [
        _view(file, record, field, catalog)
        for file in document.files
        for record in file.records
        for field in record.fields
        if (field.source_values or field.source_values_total) and field.column is not None
    ]


# ---- inside ---------------------------------------------------------------------------------------------------


def _file_with_values(file: FileMapping, columns: Sequence[ColumnProfile], catalog: Catalog) -> FileMapping:
    records = [
        record.model_copy(
            update={"fields": tuple(_field_with_values(record, field, columns, catalog) for field in record.fields)}
        )
        for record in file.records
    ]
    return file.model_copy(update={"records": tuple(records)})


def _field_with_values(
    record: RecordMapping, field: FieldMapping, columns: Sequence[ColumnProfile], catalog: Catalog
) -> FieldMapping:
    is_enum = catalog[record.entity].fields[field.field].type is FieldType.ENUM
    if not is_enum or field.column is None or field.column >= len(columns):
        return field
    counted = _counted(columns[field.column])
    proposals = {text: propose_value(record.entity, field.field, text) for text, _ in counted}
    proposed = {fold_value(text): found.value for text, found in proposals.items() if found and found.is_sure}
    chosen = {fold_value(text): value for text, value in field.options.values.items()}
    values = {**proposed, **chosen}
    # `sorted` keeps the order by frequency within both parts: what somebody has to decide must not be cut off.
    told = sorted(counted, key=lambda seen: fold_value(seen[0]) in values)[:VALUES_TOLD_MAX]
    return field.model_copy(
        update={
            "options": field.options.model_copy(update={"values": values}),
            "source_values": tuple(_source_value(text, count, proposals[text], chosen) for text, count in told),
            "source_values_total": len(counted) or columns[field.column].distinct,
            "source_values_rows": sum(count for _, count in counted) or _filled_rows(columns[field.column]),
        }
    )


def _source_value(text: str, count: int, found: ValueProposal | None, chosen: Mapping[str, str | None]) -> SourceValue:
    folded = fold_value(text)
    if folded in chosen and (found is None or not found.is_sure or found.value != chosen[folded]):
        # Decided from more than the word: the flag "is a company", or what was approved before.
        return SourceValue(value=text, count=count, proposed=chosen[folded], confidence=0.95, reason="as chosen for it")
    if found is None:
        return SourceValue(value=text, count=count)
    return SourceValue(value=text, count=count, proposed=found.value, confidence=found.confidence, reason=found.reason)


def _filled_rows(profile: ColumnProfile) -> int:
    return round(profile.distinct / profile.unique_share) if profile.unique_share else 0


def _counted(profile: ColumnProfile) -> list[tuple[str, int]]:
    """Values with their counts, spellings that are compared as equal together under the commonest."""
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for text, count in profile.frequent:
        folded = fold_value(text)
        if folded:
            counts[folded] += count
            shown.setdefault(folded, " ".join(text.split()))
    return [(shown[folded], count) for folded, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _view(file: FileMapping, record: RecordMapping, field: FieldMapping, catalog: Catalog) -> ValueMappingView:
    known = known_values(record.entity, field.field)
    chosen = {fold_value(text): value for text, value in field.options.values.items()}
    shown_rows = sum(value.count for value in field.source_values)
    rows = max(field.source_values_rows, shown_rows)
    choices = [_choice(value, chosen, known, rows) for value in field.source_values]
    values = sorted(choices, key=lambda choice: (choice.state != "unmatched", -choice.count))
    values_total = max(field.source_values_total, len(values))
    target = catalog[record.entity].fields[field.field]
    return ValueMappingView(
        file=file.file,
        entity=record.entity,
        field=field.field,
        label=target.label,
        column=field.column or 0,
        header=field.header,
        allowed=list(target.values),
        values=values,
        unmatched=[value.value for value in values if value.state == "unmatched"],
        values_total=values_total,
        values_not_shown=values_total - len(values),
        rows_not_shown=rows - shown_rows,
    )


def _choice(seen: SourceValue, chosen: Mapping[str, str | None], known: Mapping[str, str], total: int) -> ValueChoice:
    folded = fold_value(seen.value)
    becomes = chosen[folded] if folded in chosen else known.get(folded)
    state = "matched" if becomes is not None else "left_empty" if folded in chosen else "unmatched"
    is_suggestion = state == "unmatched" and seen.proposed is not None
    is_proposal = is_suggestion or becomes == seen.proposed
    return ValueChoice(
        value=seen.value,
        count=seen.count,
        share=round(seen.count / total, 4) if total else 0.0,
        becomes=becomes,
        state=state,
        suggested=seen.proposed if is_suggestion else None,
        confidence=seen.confidence if is_proposal else 1.0,
        reason=seen.reason if is_proposal else "set by hand",
    )
