"""The seal: merges the keys of all staged records of one entity type into an immutable artifact.

Winners depend on content, never on timing: among records with the same key the one with the smallest rank (file rank,
record number, place in the row) wins. Memory is bounded: the hash range is cut into parts, and each part is collected,
sorted and written before the next one is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.loader.sealed_index import (
    ARRAYS,
    NATURAL_MATCH,
    OTHER_CELLS,
    SAME_CELLS,
    SealedIndex,
    find_sorted,
    write_index,
)
from shared.catalog.identity import KeyedBy
from shared.messages.plan import PlannedStream, RunPlan
from shared.storage.staging import KeysReader, StagedKeys

# 65,536 entries of at most 45 bytes are sorted at a time: 3 MB, and the temporaries of a sort. Above 4 million entries
# the parts grow instead of their number, since each part reads all staged keys once.
PART_ENTRIES_MIN = 1 << 16
PARTS_MAX = 64

Arrays = dict[str, NDArray[Any]]
Stored = Callable[[Sequence[int]], set[int]]
"""Which of these record ids are really stored (a cancelled run leaves keys without records)."""


def seal_entity(
    reader: KeysReader, plan: RunPlan, entity: str, earlier: Sequence[SealedIndex], stored: Stored, scratch: Path
) -> Path:
    """Writes the artifact of one entity type into the folder `scratch` and returns its path."""
    return _Seal(reader, plan, entity, earlier, stored, scratch).write()


class _Seal:
    def __init__(
        self,
        reader: KeysReader,
        plan: RunPlan,
        entity: str,
        earlier: Sequence[SealedIndex],
        stored: Stored,
        scratch: Path,
    ) -> None:
        self._reader = reader
        self._plan = plan
        self._entity = entity
        self._earlier = earlier
        self._stored = stored
        self._scratch = scratch
        self._streams = {
            (file.rank, stream.slot): stream
            for file in plan.files
            for stream in file.streams
            if stream.entity == entity
        }
        self._parts: dict[str, Path] = {}

    def write(self) -> Path:
        totals = self._totals()
        losers = self._seal_keys(totals["keys"])
        self._losers = losers
        self._seal_naturals(totals["naturals"])
        self._write_existing()
        self._seal_links(totals["links"])
        path = self._scratch / f"{self._entity}.seal"
        write_index(path, run=self._plan.run, entity=self._entity, label=self._plan.source_label, parts=self._parts)
        for part in self._parts.values():
            part.unlink()
        return path

    # ---- reading ----------------------------------------------------------------------------------------------

    def _totals(self) -> dict[str, int]:
        keys = naturals = links = 0
        for staged in self._reader():
            keys += staged.count
            naturals += len(staged.naturals) // _ENTRY.itemsize
            links += len(staged.link_keys) // _ENTRY.itemsize
        return {"keys": keys, "naturals": naturals, "links": links}

    def _stream(self, staged: StagedKeys) -> tuple[int, PlannedStream]:
        file = self._plan.file_of_batch(staged.batch)
        return file.rank, self._streams[file.rank, staged.slot]

    def _key_part(self, low: int, high: int) -> Arrays:
        """All keys whose upper half lies in [low, high], with what decides about them."""
        found: list[Arrays] = []
        for staged in self._reader():
            keys = np.frombuffer(staged.keys, "<u8").reshape(-1, 2)
            mask = _between(keys[:, 0], low, high)
            if not mask.any():
                continue
            file_rank, stream = self._stream(staged)
            numbers = np.frombuffer(staged.numbers, "<u4")[mask]
            found.append(
                {
                    "high": keys[mask, 0],
                    "low": keys[mask, 1],
                    "content": np.frombuffer(staged.contents, "<u8")[mask],
                    "slot": (numbers.astype(np.uint64) + np.uint64(stream.first_slot)).astype("<u4"),
                    "rank": _ranks(file_rank, stream, numbers),
                    "line": np.frombuffer(staged.lines, "<u4")[mask],
                }
            )
        return _joined(found, ("high", "low", "content", "slot", "rank", "line"))

    def _entry_part(self, column: str, low: int, high: int) -> Arrays:
        """All (hash, record) entries of `naturals` or `link_keys` whose hash lies in [low, high]."""
        found: list[Arrays] = []
        for staged in self._reader():
            entries = np.frombuffer(getattr(staged, column), _ENTRY)
            entries = entries[_between(entries["hash"], low, high)]
            if not len(entries):
                continue
            index = entries["index"]
            _, stream = self._stream(staged)
            numbers = np.frombuffer(staged.numbers, "<u4")[index]
            found.append(
                {
                    "hash": entries["hash"],
                    "slot": (numbers.astype(np.uint64) + np.uint64(stream.first_slot)).astype("<u4"),
                    "line": np.frombuffer(staged.lines, "<u4")[index],
                    "keyed_by": np.frombuffer(staged.keyed_by, "<u1")[index],
                }
            )
        return _joined(found, ("hash", "slot", "line", "keyed_by"))

    # ---- deciding ---------------------------------------------------------------------------------------------

    def _seal_keys(self, total: int) -> Arrays:
        losers: list[Arrays] = []
        self._existing: list[Arrays] = []
        for low, high in _parts(total):
            part = self._key_part(low, high)
            order = np.lexsort((part["rank"], part["low"], part["high"]))
            part = {name: values[order] for name, values in part.items()}
            first = _first_of_group(part["high"], part["low"])
            place = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
            lost = ~first
            winner = place[lost]
            losers.append(
                {
                    "loser_slot": part["slot"][lost],
                    "loser_winner": part["slot"][winner],
                    "loser_line": part["line"][winner],
                    "loser_same": np.where(part["content"][lost] == part["content"][winner], SAME_CELLS, OTHER_CELLS),
                }
            )
            self._append("key_high", part["high"][first])
            self._append("key_low", part["low"][first])
            self._append("key_content", part["content"][first])
            self._append("key_slot", part["slot"][first])
            self._find_existing_keys({name: values[first] for name, values in part.items()})
        joined = _sorted_by(_joined(losers, ("loser_slot", "loser_winner", "loser_line", "loser_same")), "loser_slot")
        for name, values in joined.items():
            self._append(name, values)
        return joined

    def _find_existing_keys(self, part: Arrays) -> None:
        for index in self._earlier:
            at, hit = index.by_key(part["high"], part["low"])
            if not hit.any():
                continue
            same = index["key_content"][at[hit]] == part["content"][hit]
            self._existing.append(
                {
                    "existing_slot": part["slot"][hit],
                    "existing_id": index.ids(index["key_slot"][at[hit]]),
                    "existing_how": np.where(same, SAME_CELLS, OTHER_CELLS),
                }
            )

    def _seal_naturals(self, total: int) -> None:
        shared: list[Arrays] = []
        for low, high in _parts(total):
            part = self._entry_part("naturals", low, high)
            _, lost = find_sorted(self._losers["loser_slot"], part["slot"])
            part = {name: values[~lost] for name, values in part.items()}
            order = np.lexsort((part["slot"], part["hash"]))
            part = {name: values[order] for name, values in part.items()}
            once = _first_of_group(part["hash"], part["slot"])
            part = {name: values[once] for name, values in part.items()}
            first = _first_of_group(part["hash"])
            place = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
            later = ~first
            shared.append(
                {
                    "shared_slot": part["slot"][later],
                    "shared_other": part["slot"][place[later]],
                    "shared_line": part["line"][place[later]],
                }
            )
            self._append("natural_hash", part["hash"])
            self._append("natural_slot", part["slot"])
            self._find_existing_naturals(part)
        joined = _sorted_by(_joined(shared, ("shared_slot", "shared_other", "shared_line")), "shared_slot")
        once = _first_of_group(joined["shared_slot"])
        for name, values in joined.items():
            self._append(name, values[once])

    def _find_existing_naturals(self, part: Arrays) -> None:
        """A full natural key decides across namespaces, and where a record has no source id of its own."""
        for index in self._earlier:
            if index.label == self._plan.source_label:
                asked = part["keyed_by"] != KeyedBy.SOURCE_ID
            else:
                asked = np.ones(len(part["hash"]), np.bool_)
            owners, ids = index.pairs("natural", np.where(asked, part["hash"], np.uint64(0)))
            self._existing.append(
                {
                    "existing_slot": part["slot"][owners],
                    "existing_id": ids,
                    "existing_how": np.full(len(ids), NATURAL_MATCH),
                }
            )

    def _write_existing(self) -> None:
        """Of several matches the one by key and the oldest record win; matches that were never stored do not count."""
        found = _joined(self._existing, ("existing_slot", "existing_id", "existing_how"))
        ids = found["existing_id"].tolist()
        stored = self._stored(sorted(set(ids))) if ids else set()
        is_stored = np.fromiter((id_ in stored for id_ in ids), np.bool_, len(ids))
        self._write_replaced({name: values[~is_stored] for name, values in found.items()})
        found = {name: values[is_stored] for name, values in found.items()}
        order = np.lexsort((found["existing_id"], found["existing_how"] == NATURAL_MATCH, found["existing_slot"]))
        found = {name: values[order] for name, values in found.items()}
        once = _first_of_group(found["existing_slot"])
        for name, values in found.items():
            self._append(name, values[once])

    def _write_replaced(self, absent: Arrays) -> None:
        """Whom earlier runs sealed and did not store (cancelled, given up) is no namesake of himself in this run."""
        order = np.lexsort((absent["existing_slot"], absent["existing_how"] == NATURAL_MATCH, absent["existing_id"]))
        ids, slots = absent["existing_id"][order], absent["existing_slot"][order]
        once = _first_of_group(ids)
        self._append("replaced_id", ids[once])
        self._append("replaced_slot", slots[once])

    def _seal_links(self, total: int) -> None:
        for low, high in _parts(total):
            part = self._entry_part("link_keys", low, high)
            slots = part["slot"].copy()
            at, lost = find_sorted(self._losers["loser_slot"], slots)
            slots[lost] = self._losers["loser_winner"][at[lost]]
            order = np.lexsort((slots, part["hash"]))
            hashes, slots = part["hash"][order], slots[order]
            once = _first_of_group(hashes, slots)
            self._append("link_hash", hashes[once])
            self._append("link_slot", slots[once])

    def _append(self, name: str, values: NDArray[Any]) -> None:
        path = self._parts.setdefault(name, self._scratch / f"{self._entity}.{name}")
        with path.open("ab") as file:
            file.write(values.astype(ARRAYS[name], copy=False).tobytes())


_ENTRY = np.dtype([("hash", "<u8"), ("index", "<u4")])
_EMPTY: dict[str, str] = {
    "high": "<u8", "low": "<u8", "content": "<u8", "rank": "<u8", "slot": "<u4", "line": "<u4", "hash": "<u8",
    "keyed_by": "<u1", **ARRAYS,
}  # fmt: skip


def _ranks(file_rank: int, stream: PlannedStream, numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """file rank (16 bits), record number (40 bits), place in the row (8 bits)."""
    return np.uint64(file_rank << 48 | stream.order) + (numbers.astype(np.uint64) << np.uint64(8))


def _parts(total: int) -> Iterator[tuple[int, int]]:
    """Equal parts of the hash range as inclusive bounds; hashes are spread evenly, so the parts are of one size."""
    count = min(PARTS_MAX, -(-total // PART_ENTRIES_MIN))
    for i in range(count):
        yield (i << 64) // count, ((i + 1) << 64) // count - 1


def _between(values: NDArray[Any], low: int, high: int) -> NDArray[np.bool_]:
    return (values >= np.uint64(low)) & (values <= np.uint64(high))


def _first_of_group(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Marks each item that differs from the one before it in any of the (sorted) columns."""
    first = np.ones(len(columns[0]), np.bool_)
    if len(first) > 1:
        first[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return first


def _joined(parts: Sequence[Arrays], names: Sequence[str]) -> Arrays:
    return {
        name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0, _EMPTY[name]) for name in names
    }


def _sorted_by(arrays: Arrays, name: str) -> Arrays:
    order = np.argsort(arrays[name], kind="stable")
    return {key: values[order] for key, values in arrays.items()}
