"""Decides which records of a batch are rejected and which carry a warning, and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.mapper.mapping_plan import Group, RecordPlan, ValuePlan
from services.mapper.problem_texts import (
    OVERSIZED_RECORD,
    REPLACED_CHARACTERS,
    extra_cells_problem,
    key_problem,
    missing_problem,
    shown,
    value_problem,
)
from services.mapper.transforms.cells import Converted
from shared.messages.batches import Problem


class Rows(NamedTuple):
    """A batch of source rows by column; `extras` by index into the batch."""

    lines: Sequence[int]
    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]
    extras: Mapping[int, Sequence[str]]
    replaced_bytes: bool = False
    """Bytes that are not valid in the file's encoding were read as U+FFFD."""
    oversized: bool = False
    """The batch's record is above the limit; its cells are cut short."""

    def take(self, indices: Sequence[int], columns: Sequence[int]) -> Rows:
        """Only these rows; other columns than the given ones are left empty."""
        wanted = set(columns)
        return self._replace(
            lines=[self.lines[i] for i in indices],
            numbers=[self.numbers[i] for i in indices],
            columns=[[column[i] for i in indices] if c in wanted else () for c, column in enumerate(self.columns)],
            extras={new: self.extras[old] for new, old in enumerate(indices) if old in self.extras},
        )


class RecordChecks:
    """The problems of one record plan's batch: of a rejected record only its errors, of others the warnings."""

    def __init__(
        self, plan: RecordPlan, rows: Rows, values: Mapping[str, Converted], *, strict: bool, width: int
    ) -> None:
        self._plan, self._rows, self._values = plan, rows, values
        self._strict, self._width = strict, width
        self._errors: dict[int, list[Problem]] = {}
        self._warnings: dict[int, list[Problem]] = {}

    @property
    def errored(self) -> Mapping[int, list[Problem]]:
        """Indices of the rejected records."""
        return self._errors

    @property
    def warned(self) -> frozenset[int]:
        """Indices of the imported records with a warning."""
        return frozenset(i for i in self._warnings if i not in self._errors)

    def problems(self) -> list[Problem]:
        """All of them in source order."""
        found: list[Problem] = []
        for i in sorted(self._errors.keys() | self._warnings.keys()):
            found += self._errors.get(i) or self._warnings[i]
        return found

    def check(self, unformed: Mapping[int, str]) -> None:
        """Runs every check. `unformed`: records that cannot be keyed, with the unreadable field that is to blame."""
        for i, extra in self._rows.extras.items():
            self._say(i, "error", "extra_cells", extra_cells_problem(extra, self._width), value=", ".join(extra))
        for i in range(len(self._rows.lines)) if self._rows.oversized else ():
            self._say(i, "error", "oversized_record", OVERSIZED_RECORD)
        for plan in self._plan.values:
            self._check_values(plan, unformed)
        for group in self._plan.required:
            self._check_group(group, is_error=True)
        for group in self._plan.expected:
            self._check_group(group, is_error=self._strict)
        if self._rows.replaced_bytes and self._plan.primary:
            self._check_characters()

    def _check_values(self, plan: ValuePlan, unformed: Mapping[int, str]) -> None:
        column = self._values[plan.field.name]
        if column.codes is None:
            return
        assert plan.column is not None  # a constant that cannot be read is refused when the mapping is compiled
        cells = self._rows.columns[plan.column]
        for i, code in [(i, code) for i, code in enumerate(column.codes) if code is not None]:
            is_key = unformed.get(i) == plan.field.name
            is_error = plan.strict or is_key
            if is_key and not plan.strict:
                message = key_problem(code, plan.field, cells[i])
            else:
                message = value_problem(code, plan.field, plan.header, cells[i], is_error=is_error)
            self._say(i, "error" if is_error else "warning", code, message, plan=plan, value=cells[i])

    def _check_group(self, group: Group, *, is_error: bool) -> None:
        columns = [self._values[name] for name in group if name in self._values]
        references = [reference for reference in self._plan.references if reference.field.name in group]
        if any(None not in column.values for column in columns):
            return
        count = len(self._rows.lines)
        absent: Sequence[int] = range(count)
        for column in columns:
            absent = [i for i in absent if column.values[i] is None]
        for reference in references:
            texts = reference.named(self._rows.columns, count)
            absent = [i for i in absent if not texts[i]]
        for i in absent:
            if not self._is_told(i, group):
                message = missing_problem(self._plan.entity, group, is_error=is_error)
                severity = "error" if is_error else "warning"
                self._say(i, severity, "missing_required" if is_error else "missing_expected", message, field=group[0])

    def _is_told(self, i: int, group: Group) -> bool:
        """True where the group is empty only because its cell cannot be read and that is an error already."""
        return any(problem.field in group for problem in self._errors.get(i, ()))

    def _check_characters(self) -> None:
        for c in self._plan.columns:
            column = self._rows.columns[c]
            if "\ufffd" not in "".join(column):
                continue
            for i, cell in enumerate(column):
                if "\ufffd" in cell and not any(p.code == "replaced_characters" for p in self._warnings.get(i, ())):
                    self._say(i, "warning", "replaced_characters", REPLACED_CHARACTERS, column=c, value=cell)

    def _say(
        self,
        i: int,
        severity: str,
        code: str,
        message: str,
        *,
        plan: ValuePlan | None = None,
        field: str | None = None,
        column: int | None = None,
        value: str | None = None,
    ) -> None:
        problem = Problem(
            severity="error" if severity == "error" else "warning",
            code=code,
            message=message,
            record=self._rows.numbers[i],
            line=self._rows.lines[i],
            entity=self._plan.entity.name,
            slot=self._plan.slot,
            field=plan.field.name if plan else field,
            column=plan.column if plan else column,
            value=None if value is None else shown(value),
        )
        (self._errors if severity == "error" else self._warnings).setdefault(i, []).append(problem)
