"""What `hub analyze --json` prints for one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.mapper.value_mapping import ValueMappingView, value_views
from shared.catalog.model import load_catalog
from shared.messages.analysis import ColumnProfile, Detection
from shared.messages.landing import LandedFile
from shared.messages.mapping import FieldMapping, FileMapping, MappingDocument, RecordMapping


def describe(detection: Detection, mapping: FileMapping, landed: LandedFile) -> dict[str, Any]:
    """One entry of the list, ready for JSON. Columns in file order; `also` lists what a column feeds besides.

    `values`: of a column that feeds a field with fixed values, each with what becomes of it (null: to decide, or left
    empty by choice; `state` tells), those to decide first. `suggested` is not used before somebody says so.
    `entity` is what the mapping makes of the file (a type set by hand counts), None where the file is left out.
    """
    primary = next((record for record in mapping.records if record.primary), None)
    views = value_views(MappingDocument(files=(mapping,)), load_catalog())
    values = {view.column: view for view in views if primary is not None and view.entity == primary.entity}
    return {
        "file": detection.file,
        "entity": primary.entity if primary else None,
        "entity_confidence": mapping.entity_confidence,
        "alternatives": [{"entity": a.entity, "confidence": a.confidence} for a in detection.alternatives],
        "reasons": list(mapping.reasons),
        "platform": detection.platform,
        "records": landed.records,
        "encoding": landed.reading.encoding,
        "delimiter": landed.reading.delimiter,
        "header_row": landed.reading.header_line,
        "columns": [_column(profile, primary, mapping, values) for profile in detection.columns],
    }


def _column(
    profile: ColumnProfile,
    primary: RecordMapping | None,
    mapping: FileMapping,
    values: Mapping[int, ValueMappingView],
) -> dict[str, Any]:
    uses = [(record, field) for record in mapping.records for field in record.fields if field.column == profile.index]
    main = next((field for record, field in uses if record is primary), None)
    column: dict[str, Any] = {
        "header": profile.header or None,
        "field": main.field if main else None,
        "confidence": main.confidence if main else None,
        "reasons": list(main.reasons) if main else _why_unmapped(profile, uses),
        "type": profile.type,
    }
    if main is not None and main.runner_up is not None:
        column["runner_up"] = main.runner_up
    view = values.get(profile.index)
    if main is not None and view is not None and view.field == main.field:
        column |= view.model_dump(include={"values_total", "values_not_shown", "rows_not_shown"})
        column["values"] = [choice.model_dump(exclude={"share"}) for choice in view.values]
    also = [
        {"entity": record.entity, "field": field.field, "confidence": field.confidence}
        for record, field in uses
        if field is not main
    ]
    if also:
        column["also"] = also
    return column


def _why_unmapped(profile: ColumnProfile, uses: list[tuple[RecordMapping, FieldMapping]]) -> list[str]:
    if uses:
        return [f"It feeds the {record.entity} made from the same row." for record, _ in uses[:1]]
    if profile.type == "empty":
        return ["The column is empty."]
    return ["No field of the entity type fits it well enough."]
