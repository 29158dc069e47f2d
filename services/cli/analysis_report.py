"""What `hub analyze --json` prints for one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.mapper.value_mapping import ValueMappingView, value_views
from shared.catalog.lexicon import load_lexicon
from shared.catalog.model import load_catalog
from shared.messages.analysis import ColumnProfile, Detection
from shared.messages.landing import LandedFile
from shared.messages.mapping import FieldMapping, FileMapping, MappingDocument, RecordMapping

NAMED_MIN = 0.7
"""From here on a header names a field."""


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
        "reasons": list(main.reasons) if main else _why_unmapped(profile, uses, primary),
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


def _why_unmapped(
    profile: ColumnProfile, uses: list[tuple[RecordMapping, FieldMapping]], primary: RecordMapping | None
) -> list[str]:
    if uses:
        return [f"It feeds the {record.entity} made from the same row." for record, _ in uses[:1]]
    if profile.type == "empty":
        return ["The column is empty."]
    taken = _taken_by_another(profile, primary) if primary is not None else None
    if taken is not None and primary is not None:
        label = load_catalog()[primary.entity].fields[taken.field].label.lower()
        number = (taken.column or 0) + 1
        named = f"“{taken.header}” (column {number})" if taken.header else f"Column {number}"
        return [f"{named} already feeds {label}."]
    return ["No field of the entity type fits it well enough."]


def _taken_by_another(profile: ColumnProfile, primary: RecordMapping) -> FieldMapping | None:
    """The mapping of another column to the field that this one's header names, or its values are; None where free."""
    named = load_lexicon().header_scores(profile.header) if profile.header else {}
    own = {field: score for (entity, field), score in named.items() if entity == primary.entity}
    best = max(own.values(), default=0.0)
    fields = {field for field, score in own.items() if score == best} if best >= NAMED_MIN else {profile.type}
    mapped = (field for field in primary.fields if field.field in fields and field.column is not None)
    return next(mapped, None)
