"""Links: which record a reference means, by which method and how sure, or why nobody can say.

By source id, by number, then by name with evidence (e-mail, phone, street) among namesakes. Never a guess between
namesakes: what the evidence does not decide stays open with its candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.loader.sealed_index import ParentIndex
from shared.catalog.identity import LinkKind, core_name, hash_texts, near_hashes, salt_of
from shared.messages.batches import ReferenceColumn

Method = Literal[
    "source_id",
    "number",
    "email",
    "phone",
    "row",
    "name",
    "name_with_evidence",
    "similar_name",
    "similar_name_with_evidence",
    "name_in_text",
    "name_in_text_with_evidence",
]
Status = Literal["linked", "no_parent", "ambiguous", "unresolved"]

_BY: tuple[Method, ...] = ("source_id", "number", "name", "email", "phone", "row")
BY_NAME = _BY.index("name")
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


Links = dict[str, list[Link]]
"""Field -> its references, in the order of the source (one, or several where the field is `many`)."""


def resolve(column: ReferenceColumn, index: ParentIndex) -> list[Link]:
    """One link per entry of the column, in order."""
    exact = np.frombuffer(column.exact, "<u8")
    names = np.frombuffer(column.names, "<u8")
    by = np.frombuffer(column.by, "<u1")
    if index.is_empty:
        return [_open(column, i, "unresolved", []) for i in range(len(exact))]
    found = _Found(
        exact=_lists(index, np.where(by == BY_NAME, np.uint64(0), exact)),
        names=_lists(index, names),
        evidence=_evidence(index, column.evidence),
    )
    return [_resolve_one(column, i, int(by[i]), found, index) for i in range(len(exact))]


class _Found(msgspec.Struct, frozen=True):
    exact: dict[int, list[int]]
    names: dict[int, list[int]]
    evidence: dict[int, set[int]]


def _lists(index: ParentIndex, hashes: NDArray[np.uint64]) -> dict[int, list[int]]:
    """Entry -> ids found by its hash; entries without any are absent."""
    owners, ids = index.pairs(hashes)
    found: dict[int, list[int]] = {}
    for owner, id_ in zip(owners.tolist(), ids.tolist(), strict=True):
        found.setdefault(owner, []).append(id_)
    return found


def _evidence(index: ParentIndex, evidence: Sequence[Sequence[int]]) -> dict[int, set[int]]:
    """Entry -> ids that any of its further facts points to."""
    sizes = [len(keys) for keys in evidence]
    if not any(sizes):
        return {}
    entries = np.repeat(np.arange(len(sizes)), sizes)
    owners, ids = index.pairs(np.array([key for keys in evidence for key in keys], np.uint64))
    found: dict[int, set[int]] = {}
    for entry, id_ in zip(entries[owners].tolist(), ids.tolist(), strict=True):
        found.setdefault(entry, set()).add(id_)
    return found


def _resolve_one(column: ReferenceColumn, i: int, by: int, found: _Found, index: ParentIndex) -> Link:
    evidence = found.evidence.get(i, frozenset())
    if by != BY_NAME:
        ids = found.exact.get(i, [])
        if len(ids) == 1:
            return _link(column, i, ids[0], _BY[by])
        if len(ids) > 1:
            return _among(column, i, ids, evidence, _BY[by])
        # An id that is nowhere: a name alone could mean another one of that name, so only evidence may decide.
        confirmed = [id_ for id_ in found.names.get(i, []) if id_ in evidence]
        if len(confirmed) == 1:
            return _link(column, i, confirmed[0], "name_with_evidence")
        return _open(column, i, "no_parent", confirmed)
    ids = found.names.get(i, [])
    if ids:
        return _by_name(column, i, ids, evidence, "name")
    if not column.normalised[i]:
        return _by_evidence(column, i, evidence)
    similar = _similar(column.parent, column.normalised[i], index)
    if similar is not None:
        method, ids = similar
        return _by_name(column, i, ids, evidence, method)
    return _by_evidence(column, i, evidence)


def _by_name(
    column: ReferenceColumn, i: int, ids: Sequence[int], evidence: set[int] | frozenset[int], method: Method
) -> Link:
    """Among records that go by the name (exactly, nearly, or inside a longer text)."""
    confirmed = [id_ for id_ in ids if id_ in evidence]
    if len(confirmed) == 1:
        return _link(column, i, confirmed[0], _WITH_EVIDENCE[method])
    if len(ids) == 1 and not evidence:
        return _link(column, i, ids[0], method)
    # Namesakes, or a name that says one and an e-mail that says another.
    return _open(column, i, "ambiguous", [*ids, *sorted(set(evidence) - set(ids))])


_WITH_EVIDENCE: dict[Method, Method] = {
    "name": "name_with_evidence",
    "similar_name": "similar_name_with_evidence",
    "name_in_text": "name_in_text_with_evidence",
}


def _among(
    column: ReferenceColumn, i: int, ids: Sequence[int], evidence: set[int] | frozenset[int], method: Method
) -> Link:
    """Several records share the id, number, e-mail or phone: only evidence may decide."""
    confirmed = [id_ for id_ in ids if id_ in evidence]
    if len(confirmed) == 1:
        return _link(column, i, confirmed[0], method)
    return _open(column, i, "ambiguous", ids)


def _by_evidence(column: ReferenceColumn, i: int, evidence: set[int] | frozenset[int]) -> Link:
    """Nobody goes by the name. Somebody with that e-mail or phone is a candidate, no more: households share them."""
    return _open(column, i, "ambiguous" if evidence else "no_parent", sorted(evidence))


def _similar(parent: str, normalised: str, index: ParentIndex) -> tuple[Method, list[int]] | None:
    """Records whose name is inside the text ('Smith HVAC Repair'), or one letter away from it."""
    hashes = _similar_hashes(parent, normalised)
    for method, keys in hashes:
        ids = np.unique(index.pairs(keys)[1]).tolist()
        if ids:
            return method, ids
    return None


@lru_cache(maxsize=4096)
def _similar_hashes(parent: str, normalised: str) -> tuple[tuple[Method, NDArray[np.uint64]], ...]:
    name_salt, core_salt = salt_of(parent, LinkKind.NAME), salt_of(parent, LinkKind.CORE_NAME)
    stages: list[tuple[Method, NDArray[np.uint64]]] = []
    core = core_name(normalised)
    inside = [hash_texts([normalised], core_salt)]
    if core:
        inside += [hash_texts([core], name_salt), hash_texts([core], core_salt)]
    stages.append(("name_in_text", np.concatenate(inside)))
    if len(normalised) >= _SIMILAR_LETTERS_MIN:
        stages.append(("similar_name", near_hashes(normalised, name_salt)))
    if core and len(core) >= _SIMILAR_LETTERS_MIN:
        stages.append(("similar_name", near_hashes(core, name_salt)))
    return tuple(stages)


def _link(column: ReferenceColumn, i: int, id_: int, method: Method) -> Link:
    return Link(text=column.texts[i], id=id_, method=method, confidence=CONFIDENCE[method])


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
