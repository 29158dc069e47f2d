"""Relations between the files of a session: a column whose values are another file's ids, numbers or names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from shared.catalog.evidence import Evidence
from shared.catalog.identity import normalise_name, normalise_number
from shared.messages.analysis import ColumnProfile, Detection, Relation, SampledFile

VALUES_MAX = 5_000
"""Distinct values of a child's column that are looked up; enough to tell a share of a half from one of a tenth."""
PARENT_VALUES_MIN = 3
SHARE_MIN = 0.5
UNIQUE_MIN = 0.9
"""A parent's key is unique but for duplicates and one-row-per-property exports."""

KEY_FIELDS = frozenset({"source_id", "number", "employee_number", "name", "company", "code", "sku"})

Normalise = Callable[[str], str]


def find_relations(
    files: Sequence[SampledFile], detections: Sequence[Detection], evidence: Evidence
) -> list[list[Relation]]:
    """Per file the columns that name records of another file, the surest parent each."""
    keys = [
        (at, column, kind, _values(file, column.index, kind))
        for at, (file, detection) in enumerate(zip(files, detections, strict=True))
        if detection.entity is not None
        for column in detection.columns
        if (kind := _key_kind(column)) is not None
        and column.unique_share >= UNIQUE_MIN
        and _names_record(detection.entity, column, evidence)
    ]
    return [_relations_of(at, files, detections, keys) for at in range(len(files))]


def _relations_of(
    at: int,
    files: Sequence[SampledFile],
    detections: Sequence[Detection],
    keys: Sequence[tuple[int, ColumnProfile, Normalise, frozenset[str]]],
) -> list[Relation]:
    result = []
    for column in detections[at].columns:
        kind = _key_kind(column)
        if kind is None:
            continue
        best: Relation | None = None
        own = _values(files[at], column.index, kind, VALUES_MAX)
        for parent, parent_column, parent_kind, values in keys:
            entity = detections[parent].entity
            if parent == at or parent_kind is not kind or entity is None or len(values) < PARENT_VALUES_MIN or not own:
                continue
            share = min(1.0, len(own & values) / len(own) / _sampled_share(files[parent]))
            # Running numbers from 1 overlap by chance; ids must look alike, and most of them must be there.
            if kind is normalise_number and (share < 0.8 or len(own) < PARENT_VALUES_MIN):
                continue
            if share >= SHARE_MIN and (best is None or share > best.share):
                best = Relation(
                    column=column.index, parent_file=files[parent].file, parent_entity=entity,
                    parent_column=parent_column.index, share=round(share, 3),
                )  # fmt: skip
        if best is not None:
            result.append(best)
    return result


def _names_record(entity: str, column: ColumnProfile, evidence: Evidence) -> bool:
    """A parent is named by its own id, number or name, not by a unique column that itself names somebody else."""
    scores = evidence.field_scores(entity, column)
    return bool(scores) and scores[0].field in KEY_FIELDS


def _key_kind(column: ColumnProfile) -> Normalise | None:
    if column.type in ("id", "integer", "postal_code") and column.distinct >= PARENT_VALUES_MIN:
        return normalise_number
    if column.type in ("name", "company") and column.distinct >= PARENT_VALUES_MIN:
        return normalise_name
    return None


def _sampled_share(file: SampledFile) -> float:
    """Of a big parent file only this share of its records, spread over the file, can be met at all."""
    return min(1.0, len(file.rows) / max(file.records, 1)) or 1.0


def _values(file: SampledFile, column: int, normalise: Normalise, values_max: int | None = None) -> frozenset[str]:
    seen = dict.fromkeys(row[column].strip() for row in file.rows if column < len(row) and row[column].strip())
    return frozenset(normalise(value) for value in islice(seen, values_max))
