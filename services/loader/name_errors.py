"""Typing errors that put the words of a normalised name in another order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

WORDS_MAX = 3
"""Longer names are companies; with every word the number of orders multiplies."""


def other_orders(name: str) -> list[str]:
    """The words of a normalised name (they are in alphabetical order) in every other order.

    'Ingrid indwall' is 'indwall ingrid', while Ingrid Lindwall is 'ingrid lindwall': no single error lies between these
    two texts, but one does between 'ingrid indwall' and the latter.
    """
    words = name.split()
    if len(words) > WORDS_MAX:
        return []
    return [" ".join(order) for order in dict.fromkeys(permutations(words)) if order != tuple(words)]


def misplaced_spaces(name: str) -> list[str]:
    """Names, their words in alphabetical order, of which this one is made by an error at a space.

    The space is missing, too many, a letter stands in its place, or it stands one letter too early or too late.
    """
    words = name.split()
    if len(words) > WORDS_MAX:
        return []
    made = {" ".join(sorted(filter(None, variant))) for variant in _variants(words)}
    return sorted(made - {name, ""})


def _variants(words: list[str]) -> Iterator[list[str]]:
    for i, word in enumerate(words):
        others = words[:i] + words[i + 1 :]
        for cut in range(1, len(word)):
            yield [*others, word[:cut], word[cut:]]
            yield [*others, word[:cut], word[cut + 1 :]]
    for i, j in permutations(range(len(words)), 2):
        left, right = words[i], words[j]
        others = [word for k, word in enumerate(words) if k not in (i, j)]
        yield [*others, left + right]
        yield [*others, left + right[0], right[1:]]
        yield [*others, left[:-1], left[-1] + right]
