"""One file of the benchmark while it is made: its columns, its bad rows, and what they must lead to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.trio_vocabulary import AREA_CODES

Ints = NDArray[np.int64]

GENERATOR_VERSION = 1
"""Counted up with every change of the files' content, so that an older set is not taken for a new one."""

BAD_SHARE = 0.02
BAD = {
    "customers": ("unreadable_phone", "unreadable_date", "missing_required", "duplicate", "conflict"),
    "jobs": ("unreadable_date", "missing_required", "duplicate", "conflict"),
    "invoices": ("unreadable_date", "missing_required", "unreadable_amount", "duplicate", "conflict"),
}
"""Kinds of bad rows per file, in equal parts."""
WARNINGS = ("unreadable_phone", "unreadable_date")
SKIPS = ("duplicate", "conflict")
ERRORS = ("missing_required", "unreadable_amount")
UNREADABLE_DATES = ("31/31/2020", "sometime soon", "2019-02-30")
ROWS_PER_WRITE = 20_000


@dataclass(frozen=True)
class Parameters:
    """Rows per file, bad ones included. `uuids`: ids are UUIDs, and jobs and invoices refer by id."""

    customers: int
    jobs: int
    invoices: int
    uuids: bool
    seed: int

    def folder(self) -> str:
        kind = "uuids" if self.uuids else "names"
        return f"trio-{kind}-{self.customers}-{self.jobs}-{self.invoices}-{self.seed}-v{GENERATOR_VERSION}"


@dataclass
class Expectations:
    """`entities`: exact counts per type. `links`: per type and ref field the references of imported records, how many
    of them are strangers, typos and namesakes, and between which bounds `linked` must lie. `money`: exact sums.
    `bad`: rows of each kind per file."""

    entities: dict[str, dict[str, int]] = field(default_factory=dict)
    links: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    money: dict[str, dict[str, str]] = field(default_factory=dict)
    bad: dict[str, dict[str, int]] = field(default_factory=dict)


class Table:
    """Columns of one file, and which of its rows are bad in which way."""

    def __init__(self, entity: str, rows: int, random: np.random.Generator) -> None:
        self.entity, self.rows, self.random = entity, rows, random
        self.columns: dict[str, list[str]] = {}
        self.bad = self._choose_bad()
        self.good: Ints = np.setdiff1d(np.arange(rows), np.concatenate(list(self.bad.values())))
        """Rows with which nothing is wrong."""
        warned = [chosen for kind, chosen in self.bad.items() if kind in WARNINGS]
        self.imported: Ints = np.sort(np.concatenate([self.good, *warned]))
        self.originals = {kind: self._earlier_good(self.bad[kind]) for kind in SKIPS}
        """Per skipped row the earlier row of which it is a copy."""

    def _choose_bad(self) -> dict[str, Ints]:
        """As many of each kind; none among the first 20 rows, so that a copy always has an original before it."""
        kinds = BAD[self.entity]
        each = max(1, round(self.rows * BAD_SHARE / len(kinds)))
        chosen = self.random.choice(self.rows - 20, each * len(kinds), replace=False) + 20
        return {kind: np.sort(chosen[i * each : (i + 1) * each]) for i, kind in enumerate(kinds)}

    def _earlier_good(self, rows: Ints) -> Ints:
        before = np.searchsorted(self.good, rows)
        originals: Ints = self.good[(self.random.random(rows.size) * before).astype(np.int64)]
        return originals

    def flags(self, share: float, among: Ints | None = None) -> NDArray[np.bool_]:
        """True for a random share of the rows (of `among`)."""
        chosen = self.random.random(self.rows) < share
        if among is not None:
            allowed = np.zeros(self.rows, np.bool_)
            allowed[among] = True
            chosen &= allowed
        return chosen

    def pick(self, choices: Sequence[str]) -> list[str]:
        """A column of random choices."""
        return [choices[i] for i in self.random.integers(0, len(choices), self.rows).tolist()]

    def replace(self, rows: Ints, column: str, texts: Sequence[str]) -> None:
        """Puts the texts, in turn, into the column's cells of these rows."""
        cells = self.columns[column]
        for i, row in enumerate(rows.tolist()):
            cells[row] = texts[i % len(texts)]

    def repeat_rows(self, changed_column: str, text: str) -> None:
        """Puts the copies in place: duplicates as they are, conflicts with another text in one column."""
        for kind in SKIPS:
            pairs = list(zip(self.bad[kind].tolist(), self.originals[kind].tolist(), strict=True))
            for column in self.columns.values():
                for row, original in pairs:
                    column[row] = column[original]
        self.replace(self.bad["conflict"], changed_column, [text])

    def write(self, path: Path) -> None:
        """Cells that need quotes hold them already."""
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(self.columns) + "\n")
            rows: Iterator[tuple[str, ...]] = zip(*self.columns.values(), strict=True)
            while page := "\n".join(map(",".join, islice(rows, ROWS_PER_WRITE))):
                file.write(page + "\n")

    def count(self, expectations: Expectations) -> None:
        """Tells the exact counts of this file's entity type."""
        counts = {kind: int(rows.size) for kind, rows in self.bad.items()}
        skipped = sum(counts.get(kind, 0) for kind in SKIPS)
        errored = sum(counts.get(kind, 0) for kind in ERRORS)
        expectations.bad[self.entity] = counts
        expectations.entities[self.entity] = {
            "extracted": self.rows,
            "imported": self.rows - skipped - errored,
            "skipped": skipped,
            "errored": errored,
            "warnings": sum(counts.get(kind, 0) for kind in WARNINGS),
        }

    def count_money(self, expectations: Expectations, name: str, cents: Ints, unreadable: Ints | None = None) -> None:
        """Tells the sums of one field. `cents` per row as before copies were made; `unreadable` rows count nowhere."""
        cents = cents.copy()
        if unreadable is not None:
            cents[unreadable] = 0
        for kind in SKIPS:
            cents[self.bad[kind]] = cents[self.originals[kind]]
        source, destination = int(cents.sum()), int(cents[self.imported].sum())
        amounts = {"source": source, "destination": destination, "left_out": source - destination}
        expectations.money[f"{self.entity}.{name}"] = {side: f"{n // 100}.{n % 100:02d}" for side, n in amounts.items()}


# ---- texts ------------------------------------------------------------------------------------------------------

_FIRST_DAY = np.datetime64("2015-01-01")
DAYS = 3_900
"""Length of the years in which everything happens; `DATES` goes 400 days beyond."""


def _dates() -> list[str]:
    parts = (str(_FIRST_DAY + np.timedelta64(i, "D")).split("-") for i in range(DAYS + 400))
    return [f"{int(month)}/{int(day)}/{year}" for year, month, day in parts]


DATES = _dates()
"""Every day as 3/14/2024."""

_PHONE_FORMS = ("({a}) 555-{n}", "{a}-555-{n}", "{a}.555.{n}", "{a}555{n}", "+1 {a} 555 {n}")


def phone(i: int, form: int) -> str:
    """The i-th telephone number (over a million different ones) in one of the usual spellings."""
    area = AREA_CODES[i % len(AREA_CODES)]
    return _PHONE_FORMS[form % 5].format(a=area, n=1_000 + i // len(AREA_CODES) % 9_000)


def uuids(random: np.random.Generator, count: int) -> list[str]:
    """Random UUIDs of version 4."""
    raw = random.bytes(16 * count)
    return [str(uuid.UUID(bytes=raw[i : i + 16], version=4)) for i in range(0, 16 * count, 16)]


def money_texts(cents: Ints) -> list[str]:
    """$1,234.50 (quoted where it holds a comma), and every fourth as 1234.50."""
    texts = []
    for i, n in enumerate(cents.tolist()):
        if i % 4 == 3:
            texts.append(f"{n // 100}.{n % 100:02d}")
        elif n < 100_000:
            texts.append(f"${n // 100}.{n % 100:02d}")
        else:
            texts.append(f'"${n // 100:,}.{n % 100:02d}"')
    return texts


def typo(name: str, at: int, kind: int) -> str:
    """One typing error at a letter after the first: a letter missing, doubled, wrong, or two neighbours swapped."""
    at = 1 + at % (len(name) - 2)
    if kind % 4 == 0:
        return name[:at] + name[at + 1 :]
    if kind % 4 == 1:
        return name[:at] + name[at] + name[at:]
    if kind % 4 == 2:
        return name[:at] + ("x" if name[at] != "x" else "z") + name[at + 1 :]
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
