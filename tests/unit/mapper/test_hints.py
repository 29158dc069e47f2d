"""Evidence from outside the file: how it weighs, and that it enters the same assignment as headers and values."""

from __future__ import annotations

import pytest

from services.analyze.entity_detection import detect
from services.mapper.hints import FileHints, Hint, weighed
from services.mapper.proposals import propose
from shared.messages.mapping import FieldMapping
from tests.support.sampled import sampled

CLIENTS = sampled(
    "clients.csv",
    ["Client Name", "Thing A", "Email"],
    ["Ann Smith", "blue", "ann@example.com"],
    ["Bob Hill", "green", "bob@example.com"],
)


def hint(column: int, field: str | None, strength: float = 0.9, entity: str = "customers") -> Hint:
    return Hint(entity=entity, column=column, field=field, strength=strength, reason="It was said.", origin="memory")


def fields(*hints: Hint, **more: object) -> dict[str, FieldMapping]:
    [file] = propose(detect([CLIENTS]), hints=[FileHints(hints=hints, **more)]).files  # type: ignore[arg-type]
    return {field.field: field for field in file.records[0].fields}


@pytest.mark.parametrize(
    ("score", "hints", "expected"),
    [
        (0.5, (), 0.5),
        (0.5, (hint(0, "email", 0.8),), 0.9),
        (0.5, (hint(0, "phone", 0.5),), 0.3),
        (0.5, (hint(0, None, 1.0),), 0.1),
        (0.0, (hint(0, "email", 0.7),), 0.7),
    ],
)
def test_a_hint_raises_its_field_and_lowers_the_others(score: float, hints: tuple[Hint, ...], expected: float) -> None:
    assert weighed(score, "email", hints) == pytest.approx(expected)


def test_a_column_nobody_understands_feeds_the_field_a_hint_names() -> None:
    assert "lead_source" not in fields()

    hinted = fields(hint(1, "lead_source"))["lead_source"]

    assert (hinted.header, hinted.reasons[0]) == ("Thing A", "It was said.")
    assert hinted.confidence >= 0.9


def test_a_column_is_left_out_where_a_hint_says_it_feeds_nothing() -> None:
    assert "email" in fields()

    assert "email" not in fields(hint(2, None, 0.98))


def test_a_weak_hint_does_not_overrule_header_and_values() -> None:
    assert fields(hint(2, "website", 0.4))["email"].header == "Email"


def test_a_hint_for_another_entity_type_says_nothing() -> None:
    assert "lead_source" not in fields(hint(1, "lead_source", entity="leads"))


def test_the_entity_type_of_an_approved_mapping_goes_before_detection_and_says_so() -> None:
    told = FileHints(entity="leads", entity_strength=0.98, reasons=("Mapped as before.",))

    [file] = propose(detect([CLIENTS]), hints=[told]).files

    assert (file.records[0].entity, file.entity_confidence, file.reasons[0]) == ("leads", 0.98, "Mapped as before.")


def test_an_entity_type_set_by_hand_goes_before_an_approved_mapping() -> None:
    told = FileHints(entity="leads", entity_strength=0.98)

    [file] = propose(detect([CLIENTS]), entities={"clients.csv": "contacts"}, hints=[told]).files

    assert file.records[0].entity == "contacts"
