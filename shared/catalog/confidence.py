"""From raw scores to confidence: what share of proposals with such a score was right when it was measured."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from importlib import resources
from typing import Literal

import yaml


@lru_cache(maxsize=1)
def _tables() -> dict[str, list[tuple[float, float]]]:
    text = resources.files("shared.catalog").joinpath("confidence.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(text)
    return {kind: [(float(x), float(y)) for x, y in raw[kind]] for kind in ("entity", "column")}


def calibrated(kind: Literal["entity", "column"], score: float) -> float:
    """The confidence of a raw score of 0..1, by straight lines between the measured points."""
    points = _tables()[kind]
    at = bisect_right([x for x, _ in points], score)
    if at == 0:
        return points[0][1]
    if at == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[at - 1], points[at]
    return y0 + (y1 - y0) * (score - x0) / (x1 - x0)
