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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

TEXT_BYTES_MAX = 1024
"""Only this much of a text takes part in a link key; longer names and ids do not occur and would cost memory."""


class LinkKind(IntEnum):
    """By what a parent can be found. The order is the order in which the loader tries them."""

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

# Legal forms and link words say nothing about who somebody is.
_LEGAL = frozenset(
    "llc inc incorporated corp corporation co company ltd limited llp lp pllc plc pc gmbh sa sl sarl the and mr mrs ms dr".split()
)
# Words of the trades: in "Smith HVAC Repair" they describe the job, not the customer.
_TRADE = frozenset(
    """hvac repair repairs plumbing plumber electric electrical electrician heating cooling air conditioning ac furnace
    boiler drain drains cleaning cleaner install installation installations installed maintenance service services job
    work visit inspection tuneup tune up replacement replace emergency call estimate quote roofing roof gutter pest
    control lawn landscaping landscape pool spa garage door water heater leak sewer toilet faucet pipe pipes duct ducts
    thermostat wiring panel outlet lighting generator appliance handyman painting carpentry flooring annual seasonal
    checkup check spring fall warranty follow followup residential commercial project unit system""".split()
)
_STREET_WORDS = {
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


@lru_cache(maxsize=8192)
def normalise_name(text: str) -> str:
    """A person's or company's name without case, accents, punctuation, legal form and word order.

    'Smith, John', 'JOHN SMITH' and 'John Smith' are one; so are 'Müller & Sons LLC' and 'Muller and Sons'.
    """
    words = _NOT_WORD.sub(" ", _POSSESSIVE.sub("", fold(text))).split()
    telling = [word for word in words if word not in _LEGAL]
    return " ".join(sorted(telling or words))


@lru_cache(maxsize=8192)
def core_name(normalised: str) -> str:
    """A normalised name without the words of the trades; "" if nothing else is left or nothing was taken away."""
    words = normalised.split()
    core = [word for word in words if word not in _TRADE and not word.isdigit()]
    return " ".join(core) if core and len(core) < len(words) else ""


@lru_cache(maxsize=8192)
def normalise_street(text: str) -> str:
    """A street line in one spelling: '12 North Main Street' and '12 N. Main St' are one."""
    return " ".join(_STREET_WORDS.get(word, word) for word in _NOT_WORD.sub(" ", fold(text)).split())


# ---- hashes ---------------------------------------------------------------------------------------------------

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_BASE_INVERSE = np.uint64(pow(_BASE, -1, 1 << 64))


def _powers(count: int) -> U64:
    values = np.empty(count, np.uint64)
    power = 1
    for i in range(count):
        values[i] = power
        power = power * _BASE % (1 << 64)
    return values


_POWERS = _powers(TEXT_BYTES_MAX + 2)


def _mix(values: U64, salt: int) -> U64:
    """The finaliser of splitmix64 over (polynomial + salt): spreads the polynomial over all 64 bits; never 0."""
    z = values + np.uint64(salt)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return np.maximum(z, np.uint64(1))


@lru_cache(maxsize=1024)
def salt_of(entity: str, kind: LinkKind, label: str = "") -> int:
    """Keeps entity types, kinds and (for source ids) source labels apart."""
    scope = label if kind is LinkKind.SOURCE_ID else ""
    return int.from_bytes(hashlib.blake2b(f"{entity}\0{int(kind)}\0{scope}".encode(), digest_size=8).digest(), "little")


def hash_texts(texts: Sequence[str], salt: int) -> U64:
    """u64 hash per text, 0 for an empty one. The cost is per byte, not per text."""
    result = np.zeros(len(texts), np.uint64)
    encoded = [text.encode("utf-8", "surrogatepass")[:TEXT_BYTES_MAX] for text in texts]
    lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    filled = np.flatnonzero(lengths)
    if not filled.size:
        return result
    sizes = lengths[filled]
    starts = np.cumsum(sizes) - sizes
    codes = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint64) + np.uint64(1)
    places = np.arange(codes.size) - np.repeat(starts, sizes)
    sums = np.add.reduceat(codes * _POWERS[places], starts)
    result[filled] = _mix(sums, salt)
    return result


# Letters a typing error may have put in or left out.
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz ", np.uint8).astype(np.uint64) + np.uint64(1)


def near_hashes(text: str, salt: int) -> U64:
    """Hashes of every text one error away: a letter missing, too many, wrong, or two neighbours swapped; with repeats."""
    codes = np.frombuffer(text.encode("utf-8", "surrogatepass")[:TEXT_BYTES_MAX], np.uint8).astype(np.uint64)
    codes += np.uint64(1)
    n = codes.size
    if n == 0:
        return np.empty(0, np.uint64)
    terms = codes * _POWERS[:n]
    before = np.concatenate((np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)))
    total = before[n]
    after = total - before  # after[i]: terms i..n-1
    deleted = before[:n] + after[1:] * _BASE_INVERSE
    swapped = total - terms[:-1] - terms[1:] + codes[1:] * _POWERS[: n - 1] + codes[:-1] * _POWERS[1:n]
    changed = ((total - terms)[:, None] + _ALPHABET[None, :] * _POWERS[:n, None]).ravel()
    shifted = before + after * np.uint64(_BASE)  # a gap of one place in front of i
    inserted = (shifted[:, None] + _ALPHABET[None, :] * _POWERS[: n + 1, None]).ravel()
    return _mix(np.concatenate((deleted, swapped, changed, inserted)), salt)


def link_keys(entity: str, kind: LinkKind, texts: Sequence[str], label: str = "") -> U64:
    """Link keys of normalised texts (0 where empty) by which a record of `entity` can be found."""
    return hash_texts(texts, salt_of(entity, kind, label))


def joined(names: Iterable[str], facts: Iterable[str]) -> list[str]:
    """'name␟fact' where both are known, else "": the text behind NAME_EMAIL, NAME_PHONE and NAME_STREET keys."""
    return [f"{name}\x1f{fact}" if name and fact else "" for name, fact in zip(names, facts, strict=True)]


def record_keys(scope: str, values: Iterable[str]) -> bytes:
    """16 bytes per value, concatenated: record keys in the namespace `scope` (see `key_scope`)."""
    blake2b = hashlib.blake2b
    prefix = scope.encode()
    return b"".join(
        [blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16, key=prefix).digest() for value in values]
    )


def key_scope(label: str, entity: str, by: KeyedBy) -> str:
    """Namespace of record keys: source label, entity type and what the key is made of (at most 64 bytes, as a digest)."""
    return hashlib.blake2b(f"{label}\0{entity}\0{int(by)}".encode(), digest_size=16).hexdigest()


def content_hashes(texts: Iterable[str]) -> bytes:
    """8 bytes per text, concatenated: tells whether two rows hold the same cells."""
    blake2b = hashlib.blake2b
    return b"".join([blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts])


def natural_hashes(entity: str, group: Sequence[str], values: Sequence[str]) -> U64:
    """u64 per joined natural key value (0 where it is not complete), without a source label: it holds across sources."""
    salt = int.from_bytes(hashlib.blake2b("\0".join((entity, *group)).encode(), digest_size=8).digest(), "little")
    return hash_texts(values, salt)
