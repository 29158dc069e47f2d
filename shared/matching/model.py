"""The trained model as shipped: counts, weights, trees and tables of `model.json`, each readable by people."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from shared.errors import ConfigurationError
from shared.matching.context_features import CONTEXT
from shared.matching.entity_features import ENTITY_FEATURES, NONE_FEATURES
from shared.matching.field_space import FieldSpace
from shared.matching.pair_features import FEATURES
from shared.matching.trees import Trees, trees_of
from shared.matching.value_habits import HabitCounts, traits

Floats = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]

FORM = 1
"""Form of the file; a model of another form does not fit this code."""


@dataclass(frozen=True)
class Model:
    """Everything that was learned. Names in the file are checked against those of the code when it is read."""

    habits: HabitCounts
    usual: Floats
    """Per pair: how often files of the entity type have the field, as log odds."""
    after: Floats
    """Fields x (fields, nothing, edge): how often the one stands right after the other."""
    first: Floats
    """Weight per feature of `FEATURES`, the constant last."""
    second: Trees
    entity: Floats
    """Weight per feature of `ENTITY_FEATURES`, then one constant per entity type."""
    none: Floats
    """Weight per feature of `NONE_FEATURES`."""
    confidence: Mapping[str, Points]
    """By kind ("entity", "column"): raw chance -> share that was right when it was measured."""

    def calibrated(self, kind: Literal["entity", "column"], chance: float) -> float:
        """The confidence of a raw chance, by straight lines between the measured points."""
        points = self.confidence[kind]
        at = bisect_right([x for x, _ in points], chance)
        if at == 0:
            return points[0][1]
        if at == len(points):
            return points[-1][1]
        (x0, y0), (x1, y1) = points[at - 1], points[at]
        return y0 + (y1 - y0) * (chance - x0) / (x1 - x0)


def encode(model: Model, space: FieldSpace, made_from: str) -> dict[str, Any]:
    """The model as plain data. Numbers are rounded so that the file does not depend on the last bits of a sum."""
    names = traits(space.evidence.lexicon)
    pairs = {}
    for at, (entity, field) in enumerate(space.pairs):
        if model.habits.pairs[at] > 0:
            found = {name: round(float(n), 2) for name, n in zip(names, model.habits.traits[at], strict=True) if n > 0}
            pairs[f"{entity}.{field}"] = {"columns": round(float(model.habits.pairs[at]), 2), "seen": found}
    beside = (*space.field_names, "nothing", "edge")
    return {
        "form": FORM,
        "made_from": made_from,
        "habits": {
            "columns": round(float(model.habits.all_columns), 2),
            "seen": {n: round(float(v), 2) for n, v in zip(names, model.habits.all_traits, strict=True) if v > 0},
            "pairs": pairs,
        },
        "usual": {f"{e}.{f}": round(float(v), 3) for (e, f), v in zip(space.pairs, model.usual, strict=True)},
        "after": {
            field: {beside[i]: int(row[i]) for i in np.flatnonzero(row)}
            for field, row in zip(space.field_names, model.after, strict=True)
            if row.any()
        },
        "first": dict(zip((*FEATURES, "constant"), _rounded(model.first), strict=True)),
        "second": {
            "features": [*FEATURES, *CONTEXT],
            "start": round(model.second.start, 5),
            "trees": [
                [[int(f) for f in features], _rounded(limits), _rounded(leaves)]
                for features, limits, leaves in zip(
                    model.second.features, model.second.limits, model.second.leaves, strict=True
                )
            ],
        },
        "entity": dict(zip((*ENTITY_FEATURES, *space.entities), _rounded(model.entity), strict=True)),
        "none": dict(zip(NONE_FEATURES, _rounded(model.none), strict=True)),
        "confidence": {kind: [list(point) for point in points] for kind, points in sorted(model.confidence.items())},
    }


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), 4) for value in values]


def decode(raw: Mapping[str, Any], space: FieldSpace) -> Model:
    """The model of the file's data; refuses one that was made for other features or another catalogue."""
    if raw["form"] != FORM or raw["second"]["features"] != [*FEATURES, *CONTEXT]:
        raise ConfigurationError(
            "The mapping model was trained for other features than this version of the hub computes.",
            next_step="Train it anew: python -m benchmarks.mapping train",
        )
    names = traits(space.evidence.lexicon)
    beside = {name: at for at, name in enumerate((*space.field_names, "nothing", "edge"))}
    after = np.zeros((len(space.field_names), len(beside)))
    for field, row in raw["after"].items():
        for name, count in row.items():
            after[beside[field], beside[name]] = count
    second = raw["second"]
    return Model(
        habits=_habits(raw["habits"], space, names),
        usual=np.array([raw["usual"][f"{entity}.{field}"] for entity, field in space.pairs]),
        after=after,
        first=_values(raw["first"], (*FEATURES, "constant")),
        second=trees_of(second["start"], second["trees"]),
        entity=_values(raw["entity"], (*ENTITY_FEATURES, *space.entities)),
        none=_values(raw["none"], NONE_FEATURES),
        confidence={kind: tuple((x, y) for x, y in points) for kind, points in raw["confidence"].items()},
    )


def _values(named: Mapping[str, float], names: Sequence[str]) -> Floats:
    return np.array([named[name] for name in names])


def _habits(raw: Mapping[str, Any], space: FieldSpace, names: Sequence[str]) -> HabitCounts:
    place = {name: at for at, name in enumerate(names)}
    pairs, found = np.zeros(len(space.pairs)), np.zeros((len(space.pairs), len(names)))
    for key, counted in raw["pairs"].items():
        entity, field = key.split(".")
        at = space.place[entity, field]
        pairs[at] = counted["columns"]
        for name, count in counted["seen"].items():
            found[at, place[name]] = count
    everything = np.array([raw["seen"].get(name, 0.0) for name in names])
    return HabitCounts(pairs, found, float(raw["columns"]), everything)


@lru_cache(maxsize=1)
def shipped() -> Mapping[str, Any]:
    """The data of the model file."""
    raw: Mapping[str, Any] = json.loads(
        resources.files("shared.matching").joinpath("model.json").read_text(encoding="utf-8")
    )
    return raw
