"""Finalizing: looks again at references that earlier runs left open, now that their parents may have arrived."""

from __future__ import annotations

from pathlib import Path

import msgspec
import zstandard

from services.loader.linking import Link, Links, reopened, resolve
from services.loader.sealed_index import ParentIndex, open_index


class FinalizeInput(msgspec.Struct, frozen=True, kw_only=True):
    """One page of records with open references; paths are those of immutable sealed indexes."""

    rows: list[tuple[int, str, bytes]]
    """(record id, entity type, links as JSON)."""
    parents: dict[str, list[str]]
    absent: list[int] = []


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose links changed."""

    id: int
    open: int
    links: bytes
    linked_ids: list[int]


class FinalizeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is written for one page."""

    updates: list[Settlement]
    counts: dict[str, int]
    """Entity type of the child -> links made."""
    audit: bytes


class LinkChange(msgspec.Struct, frozen=True, array_like=True):
    """A link that was made, with what stood there before: enough to take it back."""

    record: int
    field: str
    place: int
    before: Link
    after: int


def settle_page(encoded: bytes) -> bytes:
    """Worker entry: FinalizeInput in, FinalizeOutcome out, both MessagePack."""
    work = msgspec.msgpack.decode(encoded, type=FinalizeInput)
    return msgspec.msgpack.encode(_settle(work))


def _settle(work: FinalizeInput) -> FinalizeOutcome:
    absent = frozenset(work.absent)
    documents = {id_: msgspec.json.decode(links, type=Links) for id_, _, links in work.rows}
    entity_of = {id_: entity for id_, entity, _ in work.rows}
    waiting: dict[str, list[tuple[int, str, int, Link]]] = {}
    for id_, links in documents.items():
        for field, entries in links.items():
            for place, link in enumerate(entries):
                if link.id is None:
                    waiting.setdefault(link.parent, []).append((id_, field, place, link))
    changes: list[LinkChange] = []
    for parent, places in waiting.items():
        index = ParentIndex([open_index(Path(path)) for path in work.parents.get(parent, [])])
        answers = resolve(reopened("", [link for *_, link in places]), index)
        for i, (id_, field, place, before) in enumerate(places):
            after = answers.link(i)
            if after.id is None or after.id in absent:
                continue
            documents[id_][field][place] = after
            changes.append(LinkChange(id_, field, place, before, after.id))
    counts: dict[str, int] = {}
    linked: dict[int, list[int]] = {}
    for change in changes:
        counts[entity_of[change.record]] = counts.get(entity_of[change.record], 0) + 1
        linked.setdefault(change.record, []).append(change.after)
    updates = [
        Settlement(
            id=id_,
            open=sum(link.id is None for entries in documents[id_].values() for link in entries),
            links=msgspec.json.encode(documents[id_]),
            linked_ids=ids,
        )
        for id_, ids in sorted(linked.items())
    ]
    audit = zstandard.compress(msgspec.msgpack.encode(changes), 1) if changes else b""
    return FinalizeOutcome(updates=updates, counts=counts, audit=audit)
