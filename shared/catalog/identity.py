"""What makes two records the same, and by what a child may name its parent: normal forms and hashes.

The mapper computes these for every record, the loader compares them; both must agree to the bit, so they live here.
Record keys are 128-bit BLAKE2b: two different keys never meet. Link keys are 64-bit polynomial hashes, computed for a
whole column at once with numpy; the polynomial form also gives the hash of every string one typing error away
without building the string (`near_hashes`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

TEXT_BYTES_MAX = 1024
"""Only this much of a text takes part in a link key; longer names and ids do not occur and would cost memory."""


class LinkKind(IntEnum):
    """By what a parent can be found. The numbers are part of stored hashes: none is ever given to another kind."""

    SOURCE_ID = 0
    NUMBER = 1
    NAME = 2
    CORE_NAME = 3
    NAME_EMAIL = 4
    NAME_PHONE = 5
    NAME_STREET = 6
    EMAIL = 7
    PHONE = 8
    STREET = 9
    ROW = 10
    NAME_WORD = 11


class KeyedBy(IntEnum):
    """What a record's key is made of."""

    SOURCE_ID = 0
    NATURAL = 1
    ROW = 2
    CONTENT = 3


# ---- normal forms ---------------------------------------------------------------------------------------------

_SPACES = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[^\w]+")
_POSSESSIVE = re.compile(r"['’`´]s?\b")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Legal forms and link words say nothing about who somebody is.
LEGAL_WORDS = _words(
    """llc inc incorporated corp corporation co company ltd limited llp lp pllc plc pc gmbh sa sl sarl the and mr mrs
    ms dr"""
)
STREET_WORDS = {
    "street": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr", "lane": "ln", "court": "ct",
    "boulevard": "blvd", "place": "pl", "circle": "cir", "terrace": "ter", "highway": "hwy", "parkway": "pkwy",
    "trail": "trl", "square": "sq", "north": "n", "south": "s", "east": "e", "west": "w", "suite": "ste",
    "apartment": "apt", "unit": "apt", "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw",
}  # fmt: skip


def fold(text: str) -> str:
    """Lower case without accents, white space folded."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _SPACES.sub(" ", text.casefold()).strip()


def normalise_id(text: str) -> str:
    """A source's own id: opaque and case-sensitive; only surrounding white space is not part of it."""
    return text.strip()


def normalise_number(text: str) -> str:
    """A document number people read aloud: '#1042' and ' inv-1042 ' are written many ways; leading zeros count."""
    return fold(text).replace(" ", "").lstrip("#")


def words_of(folded: str) -> list[str]:
    """The words of a folded name without punctuation and possessive s, in the order of the text."""
    return _NOT_WORD.sub(" ", _POSSESSIVE.sub("", folded)).split()


@lru_cache(maxsize=8192)
def normalise_name(text: str) -> str:
    """A person's or company's name without case, accents, punctuation, legal form and word order.

    'Smith, John', 'JOHN SMITH' and 'John Smith' are one; so are 'Müller & Sons LLC' and 'Muller and Sons'.
    """
    words = words_of(fold(text))
    telling = [word for word in words if word not in LEGAL_WORDS]
    return " ".join(sorted(telling or words))


@lru_cache(maxsize=8192)
def normalise_street(text: str) -> str:
    """A street line in one spelling: '12 North Main Street' and '12 N. Main St' are one."""
    return " ".join(STREET_WORDS.get(word, word) for word in _NOT_WORD.sub(" ", fold(text)).split())


# ---- hashes ---------------------------------------------------------------------------------------------------

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_BASE_INVERSE = np.uint64(pow(_BASE, -1, 1 << 64))


_BLOCK_BYTES_MAX = 1 << 16
"""So much text is hashed at a time: a column of 500 names is a sixth of it, and the tables of powers fit a cache."""


def _powers(base: int, count: int) -> U64:
    values = np.full(count, base, np.uint64)
    values[0] = 1
    powers: U64 = np.multiply.accumulate(values)
    return powers


_POWERS = _powers(_BASE, _BLOCK_BYTES_MAX + 2)
_INVERSE_POWERS = _powers(int(_BASE_INVERSE), _BLOCK_BYTES_MAX + 2)
_POWER_SUMS: U64 = np.concatenate((np.zeros(1, np.uint64), np.cumsum(_POWERS, dtype=np.uint64)))
"""[n]: the sum of the first n powers."""

SEPARATOR = "\x1f"
"""Between the parts of a joined text (␟)."""


def _mix(values: U64) -> U64:
    """The finaliser of splitmix64 over polynomial + salt: spreads the polynomial over all 64 bits; never 0."""
    z = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    mixed: U64 = np.maximum(z, np.uint64(1))
    return mixed


@lru_cache(maxsize=1024)
def salt_of(entity: str, kind: LinkKind, label: str = "") -> int:
    """Keeps entity types, kinds and (for source ids) source labels apart."""
    scope = label if kind is LinkKind.SOURCE_ID else ""
    return int.from_bytes(hashlib.blake2b(f"{entity}\0{int(kind)}\0{scope}".encode(), digest_size=8).digest(), "little")


class Polynomials(NamedTuple):
    """Per text its polynomial, sum((byte + 1) * BASE**place), and its size in bytes; both 0 for an empty text."""

    sums: U64
    sizes: NDArray[np.int64]


def polynomials(texts: Sequence[str]) -> Polynomials:
    """The polynomials of a whole column. The cost is per byte (some 6 ns), not per text."""
    block = "".join(texts)
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    if block.isascii() and sizes.max(initial=0) <= TEXT_BYTES_MAX:
        data = block.encode()
    else:
        encoded = [text.encode("utf-8", "surrogatepass")[:TEXT_BYTES_MAX] for text in texts]
        sizes = np.fromiter(map(len, encoded), np.int64, len(texts))
        data = b"".join(encoded)
    if len(data) > _BLOCK_BYTES_MAX:
        middle = len(texts) // 2
        first, second = polynomials(texts[:middle]), polynomials(texts[middle:])
        return Polynomials(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
    # All texts are one long polynomial first; what lies before a text is divided out of its part of the sum.
    ends = np.cumsum(sizes)
    starts = ends - sizes
    terms = np.frombuffer(data + b"\0", np.uint8) * _POWERS[: len(data) + 1]  # a byte more: a start may be the end
    sums = np.add.reduceat(terms, starts) + _POWER_SUMS[ends] - _POWER_SUMS[starts]
    return Polynomials(np.where(sizes, sums * _INVERSE_POWERS[starts], np.uint64(0)), sizes)


class HashedTexts:
    """A column of normalised texts. Its polynomials are computed once, for all kinds of keys and all joined texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def polynomials(self) -> Polynomials:
        """Of each text."""
        return polynomials(self.texts)

    def link_keys(self, entity: str, kind: LinkKind, label: str = "") -> U64:
        """Link keys (0 where a text is empty) by which a record of `entity` can be found."""
        return hashed(self.polynomials, salt_of(entity, kind, label))


def joined_polynomials(parts: Sequence[HashedTexts]) -> Polynomials:
    """Of the parts of each row joined by ␟, empty where one of them is empty; the joined texts are never built."""
    sums, sizes = parts[0].polynomials
    is_full = sizes > 0
    for part in parts[1:]:
        more = part.polynomials
        is_full = is_full & (more.sizes > 0)
        behind = _POWERS[np.minimum(sizes, TEXT_BYTES_MAX)]
        sums = sums + behind * (np.uint64(ord(SEPARATOR) + 1) + more.sums * np.uint64(_BASE))
        sizes = sizes + 1 + more.sizes
    cut: list[int] = np.flatnonzero(is_full & (sizes > TEXT_BYTES_MAX)).tolist()
    if cut:
        sums[cut] = polynomials([SEPARATOR.join([part.texts[i] for part in parts]) for i in cut]).sums
    return Polynomials(np.where(is_full, sums, np.uint64(0)), np.where(is_full, sizes, 0))


class Keys(NamedTuple):
    """Polynomials and the salt that makes keys of one kind of them."""

    polynomials: Polynomials
    salt: int


def hash_table(columns: Sequence[Keys]) -> U64:
    """u64[texts][columns]: the keys of all kinds, 0 for an empty text. Mixed at once: half the cost of one by one."""
    salts = np.array([keys.salt for keys in columns], np.uint64)
    sums = np.stack([keys.polynomials.sums for keys in columns], axis=1)
    return np.where(np.stack([keys.polynomials.sizes for keys in columns], axis=1), _mix(sums + salts), np.uint64(0))


def hashed(found: Polynomials, salt: int) -> U64:
    """u64 hash per polynomial, 0 for that of an empty text."""
    return np.where(found.sizes, _mix(found.sums + np.uint64(salt)), np.uint64(0))


def hash_texts(texts: Sequence[str], salt: int) -> U64:
    """u64 hash per text, 0 for an empty one."""
    return hashed(polynomials(texts), salt)


# Letters a typing error may have put in or left out.
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz ", np.uint8).astype(np.uint64) + np.uint64(1)


Spans = Sequence[tuple[str, int, int]]
"""(text, first, end): bytes of the text in which an error may be."""


def near_hashes(text: str, salt: int) -> U64:
    """Hashes of texts one error away, with repeats: a letter missing, too many, wrong, or two neighbours swapped."""
    return near_hashes_of([(text, 0, TEXT_BYTES_MAX)], salt)[0]


def near_hashes_of(spans: Spans, salt: int) -> tuple[U64, NDArray[np.int64]]:
    """The same for errors inside spans of many texts at once, and of which span each is.

    A letter may be missing in front of a span and behind it, too.
    """
    encoded = [text.encode("utf-8", "surrogatepass")[:TEXT_BYTES_MAX] for text, _, _ in spans]
    sizes = np.fromiter(map(len, encoded), np.int64, len(spans))
    firsts = np.minimum(np.fromiter((first for _, first, _ in spans), np.int64, len(spans)), sizes)
    counts = np.maximum(np.minimum([end for _, _, end in spans], sizes) - firsts, 0)
    codes = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint64) + np.uint64(1)
    starts = np.cumsum(sizes) - sizes
    terms = codes * _POWERS[np.arange(len(codes)) - np.repeat(starts, sizes)]
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)))
    totals = sums[starts + sizes] - sums[starts]

    def places(more: int) -> tuple[NDArray[np.int64], NDArray[np.int64], U64]:
        """Of each place in each span (and of `more` behind it) the span, where it lies, and the terms before it."""
        widths = np.where(counts > 0, np.maximum(counts + more, 0), 0)
        owners = np.repeat(np.arange(len(spans)), widths)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(widths) - widths, widths) + firsts[owners]
        return owners, within, sums[starts[owners] + within] - sums[starts[owners]]

    owners, within, before = places(0)
    at = starts[owners] + within
    rest = totals[owners] - terms[at]
    deleted = before + (rest - before) * _BASE_INVERSE
    changed = rest[:, None] + _ALPHABET * _POWERS[within][:, None]
    gap_owners, gap, gap_before = places(1)
    shifted = gap_before + (totals[gap_owners] - gap_before) * np.uint64(_BASE)
    inserted = shifted[:, None] + _ALPHABET * _POWERS[gap][:, None]
    pair_owners, first, _ = places(-1)
    left = starts[pair_owners] + first
    swapped = totals[pair_owners] - terms[left] - terms[left + 1]
    swapped += codes[left + 1] * _POWERS[first] + codes[left] * _POWERS[first + 1]
    hashes = _mix(np.concatenate((deleted, swapped, changed.ravel(), inserted.ravel())) + np.uint64(salt))
    letters = len(_ALPHABET)
    return hashes, np.concatenate((owners, pair_owners, np.repeat(owners, letters), np.repeat(gap_owners, letters)))


def link_keys(entity: str, kind: LinkKind, texts: Sequence[str], label: str = "") -> U64:
    """Link keys of normalised texts (0 where empty) by which a record of `entity` can be found."""
    return hash_texts(texts, salt_of(entity, kind, label))


def record_keys(scope: str, values: Iterable[str]) -> bytes:
    """16 bytes per value, concatenated: record keys in the namespace `scope` (see `key_scope`)."""
    return _digests(hashlib.blake2b(digest_size=16, key=scope.encode()), values)


def key_scope(label: str, entity: str, by: KeyedBy) -> str:
    """Namespace of record keys: source label, entity type and what the key is made of, as a digest of 32 digits."""
    return hashlib.blake2b(f"{label}\0{entity}\0{int(by)}".encode(), digest_size=16).hexdigest()


def content_hashes(texts: Iterable[str]) -> bytes:
    """8 bytes per text, concatenated: tells whether two rows hold the same cells."""
    return _digests(hashlib.blake2b(digest_size=8), texts)


def _digests(empty: hashlib.blake2b, texts: Iterable[str]) -> bytes:
    digests = []
    for text in texts:
        digest = empty.copy()  # 0.3 µs less than giving size and key each time
        digest.update(text.encode() if text.isascii() else text.encode("utf-8", "surrogatepass"))
        digests.append(digest.digest())
    return b"".join(digests)


def natural_hashes(entity: str, group: Sequence[str], values: Sequence[str]) -> U64:
    """u64 per natural key, its parts joined by ␟ (0 where it is "")."""
    return hash_texts(values, natural_salt(entity, tuple(group)))


@lru_cache(maxsize=256)
def natural_salt(entity: str, group: tuple[str, ...]) -> int:
    """Keeps the natural keys of entity types apart. It holds no source label: they are the same across sources."""
    return int.from_bytes(hashlib.blake2b("\0".join((entity, *group)).encode(), digest_size=8).digest(), "little")
