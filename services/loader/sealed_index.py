"""The sealed artifact of one entity type: an immutable file of sorted arrays, memory-mapped by every loader process.

It says which record wins each key, who loses to whom, which records exist already, and by which link keys a child finds
its parent. After the run is closed the same file is the crosswalk through which later runs find its records.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.catalog.first_names import FIRST_NAMES
from shared.catalog.identity import LinkKind, hash_texts, salt_of
from shared.catalog.name_forms import SIDE_WORDS
from shared.errors import PermanentError
from shared.messages.plan import RECORD_SLOTS_BITS

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

ARRAYS: dict[str, str] = {
    # winners, sorted by key
    "key_high": "<u8", "key_low": "<u8", "key_content": "<u8", "key_slot": "<u4",
    # records that lost their key to an earlier one, sorted by slot
    "loser_slot": "<u4", "loser_winner": "<u4", "loser_line": "<u4", "loser_same": "<u1",
    # records that an earlier run has stored already, sorted by slot
    "existing_slot": "<u4", "existing_id": "<u8", "existing_how": "<u1",
    # records that share a natural key with an earlier record but have another source id, sorted by slot
    "shared_slot": "<u4", "shared_other": "<u4", "shared_line": "<u4",
    # natural keys and link keys, sorted by hash, then slot
    "natural_hash": "<u8", "natural_slot": "<u4", "link_hash": "<u8", "link_slot": "<u4",
    # records of earlier runs that were never stored, sorted by id, and the same records in this run
    "replaced_id": "<u8", "replaced_slot": "<u4",
}  # fmt: skip

SAME_CELLS, OTHER_CELLS, NATURAL_MATCH = 1, 0, 2
"""Values of `loser_same` and `existing_how`."""

_NONE: I64 = np.zeros(0, np.int64)

# So many hashes are asked for by the search for typing errors only; for fewer the filter would not pay.
_FILTERED_MIN = 8192

_MAGIC = b"HUBSEAL1"
_ALIGNMENT = 64


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the arrays belong to, and where they lie behind the header: name -> (offset, items)."""

    run: int
    entity: str
    label: str
    arrays: dict[str, tuple[int, int]]


def write_index(path: Path, *, run: int, entity: str, label: str, parts: Mapping[str, Path]) -> None:
    """Joins the files of raw items (one per array; absent means empty) into one artifact. Same input, same bytes."""
    sizes = {name: parts[name].stat().st_size if name in parts else 0 for name in ARRAYS}
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    for name, dtype in ARRAYS.items():
        places[name] = (offset, sizes[name] // np.dtype(dtype).itemsize)
        offset += -(-sizes[name] // _ALIGNMENT) * _ALIGNMENT
    header = msgspec.msgpack.encode(Header(run=run, entity=entity, label=label, arrays=places))
    with path.open("wb") as out:
        out.write(_MAGIC + len(header).to_bytes(8, "little") + header)
        out.write(bytes(-out.tell() % _ALIGNMENT))
        for name in ARRAYS:
            if name in parts:
                with parts[name].open("rb") as source:
                    while block := source.read(1 << 20):
                        out.write(block)
            out.write(bytes(-out.tell() % _ALIGNMENT))


class _Filter:
    """Tells quickly of most hashes that they are not there: one bit per possible beginning of a hash.

    16 to 32 bits a key (2.4 MB for a million) leave one in twenty hashes to be searched for; a bit costs a hundredth of
    a search among keys that no cache holds.
    """

    def __init__(self, hashes: U64) -> None:
        self._shift = np.uint64(64 - max((16 * len(hashes)).bit_length(), 3))
        marks = np.zeros(1 << (64 - int(self._shift)), np.bool_)
        marks[hashes >> self._shift] = True
        self._bits = np.packbits(marks, bitorder="little")

    def may_hold(self, hashes: U64) -> NDArray[np.bool_]:
        """False only for hashes that are not there."""
        places = hashes >> self._shift
        bits = self._bits[places >> np.uint64(3)] >> (places & np.uint64(7)).astype(np.uint8)
        marked: NDArray[np.bool_] = (bits & np.uint8(1)).astype(np.bool_)
        return marked


class SealedIndex:
    """One opened artifact. Arrays are views of the mapped file; nothing is copied until it is looked up."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[:8] != _MAGIC:
            raise PermanentError(f"{path.name} is not a sealed index.", next_step="Start the import again.")
        size = int.from_bytes(self._map[8:16], "little")
        header = msgspec.msgpack.decode(self._map[16 : 16 + size], type=Header)
        base = -(-(16 + size) // _ALIGNMENT) * _ALIGNMENT
        self.run = header.run
        self.entity = header.entity
        self.label = header.label
        # The index of an earlier run may be older than the latest arrays.
        self._arrays: dict[str, NDArray[Any]] = {name: np.zeros(0, dtype) for name, dtype in ARRAYS.items()} | {
            name: np.frombuffer(self._map, ARRAYS[name], items, base + offset)
            for name, (offset, items) in header.arrays.items()
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def ids(self, slots: NDArray[Any]) -> U64:
        """Record ids of slots of this run; a record that existed before keeps the id it had."""
        ids = np.uint64(self.run << RECORD_SLOTS_BITS) | slots.astype(np.uint64)
        at, hit = find_sorted(self["existing_slot"], slots)
        ids[hit] = self["existing_id"][at[hit]]
        return ids

    def replace(self, ids: U64) -> U64:
        """The same ids, but those of records that were never stored become those of the same records of this run."""
        at, hit = find_sorted(self["replaced_id"], ids)
        if not hit.any():
            return ids
        replaced = ids.copy()
        replaced[hit] = self.ids(self["replaced_slot"][at[hit]])
        return replaced

    def by_key(self, high: U64, low: U64) -> tuple[I64, NDArray[np.bool_]]:
        """Places of the winners with these keys in the key arrays, and which of them were found."""
        keys_high, keys_low = self["key_high"], self["key_low"]
        at = np.searchsorted(keys_high, high)
        hit = np.zeros(len(high), np.bool_)
        if not len(keys_high):
            return at, hit
        while True:  # more than one turn only where two different keys share their upper 64 bits
            inside = np.minimum(at, len(keys_high) - 1)
            same_high = (keys_high[inside] == high) & (at < len(keys_high))
            hit = same_high & (keys_low[inside] == low)
            if not (further := same_high & ~hit).any():
                return inside, hit
            at = at + further

    def pairs(self, column: str, hashes: U64) -> tuple[I64, U64]:
        """(index into `hashes`, record id) for every record with one of the hashes; `column` is natural or link."""
        found, left, right = self.ranges(column, hashes)
        owners, places = expand(left, right)
        return found[owners], self.ids(self[f"{column}_slot"][places])

    def ranges(self, column: str, hashes: U64) -> tuple[I64, I64, I64]:
        """(index into `hashes`, first place, end) of those hashes that any record has, 0 never."""
        sorted_hashes = self[f"{column}_hash"]
        if not len(sorted_hashes) or not len(hashes):
            return _NONE, _NONE, _NONE
        if column == "link" and len(hashes) > _FILTERED_MIN:
            likely = np.flatnonzero(self._filter.may_hold(hashes))
            found, left, right = _ranges(sorted_hashes, hashes[likely])
            return likely[found], left, right
        return _ranges(sorted_hashes, hashes)

    @cached_property
    def _filter(self) -> _Filter:
        return _Filter(self["link_hash"])

    def knows(self, hashes: U64) -> NDArray[np.bool_]:
        """Whether any record has the link key."""
        return find_sorted(self["link_hash"], hashes)[1]

    @cached_property
    def has_name_words(self) -> bool:
        """Whether the words of names are seen to be among its link keys: an index sealed before there were any has
        none. One of a few odd names is taken for one without."""
        return not len(self["link_hash"]) or bool(self.knows(_frequent_words(self.entity)).any())

    def holds(self, hashes: U64, slots: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Whether the record in the slot beside it has the link key."""
        sorted_hashes, own = self["link_hash"], self["link_slot"]
        left = np.searchsorted(sorted_hashes, hashes)
        end = np.searchsorted(sorted_hashes, hashes, "right")
        right = end.copy()
        # Within a hash the slots ascend: all searches halve their ranges together.
        while (searched := np.flatnonzero(left < right)).size:
            middle = (left[searched] + right[searched]) // 2
            is_before = own[middle] < slots[searched]
            left[searched] = np.where(is_before, middle + 1, left[searched])
            right[searched] = np.where(is_before, right[searched], middle)
        held = left < end
        held[held] = own[left[held]] == slots[held]
        return held

    def slots_of_existing(self, ids: U64) -> tuple[I64, NDArray[np.uint32]]:
        """(index into `ids`, slot in this run) of those records that an earlier run has stored and this one has too."""
        order = self._existing_order
        sorted_ids = self["existing_id"][order] if len(order) else self["existing_id"]
        owners, places = expand(np.searchsorted(sorted_ids, ids), np.searchsorted(sorted_ids, ids, "right"))
        return owners, self["existing_slot"][order[places]]

    @cached_property
    def _existing_order(self) -> I64:
        return np.argsort(self["existing_id"], kind="stable")


@lru_cache(maxsize=16)
def _frequent_words(entity: str) -> U64:
    return hash_texts(sorted(FIRST_NAMES | SIDE_WORDS), salt_of(entity, LinkKind.NAME_WORD))


def _ranges(sorted_hashes: U64, hashes: U64) -> tuple[I64, I64, I64]:
    # Asked in order, neighbouring searches touch the same memory: 15,000 take 1.5 ms instead of 3.6.
    order = np.argsort(hashes)
    asked = hashes[order]
    left = np.searchsorted(sorted_hashes, asked)
    # Most hashes asked for are not there (above all the near ones): only what was found is searched to its end.
    hit = (sorted_hashes[np.minimum(left, len(sorted_hashes) - 1)] == asked) & (asked != 0)
    return order[hit], left[hit], np.searchsorted(sorted_hashes, asked[hit], "right")


def expand(left: I64, right: I64) -> tuple[I64, I64]:
    """For ranges [left, right): the index of the range and each place in it, flattened."""
    counts = right - left
    owners = np.repeat(np.arange(len(left)), counts)
    starts = np.cumsum(counts) - counts
    places = np.arange(int(counts.sum())) - np.repeat(starts, counts) + np.repeat(left, counts)
    return owners, places


def find_sorted(sorted_values: NDArray[Any], values: NDArray[Any]) -> tuple[I64, NDArray[np.bool_]]:
    """Where each value lies in a sorted array, and whether it is there at all."""
    if not len(sorted_values):
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(sorted_values, values), len(sorted_values) - 1)
    return at, sorted_values[at] == values


@lru_cache(maxsize=64)
def open_index(path: Path) -> SealedIndex:
    """The artifact at a path; it never changes, so it is mapped once per process."""
    return SealedIndex(path)


class Holders(NamedTuple):
    """Which records have which hashes: (index into the hashes, record id), each pair once, sorted."""

    owners: I64
    ids: U64
    crowded: NDArray[np.bool_]
    """Per hash whether more records have it than were asked for; of these only the first ones are in the pairs."""


class ParentIndex:
    """All that is known of one parent type: this run's sealed records and those of the account's earlier runs."""

    def __init__(self, indexes: Sequence[SealedIndex]) -> None:
        # Oldest first: what one run put in the place of a record, a later one may have replaced again.
        self._indexes = sorted(indexes, key=lambda index: index.run)

    @property
    def is_empty(self) -> bool:
        """Whether no record of this type is anywhere in the account and session."""
        return not self._indexes

    @cached_property
    def wordless(self) -> Sequence[ParentIndex]:
        """Those of the runs whose names are not known word by word; mostly none."""
        return [ParentIndex([index]) for index in self._indexes if not index.has_name_words]

    def knows(self, hashes: U64) -> NDArray[np.bool_]:
        """Whether any record has the link key."""
        known = np.zeros(len(hashes), np.bool_)
        for index in self._indexes:
            known |= index.knows(hashes)
        return known

    def holds(self, hashes: U64, ids: U64) -> NDArray[np.bool_]:
        """Whether the record beside it has the link key, by what any run says of it."""
        runs = ids >> np.uint64(RECORD_SLOTS_BITS)
        slots = (ids & np.uint64((1 << RECORD_SLOTS_BITS) - 1)).astype(np.uint32)
        held = np.zeros(len(hashes), np.bool_)
        for index in self._indexes:
            own = np.flatnonzero(runs == index.run)
            held[own] |= index.holds(hashes[own], slots[own])
            # A later run may know more of a record: an index made before there were words has none.
            later, others = index.slots_of_existing(ids)
            held[later[index.holds(hashes[later], others)]] = True
        return held

    def holders(self, hashes: U64, most: int, listed: int) -> Holders:
        """Who has the hashes, 0 nobody; of a hash that more than `most` records have, over all runs, only the first
        `listed`."""
        crowded = np.zeros(len(hashes), np.bool_)
        owners, ids = _NONE, np.zeros(0, np.uint64)
        for index in self._indexes:
            found, left, right = index.ranges("link", hashes)
            crowded[found[right - left > most]] = True
            right = np.where(crowded[found], np.minimum(right, left + listed), right)
            at, places = expand(left, right)
            more = index.ids(index["link_slot"][places])
            owners, ids = self._joined([owners, found[at]], [ids, more])
            # Runs of the same records add nobody: records are counted, not entries.
            crowded |= np.bincount(owners, minlength=len(hashes)) > most
        if crowded.any():
            counts = np.bincount(owners, minlength=len(hashes))
            ranks = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
            kept = ~crowded[owners] | (ranks < listed)
            owners, ids = owners[kept], ids[kept]
        return Holders(owners, ids, crowded)

    def _joined(self, owners: Sequence[I64], ids: Sequence[U64]) -> tuple[I64, U64]:
        if not owners:
            return _NONE, np.zeros(0, np.uint64)
        every_owner, every_id = np.concatenate(owners), np.concatenate(ids)
        for index in self._indexes:
            every_id = index.replace(every_id)
        return distinct_pairs(every_owner, every_id)


def distinct_pairs(owners: I64, ids: U64) -> tuple[I64, U64]:
    """The pairs sorted, each once."""
    order = np.lexsort((ids, owners))
    owners, ids = owners[order], ids[order]
    keep = np.ones(len(owners), np.bool_)
    keep[1:] = (owners[1:] != owners[:-1]) | (ids[1:] != ids[:-1])
    return owners[keep], ids[keep]
