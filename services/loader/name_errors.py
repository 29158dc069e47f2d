"""Typing errors that put the words of a normalised name in another order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

WORDS_MAX = 4
"""Longer names are companies; with every word the number of possible errors grows by some sixty."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def reordered_names(name: str) -> list[str]:
    """Names one typing error away whose words may sort differently: an error at a word's start or at a space.

    `name` is normalised, its words are in alphabetical order; so are those of the answers. 'Ingrid indwall' is
    'indwall ingrid', while Ingrid Lindwall is 'ingrid lindwall': no single error lies between these two texts.
    """
    words = name.split()
    if len(words) > WORDS_MAX:
        return []
    made = {" ".join(sorted(filter(None, variant))) for variant in _variants(words)}
    return sorted(made - {name, ""})


def _variants(words: list[str]) -> Iterator[list[str]]:
    for i, word in enumerate(words):
        others = words[:i] + words[i + 1 :]
        yield from ([*others, other] for other in _other_starts(word))
        yield from ([*others, word[:cut], word[cut:]] for cut in range(1, len(word)))
    for i, j in permutations(range(len(words)), 2):
        left, right = words[i], words[j]
        others = [word for k, word in enumerate(words) if k not in (i, j)]
        yield [*others, left + right]
        yield [*others, left + right[0], right[1:]]
        yield [*others, left[:-1], left[-1] + right]


def _other_starts(word: str) -> Iterator[str]:
    yield word[1:]
    yield word[1:2] + word[0] + word[2:]
    for letter in _LETTERS:
        yield letter + word
        yield letter + word[1:]
