"""Similarity of headers by groups of three letters: cognates, joined and misspelt words that no word list holds."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.catalog.lexicon import Lexicon, Tokens

Floats = NDArray[np.float64]

GROUP_LETTERS = 3


def _groups(words: Tokens | frozenset[str]) -> Counter[str]:
    """Word order does not count; the edges of words do."""
    found: Counter[str] = Counter()
    for word in sorted(words):
        padded = f" {word} "
        found.update(padded[i : i + GROUP_LETTERS] for i in range(max(len(padded) - GROUP_LETTERS + 1, 1)))
    return found


class LetterGroups:
    """The lexicon's phrases as vectors of letter groups, rare groups weighing more."""

    def __init__(self, lexicon: Lexicon, place: Mapping[tuple[str, str], int]) -> None:
        phrases = lexicon.phrases()
        counted = [_groups(phrase) for phrase, _ in phrases]
        spread = Counter(group for groups in counted for group in groups)
        self._rarity = {group: math.log(1 + len(counted) / count) for group, count in spread.items()}
        postings: dict[str, tuple[list[int], list[float]]] = {}
        for at, groups in enumerate(counted):
            weights = {group: count * self._rarity[group] for group, count in groups.items()}
            length = math.sqrt(sum(w * w for w in weights.values()))
            for group, weight in weights.items():
                numbers, values = postings.setdefault(group, ([], []))
                numbers.append(at)
                values.append(weight / length)
        self._postings = {group: (np.array(n), np.array(v)) for group, (n, v) in postings.items()}
        self._phrases = [phrase for phrase, _ in phrases]
        links = [(at, place[pair], strength) for at, (_, targets) in enumerate(phrases) for pair, strength in targets]
        self._link_phrase = np.array([link[0] for link in links], np.int64)
        self._link_pair = np.array([link[1] for link in links], np.int64)
        self._link_strength = np.array([link[2] for link in links])
        self._pairs = len(place)

    def without(self, phrases: frozenset[frozenset[str]]) -> LetterGroups:
        """The same vectors, but nothing is said by these phrases."""
        other = copy.copy(self)
        left_out = np.array([phrase in phrases for phrase in self._phrases])
        other._link_strength = np.where(left_out[self._link_phrase], 0.0, self._link_strength)
        return other

    def scores(self, words: Tokens) -> Floats:
        """0..1 per pair: the cosine with the nearest of its phrases, times how sure that phrase is."""
        weights = {group: count * self._rarity.get(group, 0.0) for group, count in _groups(words).items()}
        length = math.sqrt(sum(w * w for w in weights.values()))
        result = np.zeros(self._pairs)
        if not length:
            return result
        similarity = np.zeros(len(self._phrases))
        for group, weight in weights.items():
            if (posting := self._postings.get(group)) is not None:
                similarity[posting[0]] += posting[1] * (weight / length)
        np.maximum.at(result, self._link_pair, similarity[self._link_phrase] * self._link_strength)
        return result
