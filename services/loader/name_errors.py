"""Typing errors in a normalised name: the hashes of all names that one error makes of it, or that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from shared.catalog.identity import STREET_WORDS
from shared.catalog.place_forms import UNIT_WORDS

ORDERED_WORDS_MAX = 4
SPACED_WORDS_MAX = 3
"""Longer names are companies; with every word the number of orders and of misplaced spaces multiplies."""

# One letter off in a short name is another name (Lee and Les); in a longer one it is a slip of the hand.
LETTERS_MIN = 6
BYTES_MAX = 64
"""An error in a longer text is not looked for: it costs 56 hashes a byte, several times over where words may change
their order, and nobody is called so."""

_STREET_KINDS = frozenset(STREET_WORDS.values())
_STREET_LETTERS_MIN = 4


def error_spans(name: str) -> list[tuple[str, int, int]]:
    """The texts and places in them in which one typing error makes this normalised name; none for a short name or a
    very long one.

    Words with a digit stay as they are: unit 12 is not unit 13.
    """
    if len(name) < LETTERS_MIN or _size(name) > BYTES_MAX:
        return []
    return [*_spans_of_letters(name), *other_orders(name)]


def street_error_spans(street: str) -> list[tuple[str, int, int]]:
    """The same for a street line in normal form, whose words have an order.

    North and South, St and Ct, apartment A and B are no slips of the hand but the neighbours; so are Elm and Elk.
    """
    if _size(street) > BYTES_MAX:
        return []
    found = []
    start = 0
    for word in street.split(" "):
        if word in UNIT_WORDS:
            break
        if len(word) >= _STREET_LETTERS_MIN and word.isalpha() and word not in _STREET_KINDS:
            found.append((street, start, start + _size(word)))
        start += _size(word) + 1
    return found


def _spans_of_letters(name: str) -> Iterator[tuple[str, int, int]]:
    if not any(map(str.isdigit, name)):
        yield name, 0, _size(name)
        return
    start = 0
    for word in name.split(" "):
        if not any(map(str.isdigit, word)):
            yield name, start, start + _size(word)
        start += _size(word) + 1


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def other_orders(name: str) -> list[tuple[str, int, int]]:
    """A normalised name (its words are in alphabetical order) with one word in another place, and where in that word
    an error may have brought it there.

    'Ingrid indwall' is 'indwall ingrid', while Ingrid Lindwall is 'ingrid lindwall': no single error lies between these
    two texts, but one does between 'ingrid indwall' and the latter. An error behind the letters that a word shares with
    another one cannot change which of the two comes first.
    """
    words = name.split()
    if not 1 < len(words) <= ORDERED_WORDS_MAX:
        return []
    found: dict[tuple[str, int], int] = {}
    for i, word in enumerate(words):
        if any(map(str.isdigit, word)):
            continue
        others = words[:i] + words[i + 1 :]
        letters = min(max(_shared(word, other) for other in others) + 2, len(word))
        for place in range(len(words)):
            start = _size(" ".join(others[:place])) + (place > 0)
            if place != i:
                found.setdefault((" ".join([*others[:place], word, *others[place:]]), start), start + letters)
    return [(text, start, end) for (text, start), end in found.items()]


def spans_of_word(name: str, word: str) -> Iterator[tuple[str, int, int]]:
    """The texts and places in them in which one typing error in this word makes a normalised name."""
    others = name.split(" ")
    others.remove(word)
    for place in range(len(others) + 1):
        start = _size(" ".join(others[:place])) + (place > 0)
        yield " ".join([*others[:place], word, *others[place:]]), start, start + _size(word)


def _shared(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def misplaced_spaces(name: str) -> list[str]:
    """Names, their words in alphabetical order, of which this one is made by an error at a space.

    The space is missing, too many, a letter stands in its place, or it stands one letter too early or too late.
    """
    words = name.split()
    if len(words) > SPACED_WORDS_MAX or _size(name) > BYTES_MAX:
        return []
    made = {" ".join(sorted(filter(None, variant))) for variant in _variants(words)}
    return sorted(made - {name, ""})


def _variants(words: Sequence[str]) -> Iterator[list[str]]:
    for i, word in enumerate(words):
        others = [*words[:i], *words[i + 1 :]]
        for cut in range(1, len(word)):
            yield [*others, word[:cut], word[cut:]]
            yield [*others, word[:cut], word[cut + 1 :]]
    for i, j in permutations(range(len(words)), 2):
        left, right = words[i], words[j]
        others = [word for k, word in enumerate(words) if k not in (i, j)]
        yield [*others, left + right]
        yield [*others, left + right[0], right[1:]]
        yield [*others, left[:-1], left[-1] + right]
