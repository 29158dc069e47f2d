from __future__ import annotations

import pytest

from shared.catalog.lexicon import time_unit_of


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("Duration (min)", "minutes"),
        ("Duration [minutes]", "minutes"),
        ("duration_minutes", "minutes"),
        ("durationMinutes", "minutes"),
        ("Duration Min", "minutes"),
        ("Durée (minutes)", "minutes"),
        ("Labor (hrs)", "hours"),
        ("Hours per day", "hours"),
        ("Lead time (days)", "days"),
        ("Elapsed sec", "seconds"),
        ("Weight (lbs)", "other"),
        ("Labor ($)", "other"),
        ("Min Duration", None),
        ("Duration", None),
        ("Administration", None),
        ("", None),
    ],
)
def test_what_a_header_says_is_counted(header: str, unit: str | None) -> None:
    assert time_unit_of(header) == unit
