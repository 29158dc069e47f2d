"""What an approved mapping teaches: remembered by the shape of its file, given back to files of the same shape."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import msgspec
from pydantic import BaseModel, TypeAdapter

from services.mapper.hints import NO_HINTS, FileHints, Hint, as_far_as_it_fits
from services.mapper.memory_shapes import (
    Alignment,
    ShapeColumn,
    align,
    are_kindred,
    changes,
    has_headers,
    header_counts,
    is_telling,
    likeness_max,
    likeness_of_names,
    shape_id,
    shape_key,
)
from services.mapper.told_headers import told_headers
from shared.catalog.evidence import Evidence
from shared.messages.analysis import ColumnProfile, Detection
from shared.messages.mapping import FieldMapping, FileMapping, RecordMapping

LIKENESS_MIN = 0.6
"""A shape that shares less with the file is another kind of file."""
OTHER_ENTITY_LIKENESS_MIN = 0.85
"""A file is taken for what was approved, whatever detection is sure of, only if it is nearly the same."""
SURE_STRENGTH = 0.98
RENAMED_STRENGTH = 0.88
BY_PLACE_STRENGTH = 0.8
BY_PLACE_LITTLE_STRENGTH = 0.6
"""Without headers two files with the same kinds of columns may mean something else by them: text and numbers first."""
CHANGED_KIND_STRENGTH = 0.5
"""The header is the same and its values are of another kind: half of such columns hold something else."""
UNMAPPED_STRENGTH = 0.9
"""A column that was left out on approval is left out again."""
OTHERS_FACTOR = 0.9
"""An account's own approval counts more than one that another account shares."""
VALUES_KEPT_MAX = 200

_RECORDS = TypeAdapter(tuple[RecordMapping, ...])


class Remembered(BaseModel):
    """One approved mapping of one file, without what only described the file of then. `entity`: None if left out."""

    id: str
    entity: str | None
    file: str
    sha256: str = ""
    """Of the file's content; "" in what other accounts may see, and where an older hub has remembered it."""
    columns: tuple[ShapeColumn, ...]
    mapped: str
    """The records as JSON: a memory has hundreds of mappings, of which a file needs one or two."""
    session: str
    approved_by: str
    approved_at: float
    times: int = 1
    shared: bool = False
    from_other_account: bool = False
    """Never stored: set where another account's memory is handed to this one."""

    @cached_property
    def headers(self) -> Counter[str]:
        """The headers of the shape, counted."""
        return header_counts(self.columns)

    @cached_property
    def records(self) -> tuple[RecordMapping, ...]:
        """The records that each row makes, as approved."""
        return _RECORDS.validate_json(self.mapped)

    def is_of(self, file: str, sha256: str) -> bool:
        """True for the very file: of this name or of this content."""
        return self.file == file or (bool(sha256) and self.sha256 == sha256)

    @property
    def primary(self) -> RecordMapping | None:
        """The record that every row makes; None where the file was left out."""
        return next((record for record in self.records if record.primary), None)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The same for all mappings of files with these headers."""
        return shape_key(self.columns)


@dataclass(frozen=True)
class Recall:
    """A remembered mapping that fits a file."""

    remembered: Remembered
    alignment: Alignment


def remember(
    mapping: FileMapping, kinds: Sequence[str], *, session: str, approved_by: str, approved_at: float
) -> Remembered:
    """What to keep of an approved file. `kinds`: types of its columns, where known."""
    entity = next((record.entity for record in mapping.records if record.primary), None)
    known = kinds if len(kinds) == len(mapping.headers) else [""] * len(mapping.headers)
    shape = tuple(ShapeColumn(header=h, kind=k) for h, k in zip(mapping.headers, known, strict=True))
    return Remembered(
        id=shape_id(entity, shape, mapping.file),
        entity=entity,
        file=mapping.file,
        sha256=mapping.sha256,
        columns=shape,
        mapped=_packed(_bare(record) for record in mapping.records),
        session=session,
        approved_by=approved_by,
        approved_at=approved_at,
    )


def for_others(remembered: Remembered) -> Remembered:
    """What other accounts may see: headers and fields, no name, no value mapping, no constant, no unit of money.

    A header that may be a customer's value (a first record taken for the header row) is a mask of itself.
    """
    headers = [column.header for column in remembered.columns]
    told = told_headers(headers, [column.kind for column in remembered.columns])

    def general(field: FieldMapping) -> FieldMapping:
        options = field.options.model_copy(update={"values": {}, "default": None, "money_unit": "major"})
        header = told[field.column] or None if field.column is not None else None
        return field.model_copy(update={"options": options, "header": header})

    records = (
        record.model_copy(
            update={"fields": tuple(general(f) for f in record.fields if f.column is not None or f.by == "row")}
        )
        for record in remembered.records
    )
    columns = [c.model_copy(update={"header": h}) for c, h in zip(remembered.columns, told, strict=True)]
    return Remembered(
        id=remembered.id,
        entity=remembered.entity,
        file="",
        columns=tuple(columns),
        mapped=_packed(records),
        session="",
        approved_by="",
        approved_at=remembered.approved_at,
        times=remembered.times,
        shared=True,
    )


def recall(detection: Detection, known: Sequence[Remembered], *, given: Collection[str | None] = ()) -> Recall | None:
    """The remembered mapping that fits a file best.

    `given`: the entity type set by hand (or None, where the file is left out), if there is one.
    """
    shape = shape_of(detection)
    headers = header_counts(shape)
    best: tuple[_Rank, Recall] | None = None
    for one in known:
        if (given and one.entity not in given) or likeness_max(one.headers, headers) < LIKENESS_MIN:
            continue
        is_taken_for = one.entity in given or one.entity == detection.entity
        if one.from_other_account and (one.entity is None or not (is_taken_for or detection.entity is None)):
            continue  # what others leave out, or take for something else than detection does, is their business
        if one.entity is None and not (given or one.is_of(detection.file, detection.sha256)):
            continue  # that one file is left out says nothing about the next of its kind
        alignment = align(one.columns, shape)
        if alignment.likeness < _likeness_needed(one, is_taken_for, detection):
            continue
        if not _knows_its_fields(one, alignment):
            continue
        rank = _rank(one, alignment.likeness, is_taken_for, detection)
        if best is None or rank > best[0]:
            best = (rank, Recall(one, alignment))
    return best[1] if best else None


def shape_of(detection: Detection) -> tuple[ShapeColumn, ...]:
    """The shape of an analysed file."""
    return tuple(ShapeColumn(header=column.header, kind=column.type) for column in detection.columns)


def without_left_out(detection: Detection, recalled: Recall | None) -> Detection:
    """The detection, or one that takes the file for nothing, where such a file was left out on approval."""
    if recalled is None or recalled.remembered.entity is not None:
        return detection
    return msgspec.structs.replace(
        detection, entity=None, entity_confidence=_entity_strength(recalled), alternatives=(), reasons=()
    )


def left_out_alike(detection: Detection, known: Sequence[Remembered], recalled: Recall | None) -> tuple[str, ...]:
    """What to say where another file with these columns was left out and nobody has approved one since."""
    since = recalled.remembered.approved_at if recalled and not recalled.remembered.from_other_account else 0.0
    key = shape_key(shape_of(detection))
    alike = [
        one
        for one in known
        if one.entity is None and not one.from_other_account and one.approved_at > since and one.key == key
    ]
    if not alike:
        return ()
    last = max(alike, key=lambda one: one.approved_at)
    return (
        f"You left out {last.file}, which has the same columns, on {_day(last.approved_at)}. This file is taken in.",
    )


def recall_hints(recalled: Recall | None, detection: Detection, evidence: Evidence) -> FileHints:
    """What a remembered mapping says about a file's columns and about the file."""
    if recalled is None:
        return NO_HINTS
    remembered, alignment = recalled.remembered, recalled.alignment
    when = _day(remembered.approved_at)
    if remembered.entity is None:
        return FileHints(reasons=(f"Left out, as you chose on {when}.",))
    whose = "another account's approved mapping" if remembered.from_other_account else "your approved mapping"
    return FileHints(
        hints=tuple(_hints(recalled, remembered.entity, detection, f"{whose} of {when}", evidence)),
        entity=remembered.entity,
        entity_strength=_entity_strength(recalled),
        reasons=(
            f"Mapped as in {whose} of {when}.",
            *changes(remembered.columns, shape_of(detection), alignment),
        ),
    )


def strength_of(recalled: Recall, before: int, column: ColumnProfile, *, has_fields: bool) -> float:
    """How sure a remembered column says what the one at hand feeds; less by place, renamed or with other values."""
    remembered = recalled.remembered
    strength = RENAMED_STRENGTH if before in recalled.alignment.renamed else SURE_STRENGTH
    if not has_headers(remembered.columns):
        strength = BY_PLACE_STRENGTH if is_telling(column.type) else BY_PLACE_LITTLE_STRENGTH
    if not are_kindred(remembered.columns[before].kind, column.type):
        strength = CHANGED_KIND_STRENGTH
    return _trust(remembered) * (strength if has_fields else min(strength, UNMAPPED_STRENGTH))


# ---- inside ---------------------------------------------------------------------------------------------------


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y").lstrip("0")


def _packed(records: Iterable[RecordMapping]) -> str:
    return _RECORDS.dump_json(tuple(records), exclude_defaults=True).decode()


def _bare(record: RecordMapping) -> RecordMapping:
    def bare(field: FieldMapping) -> FieldMapping:
        values = dict(list(field.options.values.items())[:VALUES_KEPT_MAX])
        return field.model_copy(
            update={
                "confidence": 1.0,
                "reasons": (),
                "runner_up": None,
                "source_values": (),
                "source_values_total": 0,
                "source_values_rows": 0,
                "options": field.options.model_copy(update={"values": values}),
            }
        )

    return record.model_copy(update={"fields": tuple(bare(field) for field in record.fields)})


_Rank = tuple[bool, float, bool, float, float, bool]


def _rank(one: Remembered, likeness: float, is_taken_for: bool, detection: Detection) -> _Rank:
    """The account's own before what others share, the likest, the file itself or one of that name, the last word.

    Detection only breaks ties: where it was right, nobody had to correct it.
    """
    is_own = not one.from_other_account
    nearly_same = likeness >= OTHER_ENTITY_LIKENESS_MIN
    is_it = one.is_of(detection.file, detection.sha256)
    name = 2.0 if is_it else round(likeness_of_names(one.file, detection.file), 3)
    return (is_own and nearly_same, round(likeness, 3), is_own, name, one.approved_at, is_taken_for)


def _likeness_needed(one: Remembered, is_taken_for: bool, detection: Detection) -> float:
    """The surer detection is of another answer, the more like the shape has to be; without headers it never is."""
    if is_taken_for:
        return LIKENESS_MIN
    if not has_headers(one.columns):
        kinds = [column.kind for column in one.columns]
        if detection.entity is not None or 2 * sum(map(is_telling, kinds)) < len(kinds):
            return math.inf
    return min(OTHER_ENTITY_LIKENESS_MIN, LIKENESS_MIN + 0.3 * detection.entity_confidence)


def _entity_strength(recalled: Recall) -> float:
    sure = SURE_STRENGTH if has_headers(recalled.remembered.columns) else BY_PLACE_STRENGTH
    return round(_trust(recalled.remembered) * (sure if not recalled.alignment.gone else min(sure, 0.95)), 3)


def _knows_its_fields(one: Remembered, alignment: Alignment) -> bool:
    """At least half of the columns that fed something are there under their own name."""
    used = {field.column for record in one.records for field in record.fields} - {None}
    return len(used & alignment.same.keys()) * 2 >= len(used)


def _trust(remembered: Remembered) -> float:
    return OTHERS_FACTOR if remembered.from_other_account else 1.0


def _hints(recalled: Recall, name: str, detection: Detection, source: str, evidence: Evidence) -> Iterator[Hint]:
    remembered, alignment = recalled.remembered, recalled.alignment
    entity = evidence.catalog[name]
    fields: dict[int, list[str]] = {}
    for mapped in remembered.primary.fields if remembered.primary else ():
        if mapped.column is not None and mapped.field in entity.fields:
            fields.setdefault(mapped.column, []).append(mapped.field)
    for before, now in sorted(alignment.columns.items()):
        strength = strength_of(recalled, before, detection.columns[now], has_fields=before in fields)
        for field in fields.get(before, [None]):
            label = entity.fields[field].label.lower() if field else "no field"
            yield Hint(
                entity=name,
                column=now,
                field=field,
                strength=_with_fit(strength, recalled, before, field, detection.columns[now], evidence),
                reason=f"“{remembered.columns[before].header or f'column {before + 1}'}” fed {label} in {source}.",
                origin="memory",
            )


def _with_fit(
    strength: float, recalled: Recall, before: int, field: str | None, column: ColumnProfile, evidence: Evidence
) -> float:
    """Values of the same kind under the same header were approved; any others must be such as the field can hold."""
    shape, entity = recalled.remembered.columns, recalled.remembered.entity
    if field is None or entity is None or (has_headers(shape) and are_kindred(shape[before].kind, column.type)):
        return round(strength, 3)
    return as_far_as_it_fits(strength, evidence.fit(entity, evidence.catalog[entity].fields[field], column))
