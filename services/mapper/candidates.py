"""What each column of a file may feed, and the rules by which columns that could feed the same field share it out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from services.mapper.address_groups import AddressGroup
from services.mapper.hints import Hint, weighed
from shared.catalog.evidence import Evidence, FieldScore
from shared.catalog.model import EntityType
from shared.messages.analysis import ColumnProfile, Detection, Relation

TAKE_MIN = 0.35
"""Below this chance leaving a column unmapped is right more often than the best field."""
RELATION_SHARE = 0.5
BILLING_BONUS = 0.02
ADDRESS_PARTS = frozenset({"street", "street2", "city", "state", "postal_code", "country"})
OWN_STREET_BONUS = 0.05
"""A street goes to the record's own street field before it names a property."""

COMPARED_MIN = 3
"""Different names from which on it shows whether other columns are parts of them."""
NAMED_MIN = 0.7

FIRM_SCORE = 0.7
"""The chance of a column of companies as the records' company where another column is found to be their name."""
FILLED_MIN = 0.5
"""A column with fewer values is not the name for being named or standing first."""

_NAME_PARTS = frozenset({"first_name", "last_name"})
_STREET_WORDS = frozenset({"street", "address"})


@dataclass(frozen=True)
class Candidate:
    """One possible field of a column with what speaks for it."""

    field: str
    score: float
    basis: FieldScore
    relation: Relation | None
    hints: tuple[Hint, ...] = ()
    """What is known about the column from outside the file."""


def candidates_of(
    entity: EntityType,
    profile: ColumnProfile,
    detection: Detection,
    found: Sequence[FieldScore],
    evidence: Evidence,
    hints: tuple[Hint, ...] = (),
) -> list[Candidate]:
    """What one column may feed, the likeliest first."""
    related = {r.parent_entity: r for r in detection.relations if r.column == profile.index}
    scores = {s.field: s for s in found}
    for ref in entity.refs():
        if ref.ref in related and ref.name not in scores:
            scores[ref.name] = FieldScore(ref.name, 0.0, 0.0, 1.0, 0.0)
    for hint in hints:
        if hint.field is not None and hint.field in entity.fields and hint.field not in scores:
            fit = evidence.fit(entity.name, entity.fields[hint.field], profile)
            scores[hint.field] = FieldScore(hint.field, 0.0, 0.0, fit, 0.0)
    result = []
    for score in scores.values():
        relation = related.get(entity.fields[score.field].ref or "")
        value = score.score
        if relation is not None:
            value += (1 - value) * RELATION_SHARE * relation.share
        # The one place where evidence from outside the file is merged: before anything is assigned.
        result.append(Candidate(score.field, weighed(value, score.field, hints), score, relation, hints))
    return sorted(result, key=lambda c: (-c.score, c.field))


def keep_groups_apart(candidates: list[list[Candidate]], groups: Sequence[AddressGroup]) -> None:
    """The customer's address comes from one group: the columns outside all groups, else the first group."""
    in_group = {column for group in groups for column in group.columns.values()}
    has_own = any(
        c.field in ("street", "city") and c.score >= TAKE_MIN
        for index, options in enumerate(candidates)
        if index not in in_group
        for c in options
    )
    kept = set() if has_own or not groups else set(groups[0].columns.values())
    for index in in_group:
        allowed = ADDRESS_PARTS if index in kept else frozenset()
        boosted = (
            next((part for part, column in groups[0].columns.items() if column == index), None)
            if index in kept
            else None
        )
        candidates[index] = [
            replace(c, score=max(c.score, 0.8 * c.basis.fit)) if c.field == boosted else c
            for c in candidates[index]
            if c.field in allowed
        ]


def prefer_billing(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile], evidence: Evidence) -> None:
    """Of two addresses of a customer the billing address is the customer's, if it is as complete as the other."""
    billing: dict[int, str] = {}
    other: dict[str, float] = {}
    for profile, options in zip(columns, candidates, strict=True):
        if options and options[0].field in ADDRESS_PARTS and options[0].score >= 0.7:
            if "billing" in evidence.lexicon.tokens(profile.header):
                billing[profile.index] = options[0].field
            else:
                other[options[0].field] = max(options[0].score, other.get(options[0].field, 0.0))
    if len(set(billing.values())) >= len(other):
        for index, field in billing.items():
            rival = other.get(field, 0.0)
            candidates[index] = [
                replace(c, score=max(c.score, rival) + BILLING_BONUS) if c.field == field else c
                for c in candidates[index]
            ]


def own_street_first(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile], evidence: Evidence) -> None:
    """Of a column that holds streets and is called so the record's own street comes before the name of a property."""
    for profile, options in zip(columns, candidates, strict=True):
        place = next((c for c in options if c.field == "property"), None)
        if place is not None and is_street(profile, evidence):
            candidates[profile.index] = [
                replace(c, score=max(c.score, place.score) + OWN_STREET_BONUS) if c.field == "street" else c
                for c in options
            ]


def is_street(profile: ColumnProfile, evidence: Evidence) -> bool:
    """True for street lines, unless the header speaks of the place as such: 'Property', 'Site', 'Location ID'."""
    words = set(evidence.lexicon.tokens(profile.header)) if profile.header else set()
    return profile.type in ("street", "address", "empty") and (not words or bool(words & _STREET_WORDS))


def name_beside_first_name(
    candidates: list[list[Candidate]], columns: Sequence[ColumnProfile], evidence: Evidence
) -> None:
    """ "Nom" beside "Prénom" is the last name, where no other column is."""
    has = {c.field for options in candidates for c in options if c.score >= 0.9}
    if "first_name" not in has or "last_name" in has:
        return
    for profile, options in zip(columns, candidates, strict=True):
        if evidence.lexicon.tokens(profile.header) == ("name",) and profile.kinds.get("word", 0.0) >= 0.7:
            basis = next((c.basis for c in options if c.field == "name"), None)
            if basis is not None:
                candidates[profile.index] = [
                    Candidate("last_name", 0.9, basis, None),
                    *(c for c in options if c.field != "name"),
                ]
            return


def parts_of_the_name(candidates: list[list[Candidate]], columns: Sequence[ColumnProfile]) -> None:
    """Beside a column of people's full names, words that are no part of them are no first or last names either."""
    whole = [
        profile
        for profile, options in zip(columns, candidates, strict=True)
        if profile.type == "name"
        and profile.distinct >= COMPARED_MIN
        and any(c.field == "name" and c.score >= NAMED_MIN for c in options)
    ]
    if not whole:
        return
    for profile, options in zip(columns, candidates, strict=True):
        if profile.type != "empty" and not {"front_part", "back_part", "has_parts", "in_email"} & profile.kinds.keys():
            candidates[profile.index] = [
                c for c in options if c.field not in _NAME_PARTS or c.basis.header >= NAMED_MIN or c.hints
            ]


def one_name(
    candidates: list[list[Candidate]],
    columns: Sequence[ColumnProfile],
    entity: EntityType,
    evidence: Evidence,
    named_by: Collection[int],
) -> None:
    """Of columns that may be the name the one is by which other files name the records (`named_by`).

    Where no other file tells, of columns that are called alike the first one. Companies that are not the name are still
    the records' companies. What somebody has approved, or a language model says, is left as it is.
    """
    names = {
        profile.index: found
        for profile, options in zip(columns, candidates, strict=True)
        if (found := next((c for c in options if c.field == "name"), None)) is not None
        and profile.fill >= FILLED_MIN
        and (profile.index in named_by or found.score >= TAKE_MIN)
    }
    if any(hint.origin != "preset" for found in names.values() for hint in found.hints):
        return
    winner = next((index for index in names if index in named_by), None)
    losers = set(names) if winner is not None else _called_like_another(names, columns, evidence)
    for index in losers - {winner}:
        lost = names[index]
        candidates[index] = [c for c in candidates[index] if c is not lost]
        if columns[index].type == "company" and "company" in entity.fields:
            _add(
                candidates[index], Candidate("company", FIRM_SCORE, replace(lost.basis, header=0.0, telling=0.0), None)
            )
    if winner is not None:
        best = max(found.score for found in names.values())
        candidates[winner] = [replace(c, score=best) if c is names[winner] else c for c in candidates[winner]]


def _called_like_another(names: Collection[int], columns: Sequence[ColumnProfile], evidence: Evidence) -> set[int]:
    """Those of the columns before which another one has the same header."""
    seen: set[tuple[str, ...]] = set()
    again = set()
    for index in sorted(names):
        words = evidence.lexicon.tokens(columns[index].header) if columns[index].header else ()
        if words and words in seen:
            again.add(index)
        seen.add(words)
    return again


def _add(options: list[Candidate], more: Candidate) -> None:
    if all(c.field != more.field or c.score < more.score for c in options):
        options[:] = sorted([*(c for c in options if c.field != more.field), more], key=lambda c: (-c.score, c.field))
