from __future__ import annotations

import numpy as np

from services.analyze.profiles import profile_columns
from shared.matching.field_space import load_space
from shared.matching.value_habits import HabitCounts, Habits, traits, traits_of


def _traits(*columns: list[str]) -> np.ndarray:
    rows = [list(row) for row in zip(*columns, strict=True)]
    profiles = profile_columns([""] * len(columns), rows, len(rows))
    return traits_of(profiles, traits(load_space().evidence.lexicon))


def test_a_column_that_looks_like_the_fields_columns_is_told_from_one_that_does_not() -> None:
    space = load_space()
    phones = _traits(["(602) 555-0101", "(602) 555-0102"], ["(480) 555-0103", "(480) 555-0104"])
    money = _traits(["$1.50", "$2.75"], ["$3.10", "$4.20"])
    pairs = np.zeros(len(space.pairs))
    found = np.zeros((len(space.pairs), phones.shape[1]))
    at = space.place["customers", "phone"]
    pairs[at], found[at] = 2.0, phones.sum(axis=0)
    counts = HabitCounts(pairs, found, 4.0, phones.sum(axis=0) + money.sum(axis=0))

    likeness = Habits(space, counts).compare(np.concatenate([phones[:1], money[:1]]))[:, at]

    assert likeness[0] > 0.0 > likeness[1]


def test_what_was_never_counted_looks_like_nothing_in_particular() -> None:
    space = load_space()
    names = traits(space.evidence.lexicon)
    nothing = HabitCounts(
        np.zeros(len(space.pairs)), np.zeros((len(space.pairs), len(names))), 0.0, np.zeros(len(names))
    )

    assert np.allclose(Habits(space, nothing).compare(_traits(["a", "b"])), 0.0)
