"""What becomes of the records of one entity type in one batch: a pure decision over staged data and sealed indexes.

Runs in a worker process. Only files named by content hash are read, so the answer is the same whoever computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from services.loader.link_methods import CONFIDENCE, METHODS
from services.loader.linking import Resolved, resolve
from services.loader.sealed_index import (
    NATURAL_MATCH,
    SAME_CELLS,
    ParentIndex,
    find_sorted,
    open_index,
)
from shared.catalog import FieldType, load_catalog
from shared.connectors.destination import RecordRow
from shared.messages.batches import MappedStream, Problem, ReferenceColumn
from shared.messages.control import EntityCounts
from shared.messages.plan import RECORD_SLOTS_BITS, PlannedFile, PlannedStream, RunPlan


class SealManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a seal consists of; its address stands in every load command of the run."""

    run: int
    indexes: dict[str, str]
    """Entity type -> address of this run's sealed index."""
    earlier: dict[str, list[str]]
    """Entity type -> addresses of the account's earlier indexes, oldest first, as of the seal."""
    sources: list[tuple[int, int, str]] = []
    """(first id, last id, file name) of the records of the account's earlier runs: where a record came from."""


class LoadInput(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a plan depends on; paths are those of immutable files."""

    plan: str
    batch: int
    entity: str
    streams: list[bytes]
    """Encoded MappedStreams, as they were staged."""
    problems: bytes
    own: str
    """Path of the sealed index of `entity`."""
    parents: dict[str, list[str]]
    """Parent entity type -> paths of its indexes, this run's first."""
    sources: list[tuple[int, int, str]] = []
    """As in `SealManifest`."""
    absent: list[int] = []
    """Ids that the indexes name but the store does not hold: their references stay open."""


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is written: records, the counts (EntityCounts as JSON), problems and audit, encoded once."""

    records: list[RecordRow]
    linked_ids: list[int]
    counts: bytes
    problems: bytes
    problem_count: int
    audit: bytes


class AuditEntry(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """A record of the batch that was not created; all others of its staged streams were."""

    slot: int
    action: str
    """`skipped_duplicate`, `skipped_conflict`, `skipped_existing`."""
    other: int | None = None
    """The record it is a duplicate of."""


def plan_load(encoded: bytes) -> bytes:
    """Worker entry: LoadInput in, LoadOutcome out, both MessagePack."""
    work = msgspec.msgpack.decode(encoded, type=LoadInput)
    return msgspec.msgpack.encode(_Loading(work).outcome())


class _Loading:
    def __init__(self, work: LoadInput) -> None:
        self._work = work
        self._plan = _plan(work.plan)
        self._file = self._plan.file_of_batch(work.batch)
        self._own = open_index(Path(work.own))
        self._absent = frozenset(work.absent)
        self._warnings = _by_record(work.problems, work.entity)
        self._counts = _Counts()
        self._records: list[RecordRow] = []
        self._problems: list[Problem] = []
        self._audit: list[AuditEntry] = []
        self._linked: set[int] = set()

    def outcome(self) -> LoadOutcome:
        for encoded in self._work.streams:
            self._load_stream(msgspec.msgpack.decode(encoded, type=MappedStream))
        # Two slots of one entity type interleave by row; the store wants ascending ids.
        self._records.sort()
        return LoadOutcome(
            records=self._records,
            linked_ids=sorted(self._linked),
            counts=self._counts.encode(),
            problems=_compressed(self._problems),
            problem_count=len(self._problems),
            audit=_compressed(self._audit),
        )

    def _load_stream(self, stream: MappedStream) -> None:
        planned = next(s for s in self._file.streams if (s.entity, s.slot) == (stream.entity, stream.slot))
        numbers = np.frombuffer(stream.numbers, "<u4")
        slots = numbers.astype(np.uint64) + np.uint64(planned.first_slot)
        lines = np.frombuffer(stream.lines, "<u4").tolist()
        bodies: list[bytes] = msgspec.msgpack.decode(zstandard.decompress(stream.bodies), type=list[bytes])
        skipped = self._skip(stream, slots, numbers.tolist(), lines)
        self._warn_shared(stream, slots, numbers.tolist(), lines, skipped)
        self._count_money(stream, bodies, skipped)
        links, still_open = self._link(stream, skipped)
        ids = (np.uint64(self._plan.run << RECORD_SLOTS_BITS) | slots).tolist()
        rows = map(RecordRow._make, zip(ids, lines, still_open, links, bodies, strict=True))
        self._records.extend(compress(rows, [i not in skipped for i in range(stream.count)]))
        self._count_records(stream, numbers.tolist(), skipped)

    # ---- duplicates -------------------------------------------------------------------------------------------

    def _skip(
        self, stream: MappedStream, slots: NDArray[Any], numbers: Sequence[int], lines: Sequence[int]
    ) -> set[int]:
        skipped: set[int] = set()
        own = self._own
        at, lost = find_sorted(own["loser_slot"], slots)
        places = np.flatnonzero(lost)
        winner_ids = own.ids(own["loser_winner"][at[places]]).tolist()
        for i, winner_id in zip(places.tolist(), winner_ids, strict=True):
            winner, line, same = (int(own[name][at[i]]) for name in ("loser_winner", "loser_line", "loser_same"))
            skipped.add(i)
            self._say_skipped(stream, numbers[i], lines[i], winner, line, same == SAME_CELLS)
            action = "skipped_duplicate" if same == SAME_CELLS else "skipped_conflict"
            self._audit.append(AuditEntry(int(slots[i]), action, winner_id))
        at, known = find_sorted(own["existing_slot"], slots)
        for i in np.flatnonzero(known).tolist():
            if i in skipped:
                continue
            other, how = int(own["existing_id"][at[i]]), int(own["existing_how"][at[i]])
            skipped.add(i)
            self._say_existing(stream, numbers[i], lines[i], other, how)
            self._audit.append(AuditEntry(int(slots[i]), "skipped_existing", other))
        return skipped

    def _say_skipped(
        self, stream: MappedStream, number: int, line: int, winner: int, winner_line: int, same: bool
    ) -> None:
        where = f"row {winner_line} of {self._file_of_slot(winner).name}"
        label = load_catalog()[stream.entity].label.lower()
        message = (
            f"The same record as {where}; it was imported once."
            if same
            else f"It has the same key as {where} but other values; the first one was imported. "
            f"If both are real, give one of the {label} another id and upload this row again."
        )
        self._say("skipped", "duplicate" if same else "conflict", message, stream, number, line)

    def _say_existing(self, stream: MappedStream, number: int, line: int, other: int, how: int) -> None:
        file = next((name for first, last, name in self._work.sources if first <= other <= last), None)
        record = f"record {other}" + (f" from {file}" if file else "")
        message = {
            SAME_CELLS: f"It was imported before, as {record}; nothing was changed.",
            NATURAL_MATCH: f"It is the same as {record}, of another source; nothing was changed.",
        }.get(how, f"It was imported before, as {record}, with other values; the stored record was kept.")
        code = {SAME_CELLS: "existing", NATURAL_MATCH: "existing_match"}.get(how, "existing_conflict")
        self._say("skipped", code, message, stream, number, line)

    def _warn_shared(
        self,
        stream: MappedStream,
        slots: NDArray[Any],
        numbers: Sequence[int],
        lines: Sequence[int],
        skipped: set[int],
    ) -> None:
        at, shared = find_sorted(self._own["shared_slot"], slots)
        for i in np.flatnonzero(shared).tolist():
            if i in skipped:
                continue
            other, other_line = int(self._own["shared_other"][at[i]]), int(self._own["shared_line"][at[i]])
            file = self._file_of_slot(other).name
            message = (
                f"It looks like the record in row {other_line} of {file} (same details, another id). "
                "Both were imported; merge them if they are one."
            )
            problem = self._say("warning", "shared_natural_key", message, stream, numbers[i], lines[i])
            self._warnings.setdefault((numbers[i], stream.slot), []).append(problem)

    def _file_of_slot(self, slot: int) -> PlannedFile:
        return _file_of_slot(self._plan, slot)

    # ---- links ------------------------------------------------------------------------------------------------

    def _link(self, stream: MappedStream, skipped: set[int]) -> tuple[list[bytes | None], list[int]]:
        """Per record of the stream its links as JSON (None without any), and how many of them are open."""
        parts: list[list[str]] = [[] for _ in range(stream.count)]
        still_open = [0] * stream.count
        for column in msgspec.msgpack.decode(zstandard.decompress(stream.references), type=list[ReferenceColumn]):
            index = _parent_index(tuple(self._work.parents.get(column.parent, ())))
            answers = resolve(column, index)
            owners = np.frombuffer(column.owner, "<u4")
            self._take_back(answers)
            counted = ~np.isin(owners, np.fromiter(skipped, np.uint32)) if skipped else np.ones(len(owners), np.bool_)
            self._counts.count_references(answers, counted)
            self._linked.update(answers.ids[counted & (answers.ids != 0)].tolist())
            for i in answers.open:
                still_open[owners[i]] += 1
            for owner, links in _texts_by_owner(answers, owners.tolist()):
                parts[owner].append(f'"{column.field}":[{links}]')
        encoded = [f"{{{','.join(part)}}}".encode() if part else None for part in parts]
        return encoded, still_open

    def _take_back(self, answers: Resolved) -> None:
        """The index knows these parents, but their batch was given up: the references wait for them."""
        if self._absent:
            answers.reopen(i for i, id_ in enumerate(answers.ids.tolist()) if id_ in self._absent)

    # ---- counts -----------------------------------------------------------------------------------------------

    def _count_records(self, stream: MappedStream, numbers: Sequence[int], skipped: set[int]) -> None:
        self._counts.skipped += len(skipped)
        self._counts.imported += stream.count - len(skipped)
        for i, number in enumerate(numbers):
            if i not in skipped and (found := self._warnings.get((number, stream.slot))):
                self._counts.warnings += 1
                self._problems.extend(found)

    def _count_money(self, stream: MappedStream, bodies: Sequence[bytes], skipped: set[int]) -> None:
        for field, total in stream.money.items():
            self._counts.money[field] = self._counts.money.get(field, 0) + total
        fields = [f.name for f in load_catalog()[stream.entity].fields.values() if f.type is FieldType.MONEY]
        for i in skipped:
            body = msgspec.json.decode(bodies[i])
            for field in fields:
                if isinstance(amount := body.get(field), int):
                    self._counts.money[field] -= amount
                    self._counts.left_out[field] = self._counts.left_out.get(field, 0) + amount

    def _say(self, severity: Any, code: str, message: str, stream: MappedStream, number: int, line: int) -> Problem:
        problem = Problem(
            severity=severity,
            code=code,
            message=message,
            record=number,
            line=line,
            entity=stream.entity,
            slot=stream.slot,
        )
        if severity == "skipped":
            self._problems.append(problem)
        return problem


class _Counts:
    """Sums of one load."""

    def __init__(self) -> None:
        self.imported = self.skipped = self.warnings = 0
        self.references = self.linked = self.pending = self.unresolved = 0
        self.money: dict[str, int] = {}
        self.left_out: dict[str, int] = {}

    def count_references(self, answers: Resolved, counted: NDArray[np.bool_]) -> None:
        total, linked = int(counted.sum()), int((counted & (answers.ids != 0)).sum())
        self.references += total
        self.linked += linked
        self.pending += total - linked
        self.unresolved += sum(status == "unresolved" and bool(counted[i]) for i, (status, _) in answers.open.items())

    def encode(self) -> bytes:
        return (
            EntityCounts(
                imported=self.imported,
                skipped=self.skipped,
                warnings=self.warnings,
                references=self.references,
                linked=self.linked,
                pending=self.pending,
                unresolved=self.unresolved,
                money=self.money,
                money_left_out=self.left_out,
            )
            .model_dump_json()
            .encode()
        )


def _texts_by_owner(answers: Resolved, owners: Sequence[int]) -> Iterator[tuple[int, str]]:
    """(record, its links as JSON texts joined by commas): one per record with any, in order.

    Settled links are written as text: a third of the cost of building and encoding an object for each.
    """
    endings = [f',"method":"{method}","confidence":{CONFIDENCE[method]}}}' for method in METHODS]
    texts = [
        f'{{"text":{quoted(text)},"id":{id_}{endings[method]}'
        for text, id_, method in zip(answers.column.texts, answers.ids.tolist(), answers.methods.tolist(), strict=True)
    ]
    for i in answers.open:
        texts[i] = msgspec.json.encode(answers.link(i)).decode()
    if not answers.column.many:
        return zip(owners, texts, strict=True)
    grouped: dict[int, list[str]] = {}
    for owner, text in zip(owners, texts, strict=True):
        grouped.setdefault(owner, []).append(text)
    return ((owner, ",".join(links)) for owner, links in grouped.items())


def _by_record(problems: bytes, entity: str) -> dict[tuple[int, int], list[Problem]]:
    """(record number, slot) -> the mapper's warnings about that record."""
    found: dict[tuple[int, int], list[Problem]] = {}
    for problem in decompressed(problems):
        if problem.entity == entity and problem.severity == "warning":
            found.setdefault((problem.record, problem.slot), []).append(problem)
    return found


def decompressed(problems: bytes) -> list[Problem]:
    """The problems of a message; none for an empty body."""
    return msgspec.msgpack.decode(zstandard.decompress(problems), type=list[Problem]) if problems else []


def _compressed(items: Sequence[msgspec.Struct]) -> bytes:
    return zstandard.compress(msgspec.msgpack.encode(items), 1) if items else b""


def _streams_by_slot(plan: RunPlan) -> Iterator[tuple[PlannedFile, PlannedStream]]:
    for file in plan.files:
        for stream in file.streams:
            yield file, stream


def _file_of_slot(plan: RunPlan, slot: int) -> PlannedFile:
    for file, stream in _streams_by_slot(plan):
        if stream.first_slot <= slot < stream.first_slot + file.records:
            return file
    raise IndexError(f"run {plan.run} has no record slot {slot}")


_PLANS: dict[str, RunPlan] = {}


def _plan(path: str) -> RunPlan:
    """Plans are immutable and few; only the latest is kept, since runs of one account follow one another."""
    if path not in _PLANS:
        _PLANS.clear()
        _PLANS[path] = RunPlan.decode(Path(path).read_bytes())
    return _PLANS[path]


def _parent_index(paths: tuple[str, ...]) -> ParentIndex:
    return ParentIndex([index for path in paths if len((index := open_index(Path(path)))["link_hash"])])
