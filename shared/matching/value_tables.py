"""The value evidence of the catalogue as arrays: what a column's values say about all pairs at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.catalog.evidence import Evidence
from shared.messages.analysis import ColumnProfile

Floats = NDArray[np.float64]

TELLING_MAX = 0.95


class ValueTables:
    """`Evidence.fit` and what values tell, for every (entity type, field) pair in the order given."""

    def __init__(self, evidence: Evidence, pairs: Sequence[tuple[str, str]]) -> None:
        tables = [evidence.fit_table(entity, field) for entity, field in pairs]
        types = sorted({kind for table in tables for kind in table})
        self._fit = {kind: np.array([table.get(kind, table["*"]) for table in tables]) for kind in types}
        self._against = _by_kind([evidence.speaking_against(*pair) for pair in pairs])
        self._telling = _by_kind([evidence.telling(*pair) for pair in pairs])

    def fit(self, profile: ColumnProfile) -> Floats:
        """0..1 per pair: could the values be stored in the field?"""
        result = self._fit.get(profile.type, self._fit["*"]).copy()
        for kind, losses in self._against.items():
            if share := profile.kinds.get(kind):
                result *= 1.0 - losses * share
        return result

    def telling(self, profile: ColumnProfile) -> Floats:
        """0..1 per pair: how much the values by themselves speak for the field."""
        result = np.zeros_like(self._fit["*"])
        for kind, strengths in self._telling.items():
            if share := profile.kinds.get(kind):
                result += strengths * share
        return np.asarray(np.minimum(result, TELLING_MAX))


def _by_kind(rows: Sequence[dict[str, float]]) -> dict[str, Floats]:
    kinds = sorted({kind for row in rows for kind in row})
    return {kind: np.array([row.get(kind, 0.0) for row in rows]) for kind in kinds}
