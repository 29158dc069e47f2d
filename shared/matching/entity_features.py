"""What speaks for each entity type as the content of a file, and for none of them, as numbers with names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.catalog.lexicon import Lexicon
from shared.messages.analysis import ColumnProfile

Floats = NDArray[np.float64]

TAKEN_MIN = 0.4
"""Below this a column does not count as holding the field."""

ENTITY_FEATURES = (
    "explained", "explained_count", "by_header", "advantage", "only_here", "usual_present", "usual_missing",
    "required_missing", "parent_missing", "own_key_first", "subject_headers", "own_nouns", "own_fields",
    "file_name", "file_name_alone", "known_layout", "own_statuses", "names_of_people", "key_repeats",
    "parent_unnamed",
)  # fmt: skip
OTHER_SUBJECT = ("other_subject_first", "other_subject_named", "other_party")
"""What says that the file is about somebody or something that no entity type is about."""
NONE_FEATURES = ("constant", "other_table", "other_table_name", "unexplained", "few_explained", "required_missing",
                 "other_meaning", "known_layout", "single_column", "advantage_of_other", "amounts",
                 "no_contact_details", *OTHER_SUBJECT, "key_repeats")  # fmt: skip

NEEDS_PARENT = {
    "contacts": "customer", "properties": "customer", "equipment": "customer", "memberships": "customer",
    "estimates": "customer", "jobs": "customer", "invoices": "customer",
}  # fmt: skip
COME_TOGETHER = (
    frozenset({"street", "street2", "city", "state", "postal_code", "country"}),
    frozenset({"name", "first_name", "last_name", "email", "phone", "mobile_phone"}),
)
"""What a file has of places, what it has of people: that it is there says one thing, however many columns it takes."""
AMOUNTS = frozenset({"integer", "decimal", "money", "percent"})
CONTACT_DETAILS = frozenset({"email", "phone", "street", "address"})
FIRST_COLUMNS = (1.0, 0.4, 0.2)
"""How much a key tells by its place: a file begins with its own, those of others come behind."""
ABOUT_PEOPLE = frozenset({"customers", "contacts", "employees", "leads"})
"""Entity types whose names are mostly those of persons; the names of all others are not."""
WITH_A_PARTY = ("memberships", "estimates", "jobs", "invoices")
"""Agreements and papers: somebody is the other party, and it should be a customer. Their statuses tell them apart."""
OWN_KEYS = frozenset({"number", "source_id"})
REFERRING = frozenset({"id", "number", "name", "source"})
SHARED_BY_MAX = 3
"""A field that more other entity types have tells nothing about which one it is."""
COLUMNS_COUNTED_MAX = 20
"""A file explained in twenty columns is explained."""


@dataclass(frozen=True)
class Explained:
    """How one entity type explains a file: field -> (column, chance), each field and each column once."""

    entity: str
    by_field: Mapping[str, tuple[int, float]]

    def chance(self, fields: Sequence[str]) -> float:
        """The best chance among the fields."""
        return max((self.by_field[field][1] for field in fields if field in self.by_field), default=0.0)


def explain(entity: str, fields: Sequence[str], chances: Floats) -> Explained:
    """Greedy one-to-one: each field takes its best free column. Good enough to compare entity types."""
    taken: dict[str, tuple[int, float]] = {}
    used: set[int] = set()
    order = np.argsort(-chances, axis=None, kind="stable")
    for flat in order[: 4 * max(len(chances), 1)]:
        column, at = divmod(int(flat), len(fields))
        chance = float(chances[column, at])
        if chance < 0.05:
            break
        if column not in used and fields[at] not in taken:
            taken[fields[at]] = (column, chance)
            used.add(column)
    return Explained(entity, taken)


@dataclass(frozen=True)
class Surroundings:
    """What besides the columns tells about a file's content."""

    named: Mapping[str, float]
    """Entity types the file name speaks of, with how clearly."""
    known_layout: str | None
    """The entity type of the known export whose header row this is."""
    other_table: float
    """Share of the columns explained by the best other kind of table."""
    other_table_name: float
    """1 where the file name speaks of that kind of table."""
    other_subject_named: float
    """1 where the file name speaks of something else that no entity type is about."""
    statuses: Mapping[str, float]
    """Entity types that have statuses of their own, with how far the file's statuses are theirs and nobody else's."""


def entity_rows(
    explained: Sequence[Explained],
    groups: Mapping[str, Sequence[tuple[str, ...]]],
    usual: Mapping[str, Mapping[str, float]],
    words: Mapping[str, Floats],
    columns: Sequence[ColumnProfile],
    lexicon: Lexicon,
    around: Surroundings,
) -> Floats:
    """Entity types x `ENTITY_FEATURES`. `words`: per entity type what the headers say, columns x fields."""
    filled = max(sum(1 for c in columns if c.header or c.type != "empty"), 1)
    held = np.zeros((len(explained), max(len(columns), 1)))
    for at, one in enumerate(explained):
        for column, chance in one.by_field.values():
            held[at, column] = chance
    top = np.sort(held, axis=0)
    rival = np.where(held >= top[-1], top[-2], top[-1])
    mean = (held.sum(axis=0) - held) / max(len(explained) - 1, 1)
    spread = Counter(field for fields in usual.values() for field in fields)
    rows = []
    for at, one in enumerate(explained):
        entity = one.entity
        present = {field: chance for field, (_, chance) in one.by_field.items()}
        odds = usual[entity]
        by_header = words[entity].max(axis=1).sum() if len(columns) else 0.0
        rows.append(
            [
                float(held[at].sum()) / filled,
                min(float(held[at].sum()), COLUMNS_COUNTED_MAX) / 10,
                float(by_header) / filled,
                float(np.maximum(held[at] - mean[at], 0.0).sum()) / 3,
                float(np.maximum(held[at] - rival[at], 0.0).sum()),
                _usual_present(present, odds),
                sum((1 - present.get(field, 0.0)) * value for field, value in odds.items() if value > 0),
                sum(1 - one.chance(group) for group in groups[entity]),
                1 - one.chance((NEEDS_PARENT[entity],)) if entity in NEEDS_PARENT else 0.0,
                _own_key_first(entity, columns, lexicon),
                _subject_headers(entity, columns, lexicon),
                _own_nouns(entity, columns, lexicon) / filled,
                _own_fields(one, spread),
                around.named.get(entity, 0.0),
                float(entity in around.named and len(around.named) == 1),
                float(around.known_layout == entity),
                around.statuses.get(entity, 0.0),
                _names_of_people(one, columns),
                _key_repeats(one, columns),
                _parent_unnamed(one, columns, words[entity], list(odds)),
            ]
        )
    return np.array(rows)


def none_row(
    best: Explained, required_missing: float, columns: Sequence[ColumnProfile], other: Floats, advantage: float,
    around: Surroundings, lexicon: Lexicon,
) -> Floats:  # fmt: skip
    """The features of "none of these", beside the entity type that explains the file best."""
    filled = max(sum(1 for c in columns if c.header or c.type != "empty"), 1)
    types = [column.type for column in columns]
    held = sum(chance for _, chance in best.by_field.values() if chance >= TAKEN_MIN)
    first, party = _other_subjects(best, columns, lexicon)
    return np.array(
        [
            1.0, around.other_table, around.other_table_name, 1 - held / filled, float(held < 3), required_missing,
            float(other.mean()) if len(other) else 0.0, float(around.known_layout is not None), float(filled <= 1),
            around.other_table - held / filled,
            sum(kind in AMOUNTS for kind in types) / filled, float(CONTACT_DETAILS.isdisjoint(types)),
            first, around.other_subject_named, party, _key_repeats(best, columns),
        ]
    )  # fmt: skip


def _usual_present(present: Mapping[str, float], odds: Mapping[str, float]) -> float:
    """How usual the fields found are in files of the entity type; those that come together count once."""
    values = {field: chance * (odds[field] + 0.5) for field, chance in present.items()}
    total = 0.0
    for together in COME_TOGETHER:
        found = [values.pop(field) for field in sorted(together & values.keys())]
        total += sum(found) / max(len(found), 1)
    return (total + sum(values.values())) / 3


def _own_key_first(entity: str, columns: Sequence[ColumnProfile], lexicon: Lexicon) -> float:
    """Up to 1 where one of the first headers is the entity type's own number, id or name with its word in it."""
    own = lexicon.entity_words[entity]
    for weight, profile in zip(FIRST_COLUMNS, columns, strict=False):
        words = set(lexicon.tokens(profile.header)) if profile.header else set()
        if words & own and words & {"id", "number", "name", "code"} and len(words) <= 3:
            return weight
    return 0.0


def _own_fields(explained: Explained, spread: Mapping[str, int]) -> float:
    """How many columns hold fields that few other entity types have."""
    chances = ((field, chance) for field, (_, chance) in explained.by_field.items())
    return sum(chance * max(0.0, 1.0 - (spread[field] - 1) / SHARED_BY_MAX) for field, chance in chances) / 2


def _subject_headers(entity: str, columns: Sequence[ColumnProfile], lexicon: Lexicon) -> float:
    """How many headers of several words name the entity type first: "Quote #", "Quote status", "Quote date".

    One alone may be a reference to another file's records, unless it is about something that a reference is not.
    """
    nouns = lexicon.subjects.get(entity, frozenset())
    words = (lexicon.tokens(column.header) for column in columns if column.header)
    found = [header for header in words if len(header) > 1 and header[0] in nouns]
    own = sum(1 for header in found if REFERRING.isdisjoint(header))
    return min(5, own + min(5, max(0, len(found) - 1))) / 3


def _own_nouns(entity: str, columns: Sequence[ColumnProfile], lexicon: Lexicon) -> int:
    own = lexicon.entity_words[entity]
    return sum(1 for column in columns if column.header and own & set(lexicon.tokens(column.header)))


def status_shares(
    wanted: Mapping[str, Sequence[str]], chances: Mapping[str, Floats], columns: Sequence[ColumnProfile]
) -> dict[str, float]:
    """Entity type -> -1..1: do the values of the likeliest status column belong to its statuses, or to another's?

    `wanted`: the vocabularies of each entity type's statuses; `chances`: per entity type and column, that it is one.
    """
    if not columns or not wanted:
        return {}
    likely = np.max([chances[entity] for entity in wanted], axis=0)
    at = int(np.argmax(likely))
    kinds = columns[at].kinds
    shares = {entity: max(kinds.get(kind, 0.0) for kind in own) for entity, own in wanted.items()}
    return {
        entity: float(likely[at]) * (share - max((s for e, s in shares.items() if e != entity), default=0.0))
        for entity, share in shares.items()
    }


def _names_of_people(explained: Explained, columns: Sequence[ColumnProfile]) -> float:
    """-1..1: is what would be the record's name a person's, as it should be, or not?"""
    if "name" not in explained.by_field:
        return 0.0
    column, chance = explained.by_field["name"]
    if columns[column].type == "empty":
        return 0.0
    share = 1.0 if columns[column].type == "name" else 0.0
    return chance * (share if explained.entity in ABOUT_PEOPLE else -share)


def _parent_unnamed(
    explained: Explained, columns: Sequence[ColumnProfile], words: Floats, fields: Sequence[str]
) -> float:
    """How far a header that says no such thing ("Who") would have to be that of the customer whose record it is."""
    parent = NEEDS_PARENT.get(explained.entity)
    if parent is None or parent not in explained.by_field:
        return 0.0
    column, chance = explained.by_field[parent]
    return chance * (1.0 - float(words[column, fields.index(parent)])) if columns[column].header else 0.0


def _key_repeats(explained: Explained, columns: Sequence[ColumnProfile]) -> float:
    """How far the record's own number or id is that of several rows: lines of a document have their document's."""
    repeated = 0.0
    for field in OWN_KEYS & explained.by_field.keys():
        column, chance = explained.by_field[field]
        if columns[column].distinct > 1:
            repeated = max(repeated, chance * (1 - columns[column].unique_share))
    return repeated


def _other_subjects(explained: Explained, columns: Sequence[ColumnProfile], lexicon: Lexicon) -> tuple[float, float]:
    """How far the first headers, and the party of a document, are of what no entity type is about."""
    first = 0.0
    parties = set()
    for at, column in enumerate(columns):
        words = set(lexicon.tokens(column.header)) if column.header else set()
        if words & lexicon.other_parties:
            parties.add(at)
        if at < len(FIRST_COLUMNS) and len(words) <= 3 and words & lexicon.other_subjects:
            first = max(first, FIRST_COLUMNS[at])
    if not parties or explained.entity not in WITH_A_PARTY:
        return first, 0.0
    place, chance = explained.by_field.get("customer", (-1, 0.0))
    return first, 1.0 if place in parties else 1 - chance
