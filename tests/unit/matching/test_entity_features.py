from __future__ import annotations

import pytest

from services.analyze.entity_chances import look_at
from services.analyze.profiles import profile_columns
from shared.matching.entity_features import ENTITY_FEATURES, NONE_FEATURES
from shared.matching.scorer import load_scorer
from tests.support.sampled import sampled

ROWS = [
    ["Ann Smith", "ann@example.com", "1 Elm St", "Mesa", "AZ", "85201"],
    ["Bob Hill", "bob@example.com", "2 Oak Ave", "Tampa", "FL", "33601"],
    ["Cy Jones", "cy@example.com", "3 Pine Rd", "Macon", "GA", "31201"],
]
HEADERS = ["Name", "Email", "Street", "City", "State", "Zip"]


def _seen(headers: list[str], rows: list[list[str]]) -> tuple[dict[str, float], dict[str, float]]:
    """What is seen for customers and for none of the entity types."""
    file, scorer = sampled("x.csv", headers, *rows), load_scorer()
    view = look_at(file, scorer.read(profile_columns(file.headers, file.rows, file.records)), scorer)
    own = view.rows[scorer.space.entities.index("customers")]
    return dict(zip(ENTITY_FEATURES, own, strict=True)), dict(zip(NONE_FEATURES, view.none_row, strict=True))


def test_an_address_says_the_same_in_one_column_and_in_four() -> None:
    whole, _ = _seen(HEADERS, ROWS)
    street, _ = _seen(HEADERS[:3], [row[:3] for row in ROWS])

    assert whole["usual_present"] == pytest.approx(street["usual_present"], abs=0.15)


def test_amounts_without_anybodys_contact_details_are_seen() -> None:
    _, none = _seen(["Month", "Jobs", "Revenue"], [["Jan", "12", "$300.50"], ["Feb", "8", "$210.00"]])
    _, people = _seen(HEADERS, ROWS)

    assert (none["amounts"], none["no_contact_details"]) == (pytest.approx(2 / 3), 1.0)
    assert people["no_contact_details"] == 0.0
