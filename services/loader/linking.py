"""Links: which record a reference means, by which method and how sure, or why nobody can say.

By source id, by number, then by name with evidence (e-mail, phone, street) among namesakes. Never a guess between
namesakes: what the evidence does not decide stays open with its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Literal, NamedTuple, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.loader.name_errors import misplaced_spaces, other_orders
from services.loader.sealed_index import ParentIndex
from shared.catalog.identity import LinkKind, core_name, hash_texts, near_hashes, salt_of
from shared.messages.batches import ReferenceColumn

Method = Literal[
    "source_id",
    "number",
    "name",
    "email",
    "phone",
    "row",
    "name_with_evidence",
    "similar_name",
    "similar_name_with_evidence",
    "name_in_text",
    "name_in_text_with_evidence",
]
Status = Literal["linked", "no_parent", "ambiguous", "unresolved"]

_Stages = tuple[tuple[Method, "Callable[[str, str], U64]"], ...]

METHODS: tuple[Method, ...] = get_args(Method)
"""The first six stand where `ReferenceColumn.by` has them."""
BY_NAME = METHODS.index("name")
CONFIDENCE: dict[str, float] = {
    "source_id": 1.0,
    "row": 1.0,
    "number": 0.99,
    "name_with_evidence": 0.98,
    "email": 0.95,
    "similar_name_with_evidence": 0.93,
    "name_in_text_with_evidence": 0.93,
    "name": 0.9,
    "phone": 0.85,
    "similar_name": 0.8,
    "name_in_text": 0.8,
}

# One letter off in a short name is another name (Lee and Les); in a longer one it is a slip of the hand.
_SIMILAR_LETTERS_MIN = 6
CANDIDATES_MAX = 20


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
    exact = _Pairs(index, np.where(by == BY_NAME, np.uint64(0), np.frombuffer(column.exact, "<u8")))
    names = _Pairs(index, np.frombuffer(column.names, "<u8"))
    evidence = _evidence(index, column.evidence)
    is_plain = exact.counts == 1
    answers.ids[is_plain] = exact.first(is_plain)
    answers.methods[is_plain] = by[is_plain]
    one_name = (by == BY_NAME) & (names.counts == 1)
    candidates = np.zeros(count, np.uint64)
    candidates[one_name] = names.first(one_name)
    supported = np.zeros(count, np.bool_)
    supported[evidence.owners[evidence.ids == candidates[evidence.owners]]] = True
    for wanted, method in (
        (one_name & supported, "name_with_evidence"),
        (one_name & (evidence.counts == 0), "name"),
    ):
        answers.ids[wanted] = candidates[wanted]
        answers.methods[wanted] = METHODS.index(method)
    rest = np.flatnonzero(answers.ids == 0)
    nameless = rest[(by[rest] == BY_NAME) & (names.counts[rest] == 0)].tolist()
    similar = _similar(column, nameless, index, _SIMILAR_STAGES)
    # Five times as dear as the other stages, and worth it only where an e-mail, a phone or a street may confirm it.
    supported_only = [i for i in nameless if i not in similar and evidence.counts[i]]
    similar |= _similar(column, supported_only, index, _REORDERED_STAGES)
    found = _Found(exact, names, evidence, similar)
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

    def __init__(self, index: ParentIndex, hashes: U64, entries: NDArray[np.int64] | None = None) -> None:
        """One hash per entry; with `entries` any number of hashes, each of the entry it names, entries ascending."""
        owners, ids = index.pairs(hashes)
        size = len(hashes)
        if entries is not None:
            owners, ids = _distinct(entries[owners], ids)
            size = int(entries[-1]) + 1 if len(entries) else 0
        self.owners, self.ids = owners, ids
        self.pad(size)

    def pad(self, size: int) -> None:
        """Counts for `size` entries: the last ones may have nothing."""
        self.counts = np.bincount(self.owners, minlength=size)
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


def _distinct(owners: NDArray[np.int64], ids: U64) -> tuple[NDArray[np.int64], U64]:
    order = np.lexsort((ids, owners))
    owners, ids = owners[order], ids[order]
    keep = np.ones(len(owners), np.bool_)
    keep[1:] = (owners[1:] != owners[:-1]) | (ids[1:] != ids[:-1])
    return owners[keep], ids[keep]


def _evidence(index: ParentIndex, evidence: Sequence[Sequence[int]]) -> _Pairs:
    """Entry -> records that any of its further facts points to."""
    sizes = np.fromiter(map(len, evidence), np.int64, len(evidence))
    hashes = np.fromiter(chain.from_iterable(evidence), np.uint64, int(sizes.sum()))
    pairs = _Pairs(index, hashes, np.repeat(np.arange(len(sizes)), sizes))
    pairs.pad(len(sizes))
    return pairs


@dataclass(frozen=True)
class _Found:
    exact: _Pairs
    names: _Pairs
    evidence: _Pairs
    similar: dict[int, tuple[Method, list[int]]]
    """Entry -> records that nearly go by the name, and how nearly."""


class _Linked(NamedTuple):
    id: int
    method: Method


class _Open(NamedTuple):
    status: Status
    candidates: list[int]


_Answer = _Linked | _Open


def _resolve_one(i: int, by: int, found: _Found) -> _Answer:
    evidence = frozenset(found.evidence.of(i))
    names = found.names.of(i)
    if by != BY_NAME:
        if ids := found.exact.of(i):
            return _among(ids, evidence, METHODS[by])
        # An id that is nowhere: a name alone could mean another one of that name, so only evidence may decide.
        confirmed = [id_ for id_ in names if id_ in evidence]
        if len(confirmed) == 1:
            return _Linked(confirmed[0], "name_with_evidence")
        return _Open("no_parent", confirmed)
    if names:
        return _by_name(names, evidence, "name")
    if i in found.similar:
        method, ids = found.similar[i]
        return _by_name(ids, evidence, method)
    # Nobody goes by the name. Somebody with that e-mail or phone is a candidate, no more: households share them.
    return _Open("ambiguous" if evidence else "no_parent", sorted(evidence))


def _by_name(ids: Sequence[int], evidence: frozenset[int], method: Method) -> _Answer:
    """Among records that go by the name (exactly, nearly, or inside a longer text)."""
    confirmed = [id_ for id_ in ids if id_ in evidence]
    if len(confirmed) == 1:
        return _Linked(confirmed[0], _WITH_EVIDENCE[method])
    if len(ids) == 1 and not evidence:
        return _Linked(ids[0], method)
    # Namesakes, or a name that says one and an e-mail that says another.
    return _Open("ambiguous", [*ids, *sorted(evidence - set(ids))])


_WITH_EVIDENCE: dict[Method, Method] = {
    "name": "name_with_evidence",
    "similar_name": "similar_name_with_evidence",
    "name_in_text": "name_in_text_with_evidence",
}


def _among(ids: Sequence[int], evidence: frozenset[int], method: Method) -> _Answer:
    """Several records share the id, number, e-mail or phone: only evidence may decide."""
    confirmed = [id_ for id_ in ids if id_ in evidence]
    if len(confirmed) == 1:
        return _Linked(confirmed[0], method)
    return _Open("ambiguous", list(ids))


def _similar(
    column: ReferenceColumn, entries: Sequence[int], index: ParentIndex, stages: _Stages
) -> dict[int, tuple[Method, list[int]]]:
    """Entries with records whose name is like theirs in the sense of one of the stages.

    All entries are looked up together, stage by stage; an entry is out of it with the first stage that finds any.
    """
    found: dict[int, tuple[Method, list[int]]] = {}
    for method, hashes_of in stages:
        asked = [
            (i, hashes)
            for i in entries
            if i not in found and len(hashes := hashes_of(column.parent, column.normalised[i]))
        ]
        if not asked:
            continue
        owners = np.repeat([i for i, _ in asked], [len(hashes) for _, hashes in asked])
        pairs = _Pairs(index, np.concatenate([hashes for _, hashes in asked]), owners)
        for i in np.unique(pairs.owners).tolist():
            found[i] = (method, pairs.of(i))
    return found


def _inside(parent: str, normalised: str) -> U64:
    """The name without the words of the trades, on either side."""
    core = core_name(normalised)
    return np.concatenate(
        [
            hash_texts([normalised, core], salt_of(parent, LinkKind.CORE_NAME)),
            hash_texts([core], salt_of(parent, LinkKind.NAME)),
        ]
    )


@lru_cache(maxsize=128)
def _near(parent: str, normalised: str) -> U64:
    if len(normalised) < _SIMILAR_LETTERS_MIN:
        return np.zeros(0, np.uint64)
    return near_hashes(normalised, salt_of(parent, LinkKind.NAME))


def _near_in_another_order(parent: str, normalised: str) -> U64:
    if len(normalised) < _SIMILAR_LETTERS_MIN:
        return np.zeros(0, np.uint64)
    salt = salt_of(parent, LinkKind.NAME)
    near = [near_hashes(order, salt) for order in other_orders(normalised)]
    return np.concatenate([*near, hash_texts(misplaced_spaces(normalised), salt)])


_SIMILAR_STAGES: _Stages = (
    ("name_in_text", _inside),
    ("similar_name", _near),
    ("similar_name", lambda parent, normalised: _near(parent, core_name(normalised))),
)
"""The name is inside the text ('Smith HVAC Repair'), else one letter away from it."""
_REORDERED_STAGES: _Stages = (("similar_name", _near_in_another_order),)


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
    )


def reopened(field: str, links: Sequence[Link]) -> ReferenceColumn:
    """The column of open links, to be resolved again (all of one parent type)."""
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
    )
