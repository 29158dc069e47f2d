"""Who may be meant by a name that nobody goes by: shorter forms, nicknames, typing errors; and how safe that is.

All entries of a column are looked up together, stage by stage; an entry is out of it with the first stage that finds
any. Without further evidence a record may only be linked where nothing speaks for another person: a word that differs
and stands in somebody's name is that somebody's ("Jon" where other customers are called Jon), not a typing error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from services.loader.link_methods import Method
from services.loader.name_errors import error_spans, misplaced_spaces, street_error_spans
from services.loader.name_parts import Sought
from services.loader.name_words import (
    Difference,
    are_words_missing,
    differences,
    of_same_firm,
    only_holders,
    with_generation,
)
from services.loader.sealed_index import ParentIndex
from shared.catalog.identity import LinkKind, Spans, hash_texts, near_hashes_of, salt_of
from shared.catalog.name_forms import GENERATIONS, Trust

U64 = NDArray[np.uint64]

HOLDERS_MAX = 200
"""What more records share (the office's phone, no@mail.com, 'Cash Customer') says nothing about who is meant."""
CANDIDATES_MAX = 20
_MISSPELT_NICKNAMES_MAX = 8
# Both bound what is in memory at a time: a byte makes 56 hashes of 8 bytes, and as much again while they are made.
_ERROR_BYTES_AT_ONCE = 2048
_TEXTS_AT_ONCE = 8192


@dataclass(frozen=True)
class Similar:
    """Records that nearly go by a name, ascending."""

    method: Method
    ids: list[int]
    """Those that a further fact may confirm."""
    safe: int | None = None
    """The one that may be linked although no further fact of the reference speaks for it."""
    others: list[int] = field(default_factory=list)
    """Those that are somebody else as far as the names tell: no fact makes them the one that is meant."""


_Texts = Callable[[Sought], Iterable[str]]
_SpansOf = Callable[[str], Sequence[tuple[str, int, int]]]
_Records = dict[int, dict[int, set[str]]]
"""Entry -> record -> the texts by which it was found."""


def search(sought: Sequence[Sought], index: ParentIndex) -> dict[int, Similar]:
    """Entry -> records whose name is like the one sought; entries for which there are none are left out."""
    found: dict[int, Similar] = {}
    people = [one for one in sought if one.is_like_people]
    # The whole name is a part of the parent's, or a part of it is the parent's whole name.
    inside = _by_texts(sought, lambda one: [*one.parts, *one.wholes[1:]], LinkKind.NAME, index)
    longer = _by_texts(people, lambda one: one.wholes, LinkKind.CORE_NAME, index)
    _add_inside(found, sought, inside, longer, index)
    in_windows = _by_texts(_without(people, found), lambda one: one.windows, LinkKind.NAME, index)
    _add_inside(found, people, in_windows, {}, index)
    _add_guarded(found, _without(sought, found), index)
    # Both names had to be cut to meet: 'Smith HVAC Repair' and 'Smith & Sons'. A fact must say that they are one.
    both_cut = _by_texts(_without(people, found), lambda one: one.parts, LinkKind.CORE_NAME, index)
    for one in people:
        if one.entry in both_cut:
            ids, others = _told_apart(one, both_cut[one.entry])
            same = of_same_firm(one, ids, index)
            others = sorted({*others, *ids}.difference(same))
            found[one.entry] = Similar("name_in_text", same, others=others)
    return found


# ---- a part of the name -----------------------------------------------------------------------------------------


def _add_inside(
    found: dict[int, Similar], sought: Sequence[Sought], inside: _Records, longer: _Records, index: ParentIndex
) -> None:
    """`inside`: records whose whole name is a part of the one sought; `longer`: those of which it is a part."""
    entries = [one for one in sought if one.entry in inside or one.entry in longer]
    safe = _safe_inside(entries, inside, longer, index)
    for one in entries:
        ids, others = _told_apart(one, inside.get(one.entry, {}))
        ids = sorted({*ids, *longer.get(one.entry, ())})
        others = [id_ for id_ in others if id_ not in ids]
        only = _only(ids) if one.entry in safe and not others else None
        if only is not None and one.entry in inside and not of_same_firm(one, [only], index):
            only = None  # 'Johnson & Sons' may be another one than 'Johnson'
        if only is not None and _may_be_family(one, only, inside, longer, index):
            only = None
        found[one.entry] = Similar("name_in_text", ids, only, others)


def _may_be_family(one: Sought, only: int, inside: _Records, longer: _Records, index: ParentIndex) -> bool:
    """Whether nobody can say that a last name is nobody else's, or that a son's father is no customer, too."""
    shorter = inside.get(one.entry, {}).get(only, set())
    needs_words = one.entry in longer or not any(" " in text for text in shorter)
    words = one.normalised.split()
    return one.is_like_people and needs_words and are_words_missing(one.parent, only, words, index)


def _told_apart(one: Sought, records: Mapping[int, set[str]]) -> tuple[list[int], list[int]]:
    """The records that may be meant, and those that are relatives."""
    others = [id_ for id_, texts in records.items() if all(_trust(one, text) is Trust.SOMEBODY_ELSE for text in texts)]
    return sorted(records.keys() - others), sorted(others)


def _trust(one: Sought, text: str) -> Trust:
    if text in one.wholes:
        return Trust.ALONE
    return one.parts[text] if text in one.parts else one.windows[text]


def _safe_inside(entries: Sequence[Sought], inside: _Records, longer: _Records, index: ParentIndex) -> set[int]:
    """Entries whose part names one party alone: not in several words' company, not a last name that others have, too,
    and not the father of whom only the son is known."""
    met: dict[int, set[str]] = {}
    for one in entries:
        texts = {text for found in (inside, longer) for some in found.get(one.entry, {}).values() for text in some}
        sure = {text for text in texts if _trust(one, text) is Trust.ALONE}
        if sure and not one.has_unknown_contact:
            met[one.entry] = sure
    if not met:
        return set()
    parent = entries[0].parent
    alone = {text for texts in met.values() for text in texts if " " not in text}
    only = only_holders(parent, alone, index) if entries[0].is_like_people else alone
    wanted = [one for one in entries if one.entry in longer and GENERATIONS.isdisjoint(one.normalised.split())]
    sons = with_generation(parent, [id_ for one in wanted for id_ in longer[one.entry]], index) if wanted else set()
    families = {one.entry for one in wanted if not sons.isdisjoint(longer[one.entry])}
    return {
        entry
        for entry, texts in met.items()
        if entry not in families and any(" " in text or text in only for text in texts)
    }


# ---- nicknames and typing errors --------------------------------------------------------------------------------


def _add_guarded(found: dict[int, Similar], sought: Sequence[Sought], index: ParentIndex) -> None:
    """Nicknames and typing errors: both are looked for, since a fact may speak for either."""
    people = [one for one in sought if one.is_like_people]
    spans_of = street_error_spans if sought and sought[0].parent == "properties" else error_spans
    called = _by_texts(people, lambda one: one.nicknames, LinkKind.NAME, index)
    whole = _by_errors(sought, lambda one: one.wholes, spans_of, index)
    cut = _by_errors(_without(sought, whole), lambda one: one.likeliest, spans_of, index)
    cut |= _by_errors(_without(people, called, whole, cut), _misspelt_nicknames, spans_of, index)
    spaced = _by_texts(_without(people, called, whole, cut), _misspaced, LinkKind.NAME, index)
    why = differences(sought, whole, index, in_whole=True) | differences(sought, cut, index, in_whole=False)
    moved = differences(sought, spaced, index, in_whole=True)
    for one in sought:
        known = {id_: why[one.entry, id_] for some in (whole, cut) for id_ in some.get(one.entry, ())}
        # A space in another place makes other words of the same letters: they prove nobody else.
        known |= {id_: max(moved[one.entry, id_], Difference.UNSURE) for id_ in spaced.get(one.entry, ())}
        if similar := _guarded(one, sorted(called.get(one.entry, ())), known):
            found[one.entry] = similar


def _guarded(one: Sought, by_nickname: list[int], by_error: Mapping[int, Difference]) -> Similar | None:
    if not by_nickname and not by_error:
        return None
    meant = (id_ for id_, why in by_error.items() if why is not Difference.SOMEBODY_ELSE)
    ids = sorted({*by_nickname, *meant})
    others = sorted(by_error.keys() - ids)
    only = _only(sorted({*ids, *others}))
    is_safe = not one.has_unknown_contact and not one.needs_a_fact and only is not None
    if by_nickname:
        return Similar("nickname", ids, only if is_safe and not one.may_be_swapped else None, others)
    is_slip = only is not None and by_error[only] is Difference.SLIP
    return Similar("similar_name", ids, only if is_safe and is_slip else None, others)


def _misspelt_nicknames(one: Sought) -> Sequence[str]:
    return () if one.has_unknown_contact else one.nicknames[:_MISSPELT_NICKNAMES_MAX]


def _misspaced(one: Sought) -> Iterator[str]:
    return (name for base in (*one.wholes, *one.likeliest) for name in misplaced_spaces(base))


def _only(ids: Sequence[int]) -> int | None:
    return ids[0] if len(ids) == 1 else None


# ---- look-ups ---------------------------------------------------------------------------------------------------


def _without(sought: Sequence[Sought], *found: Mapping[int, object]) -> list[Sought]:
    return [one for one in sought if not any(one.entry in some for some in found)]


def _by_texts(sought: Sequence[Sought], texts_of: _Texts, kind: LinkKind, index: ParentIndex) -> _Records:
    """Records that have a link key of one of the texts; all sought have parents of one type."""
    found: _Records = {}
    every = ((one, text) for one in sought for text in texts_of(one) if text)
    while texts := list(islice(every, _TEXTS_AT_ONCE)):
        hashes = hash_texts([text for _, text in texts], salt_of(sought[0].parent, kind))
        _add(found, hashes, texts, range(len(texts)), index)
    return found


def _by_errors(sought: Sequence[Sought], texts_of: _Texts, spans_of: _SpansOf, index: ParentIndex) -> _Records:
    """Records whose name is one typing error away from one of the texts."""
    found: _Records = {}
    spans = [(one, text, span) for one in sought for text in texts_of(one) for span in spans_of(text)]
    for some in _blocks(spans):
        hashes, of = near_hashes_of(_spans(some), salt_of(sought[0].parent, LinkKind.NAME))
        _add(found, hashes, [(one, text) for one, text, _ in some], of, index)
    return found


_Span = tuple[Sought, str, tuple[str, int, int]]


def _spans(some: Sequence[_Span]) -> Spans:
    return [span for *_, span in some]


def _blocks(spans: Sequence[_Span]) -> Iterator[Sequence[_Span]]:
    first = size = 0
    for i, (*_, (_, start, end)) in enumerate(spans):
        size += end - start
        if size >= _ERROR_BYTES_AT_ONCE:
            yield spans[first : i + 1]
            first, size = i + 1, 0
    if first < len(spans):
        yield spans[first:]


def _add(
    found: _Records,
    hashes: U64,
    asked: Sequence[tuple[Sought, str]],
    of: Sequence[int] | NDArray[np.int64],
    index: ParentIndex,
) -> None:
    """Adds who has the hashes; `of` each hash the place in `asked`. Where very many have one, the first ones and those
    to whom a fact points."""
    holders = index.holders(hashes, HOLDERS_MAX, CANDIDATES_MAX)
    for owner, id_ in zip(holders.owners.tolist(), holders.ids.tolist(), strict=True):
        one, text = asked[of[owner]]
        found.setdefault(one.entry, {}).setdefault(id_, set()).add(text)
    for owner in np.flatnonzero(holders.crowded).tolist():
        one, text = asked[of[owner]]
        told = np.array(one.told, np.uint64)
        for id_ in told[index.holds(np.full(len(told), hashes[owner]), told)].tolist():
            found.setdefault(one.entry, {}).setdefault(id_, set()).add(text)
