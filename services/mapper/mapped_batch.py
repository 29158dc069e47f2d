"""Maps one batch of rows, a column at a time, to the records of every entity type the file holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import numpy as np
import zstandard

from services.mapper.mapping_plan import FilePlan, RecordPlan, ValuePlan
from services.mapper.normal_columns import NormalForms
from services.mapper.normal_forms import row_texts
from services.mapper.parent_keys import parent_link_keys
from services.mapper.problem_texts import given_up_problem
from services.mapper.record_bodies import encode_bodies
from services.mapper.record_checks import RecordChecks, Rows
from services.mapper.record_keys import NaturalKeys, RecordKeys, make_keys
from services.mapper.reference_columns import NamedParents, RowParents, reference_column
from services.mapper.transforms.cells import Converted
from shared.catalog.identity import content_hashes
from shared.catalog.model import FieldType
from shared.messages.batches import CANCELLED, MappedBatch, MappedStream, Problem, RawBatch

_T = TypeVar("_T")


@dataclass
class MappedParts:
    """What one batch of rows became, before it is a message."""

    streams: list[MappedStream] = field(default_factory=list)
    errored: dict[str, int] = field(default_factory=dict)
    money_errored: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def map_rows(
    plan: FilePlan,
    lines: Sequence[int],
    columns: Sequence[Sequence[str]],
    extras: Mapping[int, Sequence[str]],
    first_record: int,
    numbers: Sequence[int] | None = None,
    *,
    replaced_bytes: bool = False,
    oversized: bool = False,
) -> MappedParts:
    """The records of one batch. Never raises on what cells hold; the same rows give the same bytes.

    `columns` are the source cells by column, `lines` the physical lines, `extras` the cells beyond the last column by
    row index. Record numbers count on from `first_record` unless `numbers` gives them. `replaced_bytes`: rows that
    hold U+FFFD get a warning. `oversized`: the rows are above the limit for one record, so they are errors.
    """
    numbers = numbers if numbers is not None else range(first_record, first_record + len(lines))
    rows = Rows(lines, numbers, columns, extras, replaced_bytes, oversized)
    parts = MappedParts()
    parents: RowParents | None = None
    for record in plan.records:
        mapped = _RecordMapper(plan, record, rows, parents)
        mapped.write_into(parts)
        if record.primary:
            parents = mapped.as_parents()
    return parts


def to_message(raw: RawBatch, parts: MappedParts) -> MappedBatch:
    """The mapped batch that answers a raw batch."""
    return _message(raw, parts, given_up=None)


def give_up_batch(
    raw: RawBatch, *, entity: str, records: int, first_record: int, line: int, reason: str
) -> MappedBatch:
    """The answer for a batch that is not mapped: all its rows are errors of the file's primary entity type.

    It needs nothing but the plan: `first_record` and `line` are where the batch begins, `reason` is a sentence for
    people, or `CANCELLED` (then nothing went wrong, and the loader counts the rows as skipped).
    """
    counts = {entity: records} if records else {}
    if reason == CANCELLED:
        return _message(raw, MappedParts(errored=counts), given_up=reason)
    problem = Problem(
        severity="error",
        code="batch_given_up",
        message=given_up_problem(records, reason),
        record=first_record,
        line=line,
        entity=entity,
    )
    return _message(raw, MappedParts(errored=counts, problems=[problem]), given_up=reason)


def _message(raw: RawBatch, parts: MappedParts, given_up: str | None) -> MappedBatch:
    return MappedBatch(
        account=raw.account,
        session=raw.session,
        run=raw.run,
        batch=raw.batch,
        file=raw.file,
        plan=raw.plan,
        given_up=given_up,
        streams=parts.streams,
        errored=parts.errored,
        money_errored=parts.money_errored,
        problems=_packed(parts.problems),
    )


def _packed(items: Sequence[object]) -> bytes:
    # Level 1: measured faster than storing the bytes as they are.
    return zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(items))


def _u32(values: Sequence[int]) -> bytes:
    return np.fromiter(values, "<u4", len(values)).tobytes()


def _flags(count: int, places: Collection[int]) -> bytes:
    flags = bytearray(count)
    for i in places:
        flags[i] = 1
    return bytes(flags)


@dataclass(frozen=True)
class _Kept:
    """Some records of the batch (those that are not rejected): their indices, None where that is all of them."""

    indices: list[int] | None
    count: int

    def of(self, column: Sequence[_T]) -> Sequence[_T]:
        return column if self.indices is None else list(map(column.__getitem__, self.indices))

    def rows_of(self, packed: bytes, width: int) -> bytes:
        if self.indices is None:
            return packed
        return np.frombuffer(packed, np.uint8).reshape(-1, width)[self.indices].tobytes()


class _RecordMapper:
    """One record plan on one batch: only the rows that hold such a record, then convert, check, key, write."""

    def __init__(self, file: FilePlan, plan: RecordPlan, rows: Rows, parents: RowParents | None) -> None:
        self._file, self._plan = file, plan
        present = None if plan.primary else _present(plan, rows)
        self._rows = rows = rows if present is None else rows.take(present, plan.columns)
        self._parents = parents
        if parents is not None and present is not None:
            self._parents = RowParents([parents.keys[i] for i in present], [parents.texts[i] for i in present])
        count = len(rows.lines)
        blank = [""] * count
        self._values: dict[str, Converted] = {
            value.field.name: value.converter.convert(blank if value.column is None else rows.columns[value.column])
            for value in plan.values
        }
        self._contents = row_texts([self._content_of(c) for c in plan.columns], count)
        self._forms = NormalForms(self._values)
        self._named = {
            reference.field.name: NamedParents(reference, rows.columns, count, self._parents)
            for reference in plan.references
        }
        self._natural = NaturalKeys(plan, self._values, self._forms, self._named)
        ids = self._values.get("source_id")
        label = file.settings.source_label
        self._keys: RecordKeys = make_keys(
            plan,
            label,
            file.sha256,
            self._natural,
            ids and ids.values,
            self._contents,
            self._parents,
        )
        checks = RecordChecks(plan, rows, self._values, strict=file.settings.strict, width=file.columns)
        checks.check(self._keys.unformed)
        self._checks = checks

    def _content_of(self, column: int) -> Sequence[str]:
        """The cells that tell two records apart: of a cell that names a record and its child only the record's part."""
        for value in self._plan.values:
            if value.is_cut and value.column == column:
                return [text or "" for text in self._values[value.field.name].values]
        return self._rows.columns[column]

    def as_parents(self) -> RowParents | None:
        """The records as other records of the same rows name them; rejected ones too, so that a link can wait."""
        if len(self._file.records) == 1:
            return None
        keys = self._keys.hexes()
        texts: list[str] = keys
        for name in ("name", "source_id"):
            if name in self._values:
                texts = [value or text for value, text in zip(self._values[name].values, texts, strict=True)]
        return RowParents(keys, texts)

    def write_into(self, parts: MappedParts) -> None:
        """Adds the stream, the counts and the problems of this record plan."""
        entity, count, checks = self._plan.entity.name, len(self._rows.lines), self._checks
        parts.problems += checks.problems()
        if checks.errored:
            parts.errored[entity] = parts.errored.get(entity, 0) + len(checks.errored)
            sums = parts.money_errored.setdefault(entity, {})
            for name, amount in self._money(_Kept(sorted(checks.errored), len(checks.errored))).items():
                sums[name] = sums.get(name, 0) + amount
        indices = [i for i in range(count) if i not in checks.errored] if checks.errored else None
        kept = _Kept(indices, count if indices is None else len(indices))
        if kept.count:
            parts.streams.append(self._stream(kept))

    def _stream(self, kept: _Kept) -> MappedStream:
        plan, rows, checks = self._plan, self._rows, self._checks
        return MappedStream(
            entity=plan.entity.name,
            slot=plan.slot,
            primary=plan.primary,
            count=kept.count,
            numbers=_u32(kept.of(rows.numbers)),
            lines=_u32(kept.of(rows.lines)),
            keys=kept.rows_of(self._keys.keys, 16),
            contents=content_hashes(kept.of(self._contents)),
            keyed_by=kept.rows_of(self._keys.keyed_by, 1),
            naturals=self._natural.hashes(kept.indices),
            link_keys=self._link_keys(kept.indices),
            warned=kept.rows_of(_flags(len(rows.lines), checks.warned), 1),
            bodies=_packed(self._bodies(kept)),
            references=_packed(self._references(kept.indices)),
            money=self._money(kept),
        )

    def _link_keys(self, kept: Sequence[int] | None) -> bytes:
        plan = self._plan
        if not plan.linked:
            return b""
        row_keys = self._keys.hexes() if plan.named_by_row else None
        return parent_link_keys(plan.entity, self._forms, self._file.settings.source_label, row_keys, kept)

    def _references(self, kept: Sequence[int] | None) -> list[object]:
        found = (reference_column(named, kept) for named in self._named.values())
        return [column for column in found if column is not None]

    def _bodies(self, kept: _Kept) -> list[bytes]:
        members = [column.members for column in self._values.values()]
        originals = [column.originals for column in self._values.values() if column.originals]
        return list(kept.of(encode_bodies(members, originals, len(self._rows.lines))))

    def _money(self, kept: _Kept) -> dict[str, int]:
        sums: dict[str, int] = {}
        for value in self._plan.values:
            if value.field.type is FieldType.MONEY:
                amounts = self._values[value.field.name].values
                sums[value.field.name] = sum(filter(None, kept.of(amounts)))
        return sums


def _present(plan: RecordPlan, rows: Rows) -> list[int]:
    """The rows in which one of the record's own columns is filled."""
    own: list[ValuePlan] = [value for value in plan.values if value.own]
    found: set[int] = set()
    for value in own:
        assert value.column is not None  # a constant is never a record's own
        found.update(i for i, cell in enumerate(rows.columns[value.column]) if cell and value.is_filled(cell))
    return sorted(found)
