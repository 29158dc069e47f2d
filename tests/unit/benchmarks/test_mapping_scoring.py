from __future__ import annotations

import pytest

from benchmarks.mapping.cases import Case, LabelledColumn
from benchmarks.mapping.scoring import Answer, Prediction, calibration_error, score

CASE = Case(
    id="c", platform="p", file_name="x.csv", entity="invoices", entities_accepted=frozenset({"invoices"}),
    kind="real", tags=(),
    columns=(
        LabelledColumn("Invoice #", ("number",), ("1",)),
        LabelledColumn("Amount", ("total", "subtotal"), ("2",)),
        LabelledColumn("Color", (None,), ("red",)),
    ),
)  # fmt: skip


def _figures(entity: str | None, *given: Answer) -> dict[str, float | None]:
    said = Prediction("c", entity, 0.9, given, given, 1.0)
    return score([CASE], {"c": said})["overall"]


def test_all_right_is_all_right() -> None:
    figures = _figures("invoices", ("number", 0.9), ("subtotal", 0.9), (None, None))

    assert (figures["column_accuracy"], figures["end_to_end_accuracy"], figures["ready_rate"]) == (1.0, 1.0, 1.0)


def test_a_wrong_entity_type_makes_every_column_wrong_end_to_end() -> None:
    figures = _figures("jobs", ("number", 0.9), ("total", 0.9), (None, None))

    assert (figures["column_accuracy"], figures["end_to_end_accuracy"], figures["ready_rate"]) == (1.0, 0.0, 0.0)


def test_a_file_without_its_required_field_is_not_ready() -> None:
    figures = _figures("invoices", (None, None), ("total", 0.9), (None, None))

    assert (figures["ready_rate"], figures["required_accuracy"]) == (0.0, 0.0)


def test_what_should_stay_unmapped_counts_when_it_is_mapped() -> None:
    figures = _figures("invoices", ("number", 0.9), ("total", 0.9), ("notes", 0.85))

    assert figures["mapping_precision"] == pytest.approx(2 / 3)
    assert figures["null_accuracy"] == 0.0
    assert figures["green_precision"] == pytest.approx(2 / 3)


def test_calibration_error_is_the_distance_from_what_was_right() -> None:
    assert calibration_error([(0.95, True), (0.95, False)]) == pytest.approx(0.45)
    assert calibration_error([]) is None
