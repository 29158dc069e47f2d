"""Two names word by word: whether they differ by a slip of the hand, or because somebody else is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.loader.name_errors import BYTES_MAX, spans_of_word
from services.loader.name_parts import Sought
from services.loader.nicknames import ALTERNATIVES
from services.loader.sealed_index import ParentIndex
from shared.catalog.first_names import FIRST_NAMES
from shared.catalog.identity import LinkKind, hash_texts, near_hashes, near_hashes_of, salt_of
from shared.catalog.name_forms import (
    GENERATIONS,
    TRADES,
    firm_words,
    is_side_word,
    is_work_word,
    small_words,
    trade_words,
)

U64 = NDArray[np.uint64]

_WORD_LETTERS_MIN = 3


class Difference(IntEnum):
    """Why a name differs from that of a record which is one typing error away."""

    SOMEBODY_ELSE = 0
    """Erica is not Eric, number 12 not 112, John A. not John B."""
    UNSURE = 1
    """The word stands in another record's name."""
    SLIP = 2


class _Word(NamedTuple):
    text: str
    is_held: bool
    is_short_form: bool
    is_known: bool


def differences(
    sought: Sequence[Sought], found: Mapping[int, Mapping[int, Iterable[str]]], index: ParentIndex, *, in_whole: bool
) -> dict[tuple[int, int], Difference]:
    """(entry, record) -> why they differ, for records found by a typing error in one of the texts."""
    pairs = [(one, id_) for one in sought for id_ in found.get(one.entry, ())]
    if not pairs:
        return {}
    texts = [_compared(one, in_whole) for one, _ in pairs]
    words = _words_of_pairs(pairs[0][0].parent, [id_ for _, id_ in pairs], texts, index)
    why = {(one.entry, id_): _difference(words[i]) for i, (one, id_) in enumerate(pairs)}
    for i, (one, id_) in enumerate(pairs) if index.wordless else ():
        if not any(word.is_held for word in words[i]) and not _has_any_like(texts[i], one.parent, id_, index):
            why[one.entry, id_] = _unknown_difference(found[one.entry][id_], one.parent, id_, index)
    return why


def _has_any_like(words: Sequence[str], parent: str, id_: int, index: ParentIndex) -> bool:
    """Whether the record has one of the words, be it misspelt: then its words are known."""
    ids: U64 = np.array([id_], np.uint64)
    return not words or any(_have_any(_spellings(word, parent, index), ids, index)[0] for word in words)


def _unknown_difference(texts: Iterable[str], parent: str, id_: int, index: ParentIndex) -> Difference:
    """Why the texts differ from the name of a record whose words are not known: it depends on where the error is."""
    words = ((text, word) for text in texts for word in set(text.split()) if _is_word_of_its_own(word))
    spans = [span for pair in words for span in spans_of_word(*pair)]
    if not spans:
        return Difference.UNSURE
    hashes, _ = near_hashes_of(spans, salt_of(parent, LinkKind.NAME))
    is_other = index.holds(hashes, np.full(len(hashes), id_, np.uint64)).any()
    return Difference.SOMEBODY_ELSE if is_other else Difference.UNSURE


def are_words_missing(parent: str, id_: int, words: Sequence[str], index: ParentIndex) -> bool:
    """Whether there are names that are not known word by word, since a run was sealed before there were words; of
    a run in which the record has one of these words, all are known."""
    hashes = hash_texts(words, salt_of(parent, LinkKind.NAME_WORD))
    ids = np.full(len(hashes), id_, np.uint64)
    return any(not run.holds(hashes, ids).any() for run in index.wordless)


def _compared(one: Sought, in_whole: bool) -> Sequence[str]:
    if not one.is_like_people:
        return ()
    words = one.normalised.split()
    return words if in_whole else [word for word in words if _is_telling(word)]


def _is_telling(word: str) -> bool:
    return len(word) > 1 and word not in GENERATIONS and not is_side_word(word)


def _words_of_pairs(
    parent: str, ids: Sequence[int], texts: Sequence[Sequence[str]], index: ParentIndex
) -> list[list[_Word]]:
    """Per record the words it is compared with: whether it has them or a short form of them, whether anybody has."""
    salt = salt_of(parent, LinkKind.NAME_WORD)
    forms = [(pair, word, form) for pair, row in enumerate(texts) for word in row for form in _forms(word)]
    hashes = hash_texts([form for *_, form in forms], salt)
    held = index.holds(hashes, np.array([ids[pair] for pair, *_ in forms], np.uint64)).tolist()
    known = index.knows(hashes).tolist()
    found: list[dict[str, _Word]] = [{} for _ in texts]
    for (pair, word, form), is_held, is_known in zip(forms, held, known, strict=True):
        if form == word:
            found[pair][word] = _Word(word, is_held, False, is_known)
        elif is_held:
            found[pair][word] = found[pair][word]._replace(is_short_form=True)
    return [list(row.values()) for row in found]


def _forms(word: str) -> Sequence[str]:
    return word, *ALTERNATIVES.get(word, ())


def _difference(words: Sequence[_Word]) -> Difference:
    # With a space in the wrong place every word differs.
    is_comparable = any(word.is_held for word in words)
    others = [word for word in words if not word.is_held]
    if is_comparable and any(_is_word_of_its_own(word.text) and not word.is_short_form for word in others):
        return Difference.SOMEBODY_ELSE
    if any(word.is_known or word.is_short_form for word in others):
        return Difference.UNSURE
    return Difference.SLIP


def _is_word_of_its_own(word: str) -> bool:
    return len(word) == 1 or not word.isalpha() or word in ALTERNATIVES or word in FIRST_NAMES or word in GENERATIONS


def alike(one: Sought, index: ParentIndex) -> list[int]:
    """Those records to which a further fact points and which have every word of the name, misspelt or in short form.

    A word that they do not have is what tells a wife from her husband, and the firm in the South from that in the
    North.
    """
    words = _of_somebody(one)
    if not one.is_like_people or not any(len(word) >= _WORD_LETTERS_MIN and word not in GENERATIONS for word in words):
        return []
    left: U64 = np.array(list(one.told), np.uint64)
    for word in words:
        if not len(left):
            break
        has_word = _have_any(_spellings(word, one.parent, index), left, index)
        left = left[has_word]
    return [int(id_) for id_ in left]


def _of_somebody(one: Sought) -> list[str]:
    """The words of the name without those of the work; with them where little else would be left."""
    # Stored words have the letters of the normal form: 'ø' stays 'ø' there.
    name = one.wholes[-1] if one.normalised.isascii() else one.normalised
    firm = firm_words(one.text) | trade_words(one.text)
    words = [word for word in name.split() if _is_telling(word) or word in GENERATIONS or word in firm]
    small = small_words(one.text)
    rest = [word for word in words if word in firm or not (is_work_word(word) or word in small)]
    return rest if len(rest) > 1 else words


def of_same_firm(one: Sought, ids: Sequence[int], index: ParentIndex) -> list[int]:
    """Those of the records that have the words which tell one firm of a family from the other, and no other trade."""
    salt = salt_of(one.parent, LinkKind.NAME_WORD)
    asked: U64 = np.array(ids, np.uint64)
    for word in firm_words(one.text):
        asked = asked[_have_any(hash_texts([word], salt), asked, index)]
    if (trades := trade_words(one.text)) and len(asked):
        has_all = index.holds(np.tile(hash_texts(sorted(trades), salt), len(asked)), np.repeat(asked, len(trades)))
        is_of_trade = has_all.reshape(len(asked), len(trades)).all(axis=1)
        is_of_other = _have_any(hash_texts(sorted(TRADES - trades), salt), asked, index)
        asked = asked[is_of_trade | ~is_of_other]
    return [int(id_) for id_ in asked]


def _have_any(hashes: U64, ids: U64, index: ParentIndex) -> NDArray[np.bool_]:
    held = index.holds(np.tile(hashes, len(ids)), np.repeat(ids, len(hashes)))
    found: NDArray[np.bool_] = np.logical_or.reduce(held.reshape(len(ids), len(hashes)), axis=1)
    return found


def _spellings(word: str, parent: str, index: ParentIndex) -> U64:
    """Hashes of the words, among those that stand in any record's name, that this one may be."""
    salt = salt_of(parent, LinkKind.NAME_WORD)
    hashes = hash_texts([*_forms(word)], salt)
    if _WORD_LETTERS_MIN < len(word) <= BYTES_MAX and not _is_word_of_its_own(word):
        hashes = np.concatenate((hashes, near_hashes(word, salt)))
    return np.unique(hashes[index.knows(hashes)])


def only_holders(parent: str, words: Iterable[str], index: ParentIndex) -> set[str]:
    """Those of the words that stand in the name of one record at most."""
    asked = list(dict.fromkeys(words))
    holders = index.holders(hash_texts(asked, salt_of(parent, LinkKind.NAME_WORD)), 1, 1)
    return {word for word, is_crowded in zip(asked, holders.crowded.tolist(), strict=True) if not is_crowded}


def with_generation(parent: str, ids: Sequence[int], index: ParentIndex) -> set[int]:
    """Those of the records that are called Jr, Sr and the like."""
    words = sorted(GENERATIONS)
    asked = np.array(sorted(set(ids)), np.uint64)
    hashes = hash_texts(words, salt_of(parent, LinkKind.NAME_WORD))
    return {int(id_) for id_ in asked[_have_any(hashes, asked, index)]}
