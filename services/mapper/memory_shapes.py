"""The shape of a file (its headers with what their values are), and how like two shapes are.

A shape is known again when columns stand in another order, are named otherwise, came or went. Which column is which:
first by equal headers, then by words in common, kind of values and the same neighbours.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from pydantic import BaseModel, ConfigDict
from rapidfuzz import fuzz

from services.mapper.kind_words import in_words
from services.mapper.presets import header_key
from shared.catalog.identity import fold
from shared.catalog.lexicon import Lexicon, load_lexicon

RENAMED_MIN = 0.6
"""From this likeness on two columns with different headers are taken for the same one."""
RENAMED_WEIGHT = 0.7
"""A column that was renamed says less about the shape than one with the same header."""

_FAMILIES = (
    frozenset({"money", "decimal", "integer", "percent", "id", "postal_code"}),
    frozenset({"name", "company", "text", "longtext", "city", "state", "street", "address", "id"}),
    frozenset({"date", "datetime"}),
)
"""Kinds that the same column may show in two files: what it holds differs from sample to sample."""

_SAY_LITTLE = frozenset({"", "empty", "text", "longtext", "integer", "decimal", "boolean", "id"})
_WORDS = re.compile(r"[^\W\d_]+")


class ShapeColumn(BaseModel):
    """One column of a shape. `kind`: type of its profile, "" where it is not known."""

    model_config = ConfigDict(frozen=True)
    header: str
    kind: str = ""


Shape = Sequence[ShapeColumn]


@dataclass(frozen=True)
class Alignment:
    """Which column of the remembered shape is which of the file at hand."""

    same: dict[int, int]
    """Remembered column -> column at hand, by equal headers (by place where there are no headers at all)."""
    renamed: dict[int, int]
    """The same for columns with another header."""
    gone: tuple[int, ...]
    """Remembered columns that are no longer there."""
    added: tuple[int, ...]
    """Columns at hand that were not there."""
    likeness: float
    """0..1: how much of both shapes is the same."""

    @property
    def columns(self) -> dict[int, int]:
        """Remembered column -> column at hand, however it was found."""
        return {**self.same, **self.renamed}


def has_headers(shape: Shape) -> bool:
    """False for the shape of a file without a header row."""
    return any(column.header for column in shape)


def shape_key(shape: Shape) -> tuple[str, ...]:
    """Equal for two shapes with the same headers, whatever their order, case and punctuation."""
    keys = tuple(sorted(header_key(column.header) for column in shape))
    return keys if any(keys) else tuple(column.kind for column in shape)


def shape_id(entity: str | None, shape: Shape, file: str = "") -> str:
    """The name of a shape taken for an entity type; or (None: left out) of that one `file` with this shape."""
    parts = [entity or f"\x1f{file}", *shape_key(shape)]
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()


def are_kindred(one: str, other: str) -> bool:
    """True where the same column may hold both kinds of values; what is empty or unknown contradicts nothing."""
    if one == other or {one, other} & {"", "empty"}:
        return True
    return any(one in family and other in family for family in _FAMILIES)


def is_telling(kind: str) -> bool:
    """True for kinds that by themselves say much about what a column is for; text and numbers may be anything."""
    return kind not in _SAY_LITTLE


def likeness_of_names(one: str, other: str) -> float:
    """Share of words that two file names have in common, without numbers: 'clients (2).csv' is 'Clients.csv'."""
    a, b = (set(_WORDS.findall(fold(PurePath(name).stem))) for name in (one, other))
    return len(a & b) / len(a | b) if a | b else 1.0


def align(remembered: Shape, present: Shape, lexicon: Lexicon | None = None) -> Alignment:
    """Finds the columns of a remembered shape in the one at hand."""
    same = _same(remembered, present)
    renamed = _renamed(remembered, present, same, lexicon or load_lexicon())
    taken = {*same.values(), *renamed.values()}
    found = len(same) + RENAMED_WEIGHT * len(renamed)
    size = len(remembered) + len(present)
    return Alignment(
        same=same,
        renamed=renamed,
        gone=tuple(at for at in range(len(remembered)) if at not in same and at not in renamed),
        added=tuple(at for at in range(len(present)) if at not in taken),
        likeness=2 * found / size if size else 0.0,
    )


def header_counts(shape: Shape) -> Counter[str]:
    """How often each header occurs, in the form in which headers are compared."""
    return Counter(header_key(column.header) for column in shape)


def likeness_max(before: Counter[str], now: Counter[str]) -> float:
    """At least what `align` would find, by headers alone; 0 where fewer than half of the smaller shape's are the same.

    A memory is full of shapes of other files: this look costs a hundredth of the closer one.
    """
    if not any(before) and not any(now):
        return 1.0
    common = sum(count for key, count in (before & now).items() if key)
    sizes = before.total(), now.total()
    if 2 * common < min(sizes):
        return 0.0
    return 2 * (common + RENAMED_WEIGHT * (min(sizes) - common)) / sum(sizes)


def _same(remembered: Shape, present: Shape) -> dict[int, int]:
    if not has_headers(remembered) and not has_headers(present):
        return _by_place(remembered, present)
    places: dict[str, list[int]] = {}
    for at, column in enumerate(present):
        if key := header_key(column.header):
            places.setdefault(key, []).append(at)
    found = {}
    for at, column in enumerate(remembered):
        if left := places.get(header_key(column.header)):
            found[at] = left.pop(0)
    return found


def _by_place(remembered: Shape, present: Shape) -> dict[int, int]:
    """Without headers only the very same kinds in the same order are the same file: nothing else tells them apart."""
    kinds = [column.kind for column in remembered]
    if not all(kinds) or kinds != [column.kind for column in present]:
        return {}
    return {at: at for at in range(len(kinds))}


def _renamed(remembered: Shape, present: Shape, same: dict[int, int], lexicon: Lexicon) -> dict[int, int]:
    """The best pairs of what is left, each column once."""
    taken = set(same.values())
    pairs = sorted(
        (
            (_likeness(remembered, present, one, other, same, lexicon), -one, -other)
            for one in range(len(remembered))
            if one not in same and remembered[one].header
            for other in range(len(present))
            if other not in taken and present[other].header
        ),
        reverse=True,
    )
    found: dict[int, int] = {}
    for likeness, one, other in pairs:
        if likeness >= RENAMED_MIN and -one not in found and -other not in found.values():
            found[-one] = -other
    return found


def _likeness(remembered: Shape, present: Shape, one: int, other: int, same: dict[int, int], lexicon: Lexicon) -> float:
    a, b = remembered[one], present[other]
    if not are_kindred(a.kind, b.kind):
        return 0.0
    words = _likeness_of_words(a.header, b.header, lexicon)
    neighbours = sum(_are_neighbours(one, other, same, step) for step in (-1, 1)) / 2
    kind = 1.0 if a.kind == b.kind and a.kind not in ("", "empty", "text") else 0.0
    return 0.6 * words + 0.25 * neighbours + 0.15 * kind


def _likeness_of_words(one: str, other: str, lexicon: Lexicon) -> float:
    """1 where two headers mean the same words, else by common words or common letters."""
    a, b = set(lexicon.tokens(one)), set(lexicon.tokens(other))
    if a == b:
        return 1.0
    common = len(a & b) / len(a | b) if a | b else 0.0
    return max(common, fuzz.ratio(header_key(one), header_key(other)) / 100 - 0.1)


def _are_neighbours(one: int, other: int, same: dict[int, int], step: int) -> bool:
    """True where the columns beside the two are the same ones, or both stand at the edge."""
    if one + step < 0 or other + step < 0:
        return one + step < 0 and other + step < 0
    return same.get(one + step) == other + step


def changes(remembered: Shape, present: Shape, alignment: Alignment) -> Iterator[str]:
    """What differs from the remembered shape, in words."""
    for before, now in sorted(alignment.renamed.items()):
        yield f"“{remembered[before].header}” is now called “{present[now].header}”."
    for before, now in sorted(alignment.columns.items(), key=lambda pair: pair[1]):
        if not are_kindred(remembered[before].kind, present[now].kind):
            yield f"{_called(present, now)} now holds {in_words(present[now].kind)}."
    if gone := [_called(remembered, at) for at in alignment.gone]:
        yield f"No longer there: {_listed(gone)}."
    if added := [_called(present, at) for at in alignment.added]:
        yield f"New, so not remembered: {_listed(added)}."


NAMES_TOLD_MAX = 8


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_TOLD_MAX
    return ", ".join(names[:NAMES_TOLD_MAX]) + (f" and {more} more" if more > 0 else "")


def _called(shape: Shape, at: int) -> str:
    return f"“{shape[at].header}”" if shape[at].header else f"column {at + 1}"
