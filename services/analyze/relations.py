"""Relations between the files of a session: a column whose values are another file's ids, numbers or names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from shared.catalog.identity import normalise_name, normalise_number
from shared.catalog.model import Catalog, FieldType
from shared.matching.scorer import FileScores
from shared.messages.analysis import ColumnProfile, Detection, Relation, SampledFile

VALUES_MAX = 5_000
"""Distinct values of a child's column that are looked up; enough to tell a share of a half from one of a tenth."""
PROBED = 200
"""A column of which none of so many values is found anywhere is not looked up further."""
PARENT_VALUES_MIN = 3
SHARE_MIN = 0.5
NUMBERS_SHARE_MIN = 0.8
UNIQUE_MIN = 0.9
"""A parent's key is unique but for duplicates and one-row-per-property exports."""
SURE = 0.9
"""Above this a file says by itself what it holds, and its relations change nothing."""
REFERS_MIN = 0.5
"""From this chance on a column refers to an entity type by what it is called."""
QUANTITY_MIN = 0.72
"""From here on a header names an amount, a number of things or a postal code, unless it names a reference better."""
LARGE_MIN = 10_000
BAND_MIN = 1_000
BAND_WIDTH_MAX = 1.2
YEARS = range(1900, 2101)

KEY_FIELDS = frozenset({"source_id", "number", "employee_number", "name", "company", "code", "sku"})
_QUANTITIES = frozenset({FieldType.MONEY, FieldType.DECIMAL, FieldType.INTEGER})
_KEY_WORDS = frozenset({"id", "number", "reference", "code", "key"})

Normalise = Callable[[str], str]


def _number(text: str) -> str:
    """Like `normalise_number`; bare digits, which most ids are, have that form already."""
    return text if text.isascii() and text.isdigit() else normalise_number(text)


@dataclass(frozen=True)
class Look:
    """A file by itself. `scores` is None where it has no columns."""

    file: SampledFile
    scores: FileScores | None
    detection: Detection


@dataclass(frozen=True)
class _Key:
    """A column by whose values other files may name the records of a file."""

    file: int
    entity: str
    column: int
    kind: Normalise
    values: frozenset[str]


@dataclass(frozen=True)
class _Keys:
    """The keys of all files. `by_value`: per kind a value -> the places of the keys that have it.

    So a column finds all files whose records it may name in one pass over its values, however many files there are.
    """

    keys: Sequence[_Key]
    by_value: Mapping[Normalise, Mapping[str, Sequence[int]]]


def find_relations(looks: Sequence[Look]) -> list[list[Relation]]:
    """Per file the columns that name records of another file, the surest parent each."""
    keys = _indexed([key for at, look in enumerate(looks) for key in _keys_of(at, look)])
    return [
        [found for column in look.detection.columns if (found := _relation_of(at, column, looks, keys)) is not None]
        for at, look in enumerate(looks)
    ]


def _keys_of(at: int, look: Look) -> Iterator[_Key]:
    entity = look.detection.entity
    if look.scores is None or entity is None or not _may_be_parent(entity, look.scores):
        return
    for column in look.detection.columns:
        kind = _key_kind(column)
        if kind is not None and column.unique_share >= UNIQUE_MIN and _names_record(entity, column, look.scores):
            values = frozenset(map(kind, _distinct(look.file, column.index)))
            if len(values) >= PARENT_VALUES_MIN:
                yield _Key(at, entity, column.index, kind, values)


def _indexed(keys: Sequence[_Key]) -> _Keys:
    by_value: dict[Normalise, dict[str, list[int]]] = {_number: {}, normalise_name: {}}
    for place, key in enumerate(keys):
        known = by_value[key.kind]
        for value in key.values:
            known.setdefault(value, []).append(place)
    return _Keys(keys, by_value)


def _relation_of(at: int, column: ColumnProfile, looks: Sequence[Look], keys: _Keys) -> Relation | None:
    """The surest relation of one column; of parents that hold equally many of its values the one it is called after."""
    kind, scores = _key_kind(column), looks[at].scores
    if kind is None or scores is None or not keys.by_value[kind]:
        return None
    if kind is _number and _names_a_quantity(column.header, scores):
        return None
    own, hits = _looked_up(_distinct(looks[at].file, column.index), kind, keys)
    needs_name = kind is _number and _could_be_quantities(own)
    found: list[tuple[tuple[float, float, str, int], Relation]] = []
    for place, count in hits.items():
        key = keys.keys[place]
        parent = looks[key.file].file
        share = min(1.0, count / len(own) / _sampled_share(parent))
        if key.file == at or not _is_enough(kind, share, count):
            continue
        refers = _refers(looks[at].detection, column, key.entity, scores)
        if needs_name and not (column.header and refers >= REFERS_MIN) and not _is_called_after(column, key, looks[at]):
            continue
        relation = Relation(
            column=column.index, parent_file=parent.file, parent_entity=key.entity, parent_column=key.column,
            share=round(share, 3),
        )  # fmt: skip
        found.append(((share, refers, parent.file, -key.column), relation))
    return max(found, key=lambda one: one[0])[1] if found else None


def _is_enough(kind: Normalise, share: float, count: int) -> bool:
    """So many of a column's values are in a key that it is no chance; numbers overlap more easily than names."""
    if kind is _number:
        return share >= NUMBERS_SHARE_MIN and count >= PARENT_VALUES_MIN
    return share >= SHARE_MIN


def _looked_up(values: Iterable[str], kind: Normalise, keys: _Keys) -> tuple[set[str], Counter[int]]:
    """The column's values in normal form, and how many of them each key has."""
    rest, known = iter(values), keys.by_value[kind]
    own: set[str] = set()
    hits: Counter[int] = Counter()
    for size in (PROBED, VALUES_MAX - PROBED):
        more = set(map(kind, islice(rest, size))) - own
        own |= more
        hits.update(chain.from_iterable(known[value] for value in more if value in known))
        if not hits:
            break
    return own, hits


def _names_a_quantity(header: str, scores: FileScores) -> bool:
    evidence = scores.space.evidence
    quantity = reference = 0.0
    for (entity, name), score in (evidence.lexicon.header_scores(header) if header else {}).items():
        field = evidence.catalog[entity].fields[name]
        if field.ref:
            reference = max(reference, score)
        elif field.type in _QUANTITIES or name == "postal_code":
            quantity = max(quantity, score)
    return quantity >= QUANTITY_MIN and quantity > reference


def _could_be_quantities(values: Iterable[str]) -> bool:
    """True for numbers that count or measure something as well as they name records: 1 to 60, 95 to 1,500, years.

    Such numbers are another file's running ids by chance; letters, leading zeros, many digits or numbers that lie close
    together far from zero are not.
    """
    texts = list(values)
    digits = [text for text in texts if text.isdecimal()]
    if 2 * len(digits) < len(texts) or any(text[0] == "0" and len(text) > 1 for text in digits):
        return False
    low, high = min(map(int, digits), default=0), max(map(int, digits), default=0)
    is_band = low >= BAND_MIN and high <= BAND_WIDTH_MAX * low and not (low in YEARS and high in YEARS)
    return low < LARGE_MIN and not is_band


def _refers(detection: Detection, column: ColumnProfile, parent: str, scores: FileScores) -> float:
    """The chance that the column by itself refers to the entity type."""
    is_sure = detection.entity is not None and detection.entity_confidence >= SURE
    return scores.refers_to(column.index, parent, detection.entity if is_sure else None)


def _is_called_after(column: ColumnProfile, key: _Key, child: Look) -> bool:
    """True for "Tech ID" where technicians are the parents and the file can refer to any."""
    if child.scores is None:
        return False
    evidence = child.scores.space.evidence
    words = set(evidence.lexicon.tokens(column.header))
    if not words & evidence.lexicon.entity_words[key.entity] or not words & _KEY_WORDS:
        return False
    entity = child.detection.entity
    return entity is None or _may_refer(entity, key.entity, evidence.catalog)


def _may_refer(entity: str, parent: str, catalog: Catalog) -> bool:
    return any(ref.ref == parent for ref in catalog[entity].refs())


def _may_be_parent(entity: str, scores: FileScores) -> bool:
    catalog = scores.space.evidence.catalog
    return any(_may_refer(other.name, entity, catalog) for other in catalog.detectable())


def _names_record(entity: str, column: ColumnProfile, scores: FileScores) -> bool:
    """A parent is named by its own id, number or name, not by a unique column that itself names somebody else."""
    found = scores.field_scores(entity, column.index)
    return bool(found) and found[0].field in KEY_FIELDS


def _key_kind(column: ColumnProfile) -> Normalise | None:
    if column.distinct < PARENT_VALUES_MIN:
        return None
    if column.type in ("id", "integer", "postal_code"):
        return _number
    # A column in which people and companies are mixed is of neither kind, and still the commonest key.
    return normalise_name if column.type in ("name", "company", "text") else None


def _sampled_share(file: SampledFile) -> float:
    """Of a big parent file only this share of its records, spread over the file, can be met at all."""
    return min(1.0, len(file.rows) / max(file.records, 1)) or 1.0


def _distinct(file: SampledFile, column: int) -> Iterable[str]:
    return dict.fromkeys(row[column].strip() for row in file.rows if column < len(row) and row[column].strip())
