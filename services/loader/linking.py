"""Links: which record a reference means, by which method and how sure, or why nobody can say.

By source id, by number, then by name with evidence (e-mail, phone, street) among namesakes. Never a guess between
namesakes: what the evidence does not decide stays open with its candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.loader.link_methods import BY_NAME, CONFIDENCE, METHODS, WITH_EVIDENCE, Method
from services.loader.name_parts import Sought
from services.loader.name_search import CANDIDATES_MAX, HOLDERS_MAX, Similar, search
from services.loader.name_words import alike
from services.loader.sealed_index import ParentIndex, distinct_pairs
from shared.messages.batches import ReferenceColumn

Status = Literal["linked", "no_parent", "ambiguous", "unresolved"]


class Link(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One reference as it is kept in a record's `links`: settled, or open with what is needed to look again."""

    text: str
    status: Status = "linked"
    id: int | None = None
    method: Method | None = None
    confidence: float | None = None
    candidates: list[int] = []
    parent: str = ""
    by: int = 0
    exact: int = 0
    name: int = 0
    normalised: str = ""
    evidence: list[int] = []
    street: int = 0
    contacts: int | None = None


U64 = NDArray[np.uint64]
Links = dict[str, list[Link]]
"""Field -> its references, in the order of the source (one, or several where the field is `many`)."""


@dataclass
class Resolved:
    """The answers for one reference column: per entry the parent's id (0: open) and the method; the open ones apart."""

    column: ReferenceColumn
    ids: U64
    methods: NDArray[np.uint8]
    """Places in METHODS."""
    open: dict[int, tuple[Status, list[int]]]
    """Entry -> why it is open, and who it may be."""

    def reopen(self, entries: Iterable[int]) -> None:
        """Takes links back whose parent turned out not to be stored: they wait for it."""
        for i in entries:
            self.ids[i] = 0
            self.open[i] = ("no_parent", [])

    def link(self, i: int) -> Link:
        """One answer as it is kept."""
        if i in self.open:
            return _open(self.column, i, *self.open[i])
        method = METHODS[self.methods[i]]
        return Link(text=self.column.texts[i], id=int(self.ids[i]), method=method, confidence=CONFIDENCE[method])


def resolve(column: ReferenceColumn, index: ParentIndex) -> Resolved:
    """Answers a whole column at once; only what is not plain (namesakes, typing errors ...) is looked at one by one."""
    count = len(column.texts)
    answers = Resolved(column, np.zeros(count, np.uint64), np.zeros(count, np.uint8), {})
    if index.is_empty:
        answers.open = {i: ("unresolved", []) for i in range(count)}
        return answers
    by = np.frombuffer(column.by, "<u1")
    exact = _Named(index, np.where(by == BY_NAME, np.uint64(0), np.frombuffer(column.exact, "<u8")))
    names = _Named(index, np.frombuffer(column.names, "<u8"))
    evidence = _Evidence(index, column)
    is_plain = exact.counts == 1
    answers.ids[is_plain] = exact.first(is_plain)
    answers.methods[is_plain] = by[is_plain]
    one_name = (by == BY_NAME) & (names.counts == 1)
    candidates = np.zeros(count, np.uint64)
    candidates[one_name] = names.first(one_name)
    supported = np.zeros(count, np.bool_)
    supported[evidence.owners[evidence.ids == candidates[evidence.owners]]] = True
    by_name_alone = one_name & (evidence.counts == 0)
    for wanted, method in (
        (one_name & supported, "name_with_evidence"),
        (by_name_alone & ~evidence.has_unknown_contact, "name"),
        (by_name_alone & evidence.has_unknown_contact, "name_despite_contacts"),
    ):
        answers.ids[wanted] = candidates[wanted]
        answers.methods[wanted] = METHODS.index(method)
    rest = np.flatnonzero(answers.ids == 0)
    found = _search(column, index, _Found(exact, names, evidence), rest)
    for i in rest.tolist():
        _settle(answers, i, _resolve_one(i, int(by[i]), found))
    return answers


def _settle(answers: Resolved, i: int, answer: _Answer) -> None:
    if isinstance(answer, _Linked):
        answers.ids[i] = answer.id
        answers.methods[i] = METHODS.index(answer.method)
    else:
        answers.open[i] = (answer.status, answer.candidates)


class _Pairs:
    """Records found per entry, as pairs sorted by entry."""

    def __init__(self, owners: NDArray[np.int64], ids: U64, size: int) -> None:
        self.owners, self.ids = owners, ids
        self.counts = np.bincount(owners, minlength=size)
        self._starts = np.cumsum(self.counts) - self.counts

    def first(self, wanted: NDArray[np.bool_]) -> U64:
        """The first record of each wanted entry; each must have one."""
        chosen: U64 = self.ids[self._starts[wanted]]
        return chosen

    def of(self, entry: int) -> list[int]:
        """The records of one entry, ascending."""
        start = int(self._starts[entry])
        found: list[int] = self.ids[start : start + int(self.counts[entry])].tolist()
        return found


class _Named(_Pairs):
    """The records that have the hash of each entry; the first ones only where very many have it."""

    def __init__(self, index: ParentIndex, hashes: U64) -> None:
        self._index, self._hashes = index, hashes
        owners, ids, self._crowded = index.holders(hashes, HOLDERS_MAX, CANDIDATES_MAX)
        super().__init__(owners, ids, len(hashes))

    def among(self, entry: int, told: Iterable[int]) -> list[int]:
        """The same with those of `told` that are not listed because very many have the hash."""
        found = self.of(entry)
        if not self._crowded[entry]:
            return found
        more = np.array(sorted(told), np.uint64)
        held = self._index.holds(np.full(len(more), self._hashes[entry]), more)
        return sorted({*found, *more[held].tolist()})


class _Evidence(_Pairs):
    """The records that any further fact of an entry points to. What very many share points to nobody."""

    def __init__(self, index: ParentIndex, column: ReferenceColumn) -> None:
        count = len(column.evidence)
        sizes = np.fromiter(map(len, column.evidence), np.int64, count)
        hashes = np.fromiter(chain.from_iterable(column.evidence), np.uint64, int(sizes.sum()))
        entries = np.repeat(np.arange(count), sizes)
        holders = index.holders(hashes, HOLDERS_MAX, 0)
        few = ~holders.crowded[holders.owners]
        super().__init__(*distinct_pairs(entries[holders.owners[few]], holders.ids[few]), count)
        crowded = np.bincount(entries[holders.crowded], minlength=count)
        self.has_unknown_contact = (self.counts == 0) & (_contacts(column, sizes) > crowded)
        """The entry tells an e-mail or a phone, and it is nobody's."""


def _contacts(column: ReferenceColumn, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    if column.contacts:
        return np.frombuffer(column.contacts, "<u1").astype(np.int64)
    # An e-mail or a phone is two facts, alone and beside the name; a street is one. So is an id, which counts here.
    streets = np.frombuffer(column.streets, "<u8") != 0 if column.streets else np.zeros(len(sizes), np.bool_)
    found: NDArray[np.int64] = (sizes - streets) // 2
    return found


@dataclass(frozen=True)
class _Found:
    exact: _Named
    names: _Named
    evidence: _Evidence
    similar: Mapping[int, Similar] = field(default_factory=dict)
    """Entry -> records that nearly go by the name, and how nearly."""
    streets: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Entry -> records at the street; of those entries only that are not plain."""


class _Linked(NamedTuple):
    id: int
    method: Method


class _Open(NamedTuple):
    status: Status
    candidates: list[int]


_Answer = _Linked | _Open


def _search(column: ReferenceColumn, index: ParentIndex, found: _Found, entries: NDArray[np.int64]) -> _Found:
    """Adds to what was found who is called nearly so, and who lives at the street, for entries that are not plain."""
    streets = _at_streets(column, index, entries)
    sought = {i: _sought(column, i, found.evidence, streets) for i in entries.tolist() if column.normalised[i]}
    nameless = [one for i, one in sought.items() if column.by[i] == BY_NAME and not found.names.counts[i]]
    similar = search(nameless, index)
    for i, one in sought.items():
        if found.exact.counts[i] or found.names.counts[i]:
            continue
        # A last name and a street are not enough: families live there.
        is_told = found.evidence.counts[i] or " " in one.normalised
        known = similar.get(i) or Similar("similar_name", [])
        if is_told and not any(id_ in known.ids for id_ in one.told) and (like := alike(one, index)):
            others = [id_ for id_ in known.others if id_ not in like]
            similar[i] = Similar("similar_name", sorted({*known.ids, *like}), others=others)
    return replace(found, similar=similar, streets=streets)


def _sought(column: ReferenceColumn, i: int, evidence: _Evidence, streets: Mapping[int, frozenset[int]]) -> Sought:
    return Sought(
        entry=i,
        parent=column.parent,
        text=column.texts[i] if column.by[i] == BY_NAME else column.normalised[i],
        normalised=column.normalised[i],
        has_unknown_contact=bool(evidence.has_unknown_contact[i]),
        told=evidence.of(i) or sorted(streets.get(i, ())),
    )


def _at_streets(column: ReferenceColumn, index: ParentIndex, entries: NDArray[np.int64]) -> dict[int, frozenset[int]]:
    if not column.streets or not len(entries):
        return {}
    holders = index.holders(np.frombuffer(column.streets, "<u8")[entries], HOLDERS_MAX, 0)
    few = ~holders.crowded[holders.owners]
    found: dict[int, set[int]] = {}
    for i, id_ in zip(entries[holders.owners[few]].tolist(), holders.ids[few].tolist(), strict=True):
        found.setdefault(i, set()).add(id_)
    return {i: frozenset(ids) for i, ids in found.items()}


def _street(column: ReferenceColumn, i: int) -> int:
    return int.from_bytes(column.streets[8 * i : 8 * i + 8], "little")


def _resolve_one(i: int, by: int, found: _Found) -> _Answer:
    evidence = frozenset(found.evidence.of(i))
    street = found.streets.get(i, frozenset())
    names = found.names.among(i, evidence or street)
    similar = found.similar.get(i)
    if by != BY_NAME:
        if ids := found.exact.among(i, evidence):
            return _among(ids, evidence, METHODS[by])
        # An id that is nowhere: a name alone could mean another one of that name, so only evidence may decide.
        method: Method = "name" if names or similar is None else similar.method
        called = names or (similar.ids if similar else [])
        confirmed = [id_ for id_ in called if id_ in evidence]
        if len(confirmed) == 1:
            return _Linked(confirmed[0], WITH_EVIDENCE[method])
        return _Open("no_parent", confirmed)
    if names:
        return _by_name(Similar("name", names, names[0] if len(names) == 1 else None), evidence, street)
    if similar is not None:
        return _by_name(similar, evidence, street)
    # Nobody goes by the name. Somebody with that e-mail or phone is a candidate, no more: households share them.
    return _Open("ambiguous" if evidence else "no_parent", sorted(evidence))


def _by_name(called: Similar, evidence: frozenset[int], street: frozenset[int]) -> _Answer:
    """Among records that go by the name (exactly, nearly, or inside a longer text)."""
    # An e-mail or a phone that is known outweighs a street, where there may be work for somebody else.
    confirmed = [id_ for id_ in called.ids if id_ in (evidence or street)]
    if len(confirmed) == 1:
        return _Linked(confirmed[0], WITH_EVIDENCE[called.method])
    if called.safe is not None and not evidence:
        return _Linked(called.safe, called.method)
    # Namesakes, or a name that says one and an e-mail that says another.
    candidates = [*called.ids, *called.others]
    return _Open("ambiguous", [*candidates, *sorted(evidence.difference(candidates))])


def _among(ids: Sequence[int], evidence: frozenset[int], method: Method) -> _Answer:
    """Several records share the id, number, e-mail or phone: only evidence may decide."""
    confirmed = [id_ for id_ in ids if id_ in evidence]
    if len(confirmed) == 1:
        return _Linked(confirmed[0], method)
    return _Open("ambiguous", list(ids))


def _open(column: ReferenceColumn, i: int, status: Status, candidates: Sequence[int]) -> Link:
    return Link(
        text=column.texts[i],
        status=status,
        candidates=list(candidates[:CANDIDATES_MAX]),
        parent=column.parent,
        by=column.by[i],
        exact=int.from_bytes(column.exact[8 * i : 8 * i + 8], "little"),
        name=int.from_bytes(column.names[8 * i : 8 * i + 8], "little"),
        normalised=column.normalised[i],
        evidence=column.evidence[i],
        street=_street(column, i),
        contacts=column.contacts[i] if column.contacts else None,
    )


def reopened(field: str, links: Sequence[Link]) -> ReferenceColumn:
    """The column of open links, to be resolved again (all of one parent type)."""
    streets = b"".join(link.street.to_bytes(8, "little") for link in links)
    contacts = [link.contacts for link in links if link.contacts is not None]
    return ReferenceColumn(
        field=field,
        parent=links[0].parent,
        many=False,
        owner=np.arange(len(links), dtype="<u4").tobytes(),
        texts=[link.text for link in links],
        by=bytes(link.by for link in links),
        exact=b"".join(link.exact.to_bytes(8, "little") for link in links),
        names=b"".join(link.name.to_bytes(8, "little") for link in links),
        normalised=[link.normalised for link in links],
        evidence=[link.evidence for link in links],
        streets=streets if any(streets) else b"",
        contacts=bytes(contacts) if len(contacts) == len(links) else b"",
    )
