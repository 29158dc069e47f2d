"""What only several columns of a row together tell: sums, the order of dates, names made of parts, e-mails of names.

Findings are kept among a profile's `kinds`, as shares of the rows that show them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

from msgspec.structs import replace

from shared.catalog.date_order import DateOrder, agreed_order
from shared.catalog.identity import fold
from shared.catalog.lexicon import load_lexicon
from shared.messages.analysis import ColumnProfile

ROWS_MAX = 40
"""Rows compared: a chance agreement in all of forty rows does not happen, and wide files stay fast."""
ROWS_MIN = 3
AMOUNT_COLUMNS_MAX = 12
DATE_COLUMNS_MAX = 30
SHARE_MIN = 0.8
NUMBER_MIN = 0.9
"""How well a header must fit "invoice number" and the like to tell which rows are lines of one document."""
LINES_UNIQUE_MAX = 0.8
DOCUMENTS_MIN = 2

_DOCUMENTS = ("invoices", "estimates", "jobs")
_NOT_NUMBER = re.compile(r"[^\d.,\-()]")
_LETTERS = re.compile(r"[^a-z]+")
_DIGITS = re.compile(r"\d+")
_MONTHS = {name: at for at, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)}  # fmt: skip


def with_relations(profiles: Sequence[ColumnProfile], rows: Sequence[Sequence[str]]) -> list[ColumnProfile]:
    """The profiles with what their columns tell about each other."""
    cells = rows[:ROWS_MAX]
    found: dict[int, dict[str, float]] = {profile.index: {} for profile in profiles}
    if len(cells) >= ROWS_MIN:
        _find_sums(profiles, cells, found)
        _find_document_lines(profiles, cells, found)
        _find_date_order(profiles, cells, found)
        _find_names(profiles, cells, found)
    return [replace(p, kinds={**p.kinds, **found[p.index]}) if found[p.index] else p for p in profiles]


def _column(index: int, rows: Sequence[Sequence[str]]) -> list[str]:
    return [row[index].strip() if index < len(row) else "" for row in rows]


def _amount(text: str) -> int | None:
    """Hundredths; only for comparing cells of one file with each other, so no locale is needed."""
    kept = _NOT_NUMBER.sub("", text)
    digits = kept.strip("()-")
    if not digits:
        return None
    whole, mark, part = digits.rpartition("." if digits.rfind(".") >= digits.rfind(",") else ",")
    if not mark or len(part) > 2:
        whole, part = digits, ""
    number = re.sub(r"\D", "", whole) + part.ljust(2, "0")[:2]
    return (-int(number) if kept[0] in "(-" else int(number)) if number.isdigit() else None


def _amounts(profiles: Sequence[ColumnProfile], rows: Sequence[Sequence[str]]) -> dict[int, list[int | None]]:
    columns = [p for p in profiles if p.type in ("money", "decimal", "integer", "postal_code") and p.fill >= 0.5]
    return {p.index: [_amount(text) for text in _column(p.index, rows)] for p in columns[:AMOUNT_COLUMNS_MAX]}


def _find_sums(
    profiles: Sequence[ColumnProfile], rows: Sequence[Sequence[str]], found: dict[int, dict[str, float]]
) -> None:
    """a + b = c: the sum, its greater and its smaller part."""
    amounts = _amounts(profiles, rows)
    for one, other in combinations(amounts, 2):
        for total in amounts:
            if total not in (one, other) and _adds_up(amounts[one], amounts[other], amounts[total]):
                greater, smaller = sorted((one, other), key=lambda i: (-sum(a or 0 for a in amounts[i]), i))
                found[total]["is_sum"] = found[greater]["greater_part"] = found[smaller]["smaller_part"] = 1.0


def _adds_up(one: Sequence[int | None], other: Sequence[int | None], total: Sequence[int | None]) -> bool:
    told = right = 0
    for a, b, c in zip(one, other, total, strict=True):
        if a and b and c:
            told += 1
            right += abs(a + b - c) <= 1
    return told >= ROWS_MIN and right >= SHARE_MIN * told


def _find_document_lines(
    profiles: Sequence[ColumnProfile], rows: Sequence[Sequence[str]], found: dict[int, dict[str, float]]
) -> None:
    """Where a document's number repeats, each row is a line of it: which amounts are the line's, which all of it."""
    key = _document_number(profiles)
    if key is None or key.unique_share >= LINES_UNIQUE_MAX:
        return
    places: dict[str, list[int]] = {}
    for at, text in enumerate(_column(key.index, rows)):
        if text:
            places.setdefault(text, []).append(at)
    documents = [lines for lines in places.values() if len(lines) > 1]
    if len(documents) < DOCUMENTS_MIN:
        return
    amounts = {index: cells for index, cells in _amounts(profiles, rows).items() if index != key.index}
    whole = [index for index, cells in amounts.items() if _share(documents, _same(cells))]
    for index, cells in amounts.items():
        sums = [other for other in whole if other != index and _share(documents, _adding_up(cells, amounts[other]))]
        if index not in whole or sums:
            found[index]["of_line"] = found[key.index]["names_lines"] = 1.0
    for index in whole:
        if "of_line" not in found[index]:
            found[index]["of_document"] = 1.0


def _document_number(profiles: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """The column that numbers invoices, estimates or jobs; of several the one that repeats least."""
    scores = load_lexicon().header_scores
    numbers = [
        p
        for p in profiles
        if p.header and any(scores(p.header).get((kind, "number"), 0.0) >= NUMBER_MIN for kind in _DOCUMENTS)
    ]
    return max(numbers, key=lambda p: p.unique_share, default=None)


def _share(documents: Sequence[Sequence[int]], holds: Callable[[Sequence[int]], bool]) -> bool:
    return sum(map(holds, documents)) >= SHARE_MIN * len(documents)


def _same(cells: Sequence[int | None]) -> Callable[[Sequence[int]], bool]:
    return lambda lines: len({cells[at] for at in lines}) == 1 and cells[lines[0]] is not None


def _adding_up(cells: Sequence[int | None], totals: Sequence[int | None]) -> Callable[[Sequence[int]], bool]:
    def adds_up(lines: Sequence[int]) -> bool:
        total = totals[lines[0]]
        return bool(total) and abs(sum(cells[at] or 0 for at in lines) - (total or 0)) <= len(lines)

    return adds_up


def _day(text: str, order: DateOrder | None) -> tuple[int, ...] | None:
    """Comparable parts of a date; month first where nothing tells the order."""
    numbers = [int(n) for n in _DIGITS.findall(text)[:5]]
    words = _LETTERS.sub(" ", text.lower()).split()
    month = next((_MONTHS[word[:3]] for word in words if word[:3] in _MONTHS), None)
    if month is not None and len(numbers) >= 2:
        year = next((n for n in numbers[:2] if n > 31), numbers[1])
        return (year, month, numbers[0] if numbers[0] <= 31 else 0, *numbers[2:])
    if len(numbers) < 3:
        return None
    if numbers[0] > 31:
        return tuple(numbers)
    if order == "ymd":
        return tuple(numbers)
    day, month = (numbers[0], numbers[1]) if order == "dmy" else (numbers[1], numbers[0])
    return (numbers[2], month, day, *numbers[3:])


def _find_date_order(
    profiles: Sequence[ColumnProfile], rows: Sequence[Sequence[str]], found: dict[int, dict[str, float]]
) -> None:
    """How many of the file's other dates a column is never before: 0 for the first, 1 for the last."""
    dates = [p for p in profiles if p.type in ("date", "datetime")][:DATE_COLUMNS_MAX]
    common = agreed_order(p.date_order for p in dates)
    days = {p.index: [_day(text, p.date_order or common) for text in _column(p.index, rows)] for p in dates}
    for profile in dates:
        later = told = 0
        for other in dates:
            if other.index == profile.index:
                continue
            pairs = [(a[:3], b[:3]) for a, b in zip(days[profile.index], days[other.index], strict=True) if a and b]
            if len(pairs) >= ROWS_MIN and (order := _order(pairs)) is not None:
                told += 1
                later += order
        if not told:
            found[profile.index]["date_alone"] = float(len(dates) == 1)
        else:
            found[profile.index]["date_earliest"] = 1.0 - later / told
            found[profile.index]["date_latest"] = later / told


def _order(pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool | None:
    """True where the first is never before the second, False the other way round, None where it is mixed."""
    after, before = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    if after == before == 0 or min(after, before) > (1 - SHARE_MIN) * len(pairs):
        return None
    return after > before


def _find_names(
    profiles: Sequence[ColumnProfile], rows: Sequence[Sequence[str]], found: dict[int, dict[str, float]]
) -> None:
    """Which names the e-mail addresses are made of, and which name is made of two others."""
    words = {p.index: [_words(t) for t in _column(p.index, rows)] for p in profiles if _may_be_name(p)}
    for profile in profiles:
        if profile.type != "email":
            continue
        locals_ = [_LETTERS.sub("", fold(t).partition("@")[0]) for t in _column(profile.index, rows)]
        for index, names in words.items():
            told = [(name, local) for name, local in zip(names, locals_, strict=True) if name and local]
            hits = sum(any(len(word) > 2 and word in local for word in name) for name, local in told)
            if len(told) >= ROWS_MIN and hits >= 0.6 * len(told):
                found[index]["in_email"] = max(found[index].get("in_email", 0.0), round(hits / len(told), 4))
    for whole, part in _wholes_and_parts(words):
        names, pieces = words[whole], words[part]
        if _is_part(pieces, names):
            found[whole]["has_parts"] = 1.0
            at_front = sum(n[: len(p)] == p for p, n in zip(pieces, names, strict=True) if p and n)
            both = sum(bool(p and n) for p, n in zip(pieces, names, strict=True))
            found[part]["front_part" if at_front >= 0.5 * both else "back_part"] = 1.0


def _wholes_and_parts(words: Mapping[int, Sequence[Sequence[str]]]) -> list[tuple[int, int]]:
    """Pairs of columns of which one may be part of the other: in ROWS_MIN rows it shares words with the longer one.

    By the words of each row, so that hundreds of columns that have nothing in common cost nothing.
    """
    hits: Counter[tuple[int, int]] = Counter()
    for row in zip(*words.values(), strict=True):
        holding: dict[str, list[int]] = {}
        for index, own in zip(words, row, strict=True):
            for word in set(own):
                holding.setdefault(word, []).append(index)
        length = {index: len(own) for index, own in zip(words, row, strict=True)}
        for part, own in zip(words, row, strict=True):
            if own:
                rarest = min((holding[word] for word in own), key=len)
                hits.update((whole, part) for whole in rarest if length[whole] > length[part])
    return sorted(pair for pair, count in hits.items() if count >= ROWS_MIN)


def _may_be_name(profile: ColumnProfile) -> bool:
    return profile.type in ("name", "text", "company") and profile.max_length <= 60 and profile.unique_share > 0.2


def _words(text: str) -> list[str]:
    return _LETTERS.sub(" ", fold(text)).split()


def _is_part(pieces: Sequence[Sequence[str]], names: Sequence[Sequence[str]]) -> bool:
    told = [(piece, name) for piece, name in zip(pieces, names, strict=True) if piece and name]
    hits = sum(len(piece) < len(name) and set(piece) <= set(name) for piece, name in told)
    return len(told) >= ROWS_MIN and hits >= SHARE_MIN * len(told)
