"""The delimiter of a file, found from its first rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from shared.connectors.delimited.quotes import rows_of

DELIMITERS = (",", ";", "\t", "|")
HEAD_ROWS = 50


@dataclass(frozen=True)
class HeadRow:
    """One of the first rows of a file. `start` and `end` are offsets in characters, `line` is 1-based."""

    line: int
    lines: int
    start: int
    end: int
    cells: list[str]
    literal: bool


def head_rows(text: str, delimiter: str, *, quoting: bool, final: bool, rows_max: int) -> list[HeadRow]:
    """The first rows, blank ones included (they have no cells)."""
    rows: list[HeadRow] = []
    start, line = 0, 1
    for cells, end, lines, wasted in islice(
        rows_of(text, delimiter, quoting=quoting, width=None, final=final), rows_max
    ):
        rows.append(HeadRow(line, lines, start, end, cells, wasted > 0))
        start, line = end, line + lines
    return rows


def usual_width(rows: list[HeadRow]) -> int:
    """The column count that most rows of more than one column have (titles have one), the larger one of two."""
    widths = Counter(len(row.cells) for row in rows if len(row.cells) > 1)
    if not widths:
        return 1
    return max(widths.items(), key=lambda item: (item[1], item[0]))[0]


@dataclass(frozen=True)
class _Candidate:
    delimiter: str
    score: float
    first: int
    """Index of the first row that has the usual width."""
    share: float


def find_delimiter(text: str, *, final: bool) -> str:
    """The delimiter under which the first 50 rows have the steadiest column count above 1.

    For a file of one column it is one that does not occur in the text, if there is one.
    """
    candidates = [found for delimiter in DELIMITERS if (found := _judge(text, delimiter, final)) is not None]
    if not candidates:
        return next((delimiter for delimiter in DELIMITERS if delimiter not in text), ",")
    # A delimiter that splits the header as well is better than one that is only found in the values below it,
    # such as the decimal commas of a file with semicolons.
    earliest = min(candidate.first for candidate in candidates if candidate.share >= 0.5 or len(candidates) == 1)
    return max(candidates, key=lambda found: found.score * (1 if found.first <= earliest else 0.5)).delimiter


def _judge(text: str, delimiter: str, final: bool) -> _Candidate | None:
    if delimiter not in text:
        return None
    rows = [
        row for row in head_rows(text, delimiter, quoting=True, final=final, rows_max=2 * HEAD_ROWS) if any(row.cells)
    ][:HEAD_ROWS]
    width = usual_width(rows)
    usual = [index for index, row in enumerate(rows) if len(row.cells) == width]
    if width == 1 or not usual:
        return None
    share = len(usual) / len(rows)
    # One column of prose or addresses: only some rows hold the delimiter, or it is a comma that a space follows.
    split = sum(len(row.cells) > 1 for row in rows) / len(rows)
    if split < 0.3 or (usual[0] > 0 and width <= 3 and delimiter in ",;" and _is_punctuation(rows, delimiter)):
        return None
    return _Candidate(delimiter, share * (1 - 1 / width), usual[0], share)


def _is_punctuation(rows: list[HeadRow], delimiter: str) -> bool:
    """The first row has none, and in the others white space follows each one: "12 Main St, Springfield"."""
    if len(rows[0].cells) > 1:
        return False
    return all(cell.startswith(" ") for row in rows for cell in row.cells[1:])
