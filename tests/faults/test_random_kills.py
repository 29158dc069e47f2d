"""Kill -9 of the whole process group at random moments; `python -m benchmarks.kills` does the same for longer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.kills import Kills

SEED = 20261


@pytest.mark.parametrize(
    ("records", "rounds"), [(3_500, 6), pytest.param(14_000, 50, marks=pytest.mark.slow, id="long")]
)
def test_an_import_killed_at_random_moments_ends_like_an_undisturbed_one(
    records: int, rounds: int, tmp_path: Path, hits: Counter[str]
) -> None:
    kills = Kills(tmp_path, records, SEED)

    done = list(kills.rounds(rounds))

    hits["random moment"] += sum(len(one.kills) for one in done)
    assert [one.differences for one in done if one.differences] == [], f"seed {SEED}"
    assert sum(len(one.kills) for one in done) >= rounds - 1
