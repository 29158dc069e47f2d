"""What the file's other columns say about a pair: rivals for the field and the column, neighbours, common words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.catalog.lexicon import SERVICE_WORDS, SHIPPING_WORDS, Tokens
from shared.matching.field_space import FieldSpace
from shared.matching.neighbours import Neighbours
from shared.matching.pair_features import DIGITS, best_rival
from shared.messages.analysis import ColumnProfile

Floats = NDArray[np.float64]

CONTEXT = (
    "chance", "rival_field", "rival_column", "lead_in_column", "lead_for_field", "rank_for_field",
    "left", "right", "own_noun", "foreign_noun", "earlier_rivals", "later_rivals",
    "place", "prefix_shared", "billing", "service", "stamp", "by", "percent", "unknown_words", "repeated",
    "sum", "greater_part", "smaller_part",
    "earliest", "latest", "in_email", "has_parts", "front_part", "back_part", "person", "company", "fill", "unique",
)  # fmt: skip
MARKS = (
    frozenset({"billing", "bill", "invoice"}),
    SERVICE_WORDS | SHIPPING_WORDS,
    frozenset({"updated", "modified", "changed", "last", "next", "previous", "old", "sync", "merged", "external"}),
    frozenset({"by"}),
    frozenset({"percent", "rate", "ratio", "count"}),
)
"""Words that change what the words beside them mean: `billing`, `service`, `stamp`, `by`, `percent`."""
TIED_SHARE = 0.6
TIED_MIN = 0.2

_RELATIONS = ("is_sum", "greater_part", "smaller_part", "date_earliest", "date_latest", "in_email", "has_parts",
              "front_part", "back_part", "person", "company")  # fmt: skip


def logit(chance: Floats) -> Floats:
    """Log odds, within bounds that keep a certainty from drowning everything else."""
    bounded = np.clip(chance, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(bounded / (1 - bounded)))


def context_features(
    space: FieldSpace, neighbours: Neighbours, columns: Sequence[ColumnProfile], chances: Floats
) -> Floats:
    """`CONTEXT` x columns x pairs, from first chances; every entity type is looked at by itself."""
    words = [space.evidence.lexicon.tokens(column.header) if column.header else () for column in columns]
    log_odds = logit(chances)
    rival_field = logit(best_rival(space, chances))
    rival_column = logit(_best_other_column(chances))
    order = np.argsort(np.argsort(-chances, axis=0, kind="stable"), axis=0)
    left, right = neighbours.compare(space, chances)
    own, foreign = _nouns(space, words)
    by_pair = [
        log_odds, rival_field, rival_column, log_odds - rival_field, log_odds - rival_column,
        np.minimum(order, 5) / 5, left, right, own, foreign * (1.0 - space.is_ref), *_tied_columns(chances),
    ]  # fmt: skip
    features = np.empty((len(CONTEXT), *chances.shape))
    for at, values in enumerate(by_pair):
        features[at] = values
    features[len(by_pair) :] = np.array(_of_columns(space, columns, words)).T[:, :, None]
    return np.round(features, DIGITS, out=features)


def _best_other_column(chances: Floats) -> Floats:
    if len(chances) < 2:
        return np.zeros_like(chances)
    top = np.partition(chances, len(chances) - 2, axis=0)[-2:]
    return np.asarray(np.where(chances >= top[1], top[0], top[1]))


def _tied_columns(chances: Floats) -> tuple[Floats, Floats]:
    """How many columns before and behind are about as likely for the field: of equals the first is meant."""
    before, behind = np.zeros_like(chances), np.zeros_like(chances)
    for at in range(len(chances)):
        near = (chances >= TIED_SHARE * chances[at]) & (chances >= TIED_MIN)
        before[at], behind[at] = near[:at].sum(axis=0), near[at + 1 :].sum(axis=0)
    return np.minimum(before, 3.0) / 3, np.minimum(behind, 3.0) / 3


def _of_columns(space: FieldSpace, columns: Sequence[ColumnProfile], words: Sequence[Tokens]) -> list[list[float]]:
    headers = Counter(words)
    starts = Counter(header[0] for header in words if len(header) > 1)
    last = max(len(columns) - 1, 1)
    return [
        [
            at / last, min(starts[header[0]] - 1, 5) / 5 if len(header) > 1 else 0.0,
            *(float(not marks.isdisjoint(header)) for marks in MARKS), _unknown_share(space, header),
            float(bool(header) and headers[header] > 1),
            *(column.kinds.get(kind, 0.0) for kind in _RELATIONS), column.fill, column.unique_share,
        ]
        for at, (column, header) in enumerate(zip(columns, words, strict=True))
    ]  # fmt: skip


def _unknown_share(space: FieldSpace, header: Tokens) -> float:
    known = space.evidence.lexicon.is_known
    return sum(not known(word) for word in header) / len(header) if header else 0.0


def _nouns(space: FieldSpace, words: Sequence[Tokens]) -> tuple[Floats, Floats]:
    """Columns x pairs: does the header name the pair's entity type itself, does it name another one first?"""
    known = space.evidence.lexicon.entity_words
    own, foreign = np.zeros((len(words), len(space.pairs))), np.zeros((len(words), len(space.pairs)))
    sets = [(frozenset(header), frozenset(header[:-1])) for header in words]
    for entity, part in space.parts.items():
        others = frozenset().union(*(known[name] for name in space.entities if name != entity)) - known[entity]
        own[:, part] = np.array([[not known[entity].isdisjoint(header)] for header, _ in sets])
        foreign[:, part] = np.array([[not others.isdisjoint(start)] for _, start in sets])
    return own, foreign
