"""Bodies of records: the members of all columns, joined row by row to JSON objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

from services.mapper.transforms.cells import Members, json_text

_ORIGINALS = json_text("_original") + ":{"


def encode_bodies(members: Sequence[Members], originals: Sequence[Members], count: int) -> list[bytes]:
    """Per record a JSON object: its members, and under `_original` the source texts of those that were converted."""
    pieces = _pieces(members)
    if pieces is None:
        pieces = [_joined([*members, *_original_member(originals, count)], count)]
    elif (kept := _pieces(originals)) is not None:
        pieces += [repeat(f",{_ORIGINALS}"), *kept, repeat("}")]
    else:
        pieces += [_optional(column, ",", "") for column in _original_member(originals, count)]
    bodies = list(map("".join, zip(repeat("{", count), *pieces, repeat("}"), strict=False)))
    try:
        return list(map(str.encode, bodies))
    except UnicodeEncodeError:  # lone surrogates, which no decoder of files makes, become question marks
        return [body.encode("utf-8", "replace") for body in bodies]


def _pieces(columns: Sequence[Members]) -> list[Iterable[str]] | None:
    """Texts that make up each row's members when put together, commas included; None where no column is full.

    Around the first full column commas are no question: the columns before it end with one, those behind it begin
    with one. A full column costs no work per cell at all: what stands between two of them is one constant.
    Measured with 20 columns: 0.6 µs a record instead of 2.2 for writing each member and joining those that exist.
    """
    filled = [column for column in columns if any(column.texts)]
    full = [all(column.texts) for column in filled]
    if True not in full:
        return None
    hinge = full.index(True)
    pieces: list[Iterable[str]] = [_optional(column, "", ",") for column in filled[:hinge]]
    between = filled[hinge].opening
    for column, is_full in zip(filled[hinge:], full[hinge:], strict=True):
        if column is not filled[hinge] and is_full:
            between += f",{column.opening}"
        if is_full:
            pieces += [repeat(between), column.texts]
            between = column.closing
        else:
            pieces.append(repeat(between))
            pieces.append(_optional(column, ",", ""))
            between = ""
    return [*pieces, repeat(between)]


def _optional(column: Members, before: str, behind: str) -> list[str]:
    opening, closing = before + column.opening, column.closing + behind
    return [f"{opening}{text}{closing}" if text else "" for text in column.texts]


def _joined(columns: Sequence[Members], count: int) -> list[str]:
    rows = zip(*columns, strict=True) if columns else repeat((), count)
    return [",".join(filter(None, row)) for row in rows]


def _original_member(originals: Sequence[Members], count: int) -> list[Members]:
    return [Members(_ORIGINALS, _joined(originals, count), "}")] if originals else []
