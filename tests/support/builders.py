"""Small makers of what travels between the services: plans, staged streams, references, sealed indexes.

Only what a test is about is given; the rest is plain. Texts are normalised and hashed as the mapper does it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import zstandard

from services.loader.sealed_index import SealedIndex
from services.loader.sealing import seal_entity
from shared.catalog.identity import (
    SEPARATOR,
    KeyedBy,
    LinkKind,
    content_hashes,
    key_scope,
    link_keys,
    natural_hashes,
    normalise_name,
    normalise_street,
    record_keys,
)
from shared.catalog.name_forms import name_forms
from shared.messages.batches import MappedBatch, MappedStream, Problem, ReferenceColumn
from shared.messages.landing import LandedFile, Reading, Span
from shared.messages.mapping import FileMapping, MappingDocument, RecordMapping
from shared.messages.plan import PlannedFile, PlannedStream, RunKind, RunPlan
from shared.storage.staging import StagedKeys

LABEL = "files"
_ENTRY = np.dtype([("hash", "<u8"), ("index", "<u4")])
_KINDS = {
    "source_id": LinkKind.SOURCE_ID, "number": LinkKind.NUMBER, "name": LinkKind.NAME, "email": LinkKind.EMAIL,
    "phone": LinkKind.PHONE, "row": LinkKind.ROW,
}  # fmt: skip
_BESIDE_A_NAME = {"email": LinkKind.NAME_EMAIL, "phone": LinkKind.NAME_PHONE, "street": LinkKind.NAME_STREET}

# ---- plans ------------------------------------------------------------------------------------------------------


def spans_of(sizes: Sequence[int]) -> tuple[Span, ...]:
    """One span per batch of that many records, one record a line behind a header row."""
    firsts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(
        Span(first_record=first, records=size, line=first + 2, position=first, length=size)
        for first, size in zip(firsts, sizes, strict=True)
    )


def reading(*headers: str) -> Reading:
    """How a plain CSV file is read."""
    return Reading(encoding="utf-8", delimiter=",", header_line=1, headers=headers or ("ID", "Name"))


@dataclass(frozen=True)
class File:
    """A file of a plan: its batches' sizes, and the (entity type, slot) streams it makes, the first one primary."""

    name: str
    batches: Sequence[int]
    entities: Sequence[str | tuple[str, int]] = ("customers",)
    sha256: str | None = None
    """Made from the name where it is not given."""

    @property
    def content(self) -> str:
        return self.sha256 or hashlib.sha256(self.name.encode()).hexdigest()


def make_plan(
    *files: File,
    run: int = 1,
    label: str = LABEL,
    kind: RunKind = "import",
    only_batches: tuple[int, ...] | None = None,
    account: str = "main",
    session: str = "s1",
) -> RunPlan:
    """A frozen plan over files in this order."""
    planned: list[PlannedFile] = []
    slot = batch = 0
    for rank, file in enumerate(files):
        records = sum(file.batches)
        streams = []
        for order, named in enumerate(file.entities):
            entity, own_slot = (named, 0) if isinstance(named, str) else named
            streams.append(
                PlannedStream(entity=entity, slot=own_slot, primary=order == 0, first_slot=slot, order=order)
            )
            slot += records
        planned.append(
            PlannedFile(
                rank=rank,
                name=file.name,
                sha256=file.content,
                records=records,
                reading=reading(),
                spans=spans_of(file.batches),
                first_batch=batch,
                mapping=b"{}",
                streams=tuple(streams),
            )
        )
        batch += len(file.batches)
    return RunPlan(
        account=account,
        session=session,
        run=run,
        kind=kind,
        catalog_version=1,
        source_label=label,
        region="US",
        strict=False,
        files=tuple(planned),
        batches=batch,
        only_batches=only_batches,
    )


def landed(file: File) -> tuple[str, LandedFile]:
    """(name, index) of a landed file, as ingest hands them to planning."""
    records = sum(file.batches)
    index = LandedFile(
        sha256=file.content,
        size_bytes=records,
        reading=reading(),
        records=records,
        spans=spans_of(file.batches),
        left_out=(),
        left_out_total=0,
        blank_lines=0,
    )
    return file.name, index


def mapping_of(*files: File, label: str = LABEL) -> MappingDocument:
    """An approved mapping of these files; a file without entity types is left out."""
    return MappingDocument(
        source_label=label,
        files=tuple(
            FileMapping(
                file=file.name,
                sha256=file.content,
                headers=reading().headers,
                records=tuple(
                    RecordMapping(
                        entity=named if isinstance(named, str) else named[0],
                        slot=0 if isinstance(named, str) else named[1],
                        primary=order == 0,
                        fields=(),
                    )
                    for order, named in enumerate(file.entities)
                ),
            )
            for file in files
        ),
    )


# ---- records and references -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """One valid record of a staged stream. Records with an equal `key` are the same one; `cells` is what it says."""

    key: str
    cells: str = ""
    naturals: Sequence[str] = ()
    links: Sequence[tuple[LinkKind, str]] = ()
    keyed_by: KeyedBy = KeyedBy.SOURCE_ID
    body: Mapping[str, Any] = field(default_factory=dict)


def customer(
    id: str,
    name: str = "",
    *,
    email: str = "",
    phone: str = "",
    street: str = "",
    keyed_by: KeyedBy = KeyedBy.SOURCE_ID,
    **body: Any,
) -> Given:
    """A customer who can be found by id, name, e-mail, phone and street, and is the same as others of that e-mail."""
    normal = normalise_name(name)
    facts = {"email": email, "phone": phone, "street": normalise_street(street)}
    links = [
        (LinkKind.SOURCE_ID, id),
        *((LinkKind.NAME, called) for called in dict.fromkeys((normal, name_forms(name).plain))),
        *((LinkKind.CORE_NAME, form) for form in name_forms(name).shorter),
        *((LinkKind.NAME_WORD, word) for word in normal.split()),
        *((_BESIDE_A_NAME[kind], f"{normal}{SEPARATOR}{fact}") for kind, fact in facts.items() if normal and fact),
        (LinkKind.EMAIL, email),
        (LinkKind.PHONE, phone),
        (LinkKind.STREET, normalise_street(street)),
    ]
    return Given(
        key=id,
        cells="|".join([id, name, email, phone, street, *map(str, body.values())]),
        naturals=[email] if email else [],
        links=[(kind, text) for kind, text in links if text],
        keyed_by=keyed_by,
        body={"source_id": id, "name": name, **body},
    )


def job(id: str, **body: Any) -> Given:
    """A job known by its id alone."""
    return Given(id, "|".join([id, *map(str, body.values())]), links=[(LinkKind.SOURCE_ID, id)], body=body)


@dataclass(frozen=True)
class Named:
    """How one entry of a reference column names its parent, and what else its row says about the parent."""

    text: str
    by: Literal["source_id", "number", "name", "email", "phone", "row"] = "name"
    name: str = ""
    email: str = ""
    phone: str = ""
    street: str = ""
    owner: int | None = None
    """The child's place in its stream; its own place in the column where it is not given."""


def reference(field: str, parent: str, *named: Named, many: bool = False, label: str = LABEL) -> ReferenceColumn:
    """A reference column with one entry per named parent."""
    names = [normalise_name(entry.text if entry.by == "name" else entry.name) for entry in named]
    streets = [normalise_street(entry.street) for entry in named]
    return ReferenceColumn(
        field=field,
        parent=parent,
        many=many,
        owner=_u32([i if entry.owner is None else entry.owner for i, entry in enumerate(named)]),
        texts=[entry.text for entry in named],
        by=bytes(list(_KINDS).index(entry.by) for entry in named),
        exact=b"".join(
            link_keys(parent, _KINDS[entry.by], [name if entry.by == "name" else entry.text], label).tobytes()
            for entry, name in zip(named, names, strict=True)
        ),
        names=link_keys(parent, LinkKind.NAME, names).tobytes(),
        normalised=names,
        evidence=[_evidence(parent, name, entry) for name, entry in zip(names, named, strict=True)],
        streets=link_keys(parent, LinkKind.STREET, streets).tobytes() if any(streets) else b"",
        contacts=bytes(bool(entry.email) + bool(entry.phone) for entry in named),
    )


def _evidence(parent: str, name: str, entry: Named) -> list[int]:
    facts = {"email": entry.email, "phone": entry.phone, "street": normalise_street(entry.street)}
    alone = [(_KINDS[kind], fact) for kind, fact in facts.items() if kind in _KINDS]
    # What the reference names its parent by is evidence beside the name only: alone it is its exact key.
    facts |= {entry.by: entry.text} if entry.by in facts else {}
    beside = [
        (_BESIDE_A_NAME[kind], f"{name}{SEPARATOR}{fact}" if name and fact else "") for kind, fact in facts.items()
    ]
    return [int(link_keys(parent, kind, [text])[0]) for kind, text in (*beside, *alone) if text]


# ---- staged streams ---------------------------------------------------------------------------------------------


def stream_of(
    entity: str,
    *records: Given,
    first: int = 0,
    slot: int = 0,
    primary: bool = True,
    label: str = LABEL,
    references: Sequence[ReferenceColumn] = (),
    money: Mapping[str, int] | None = None,
) -> MappedStream:
    """The records of one stream in one batch; the first one has the number `first` in its file."""
    numbers = list(range(first, first + len(records)))
    links = [
        (int(link_keys(entity, kind, [text], label)[0]), i) for i, r in enumerate(records) for kind, text in r.links
    ]
    naturals = [
        (int(natural_hashes(entity, ("email",), [text])[0]), i) for i, r in enumerate(records) for text in r.naturals
    ]
    return MappedStream(
        entity=entity,
        slot=slot,
        primary=primary,
        count=len(records),
        numbers=_u32(numbers),
        lines=_u32([number + 2 for number in numbers]),
        keys=b"".join(record_keys(key_scope(label, entity, r.keyed_by), [r.key]) for r in records),
        contents=content_hashes([r.cells for r in records]),
        keyed_by=bytes(r.keyed_by for r in records),
        naturals=np.array(naturals, _ENTRY).tobytes(),
        link_keys=np.array(links, _ENTRY).tobytes(),
        warned=bytes(len(records)),
        bodies=packed([msgspec.json.encode(r.body) for r in records]),
        references=packed(list(references)),
        money=dict(money or {}),
    )


def mapped_batch(
    plan: RunPlan,
    batch: int,
    *streams: MappedStream,
    errored: Mapping[str, int] | None = None,
    problems: Sequence[Problem] = (),
    given_up: str | None = None,
) -> MappedBatch:
    """What the mapper says of one batch."""
    return MappedBatch(
        account=plan.account,
        session=plan.session,
        run=plan.run,
        batch=batch,
        file=plan.file_of_batch(batch).rank,
        plan="plan",
        given_up=given_up,
        streams=list(streams),
        errored=dict(errored or {}),
        money_errored={},
        problems=packed(list(problems)),
    )


def packed(items: Sequence[Any]) -> bytes:
    """As lists travel inside messages: zstd of MessagePack."""
    return zstandard.compress(msgspec.msgpack.encode(items), 1)


def _u32(values: Sequence[int]) -> bytes:
    return np.array(values, "<u4").tobytes()


# ---- sealed indexes ---------------------------------------------------------------------------------------------

Batches = Mapping[int, Sequence[MappedStream]]
"""Batch -> its staged streams."""


def all_stored(ids: Sequence[int]) -> set[int]:
    """A store that holds every record it is asked for."""
    return set(ids)


def seal(
    folder: Path,
    plan: RunPlan,
    batches: Batches,
    entity: str = "customers",
    *,
    earlier: Sequence[Path] = (),
    stored: Callable[[Sequence[int]], set[int]] = all_stored,
) -> Path:
    """The sealed index of one entity type, in a folder of its own; batches are read in the order they are given."""

    def reader() -> Iterator[StagedKeys]:
        for batch, streams in batches.items():
            for s in streams:
                if s.entity == entity:
                    yield StagedKeys(
                        batch, s.slot, s.count, s.numbers, s.lines, s.keys, s.contents, s.keyed_by, s.naturals,
                        s.link_keys,
                    )  # fmt: skip

    scratch = Path(tempfile.mkdtemp(dir=folder))
    return seal_entity(reader, plan, entity, [SealedIndex(path) for path in earlier], stored, scratch)
