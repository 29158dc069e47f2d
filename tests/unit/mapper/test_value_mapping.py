"""The values of enum columns by frequency: what is used, what is only suggested, what somebody has to decide."""

from __future__ import annotations

from collections.abc import Iterable

from services.analyze.entity_detection import detect
from services.mapper.known_shapes import informed_proposal
from services.mapper.value_mapping import (
    VALUES_TOLD_MAX,
    ValueMappingView,
    value_views,
    with_known_counts,
    with_source_values,
)
from shared.catalog import load_catalog
from shared.messages.analysis import SampledFile
from shared.messages.mapping import MappingDocument
from tests.support.sampled import sampled

JOBS = sampled(
    "jobs.csv",
    ["Job #", "Client name", "Title", "Job status", "Created date"],
    ["1", "Ann Smith", "AC repair", "Done", "01/02/2026"],
    ["2", "Bob Hill", "Drain cleaning", "done ", "01/03/2026"],
    ["3", "Cy Jones", "Tune-up", "Frobbed", "01/04/2026"],
    ["4", "Di Jones", "Tune-up", "Scheduled", "01/04/2026"],
    ["5", "Ed Jones", "Tune-up", "DONE", "01/05/2026"],
)


def document(file: SampledFile = JOBS) -> MappingDocument:
    return informed_proposal(detect([file]), entities={"jobs.csv": "jobs"}).document


def status_view(mapping: MappingDocument) -> ValueMappingView:
    return next(view for view in value_views(mapping, load_catalog()) if view.field == "status")


def test_every_value_stands_with_its_frequency_and_the_unmatched_are_listed() -> None:
    view = status_view(document())

    assert [(v.value, v.count, v.share, v.becomes, v.state) for v in view.values] == [
        ("Frobbed", 1, 0.2, None, "unmatched"),
        ("Done", 3, 0.6, "completed", "matched"),
        ("Scheduled", 1, 0.2, "scheduled", "matched"),
    ]
    assert view.unmatched == ["Frobbed"]
    assert "completed" in view.allowed


def test_what_a_person_decides_is_shown_as_decided() -> None:
    mapping = document()
    changed = MappingDocument.model_validate_json(
        mapping.model_dump_json().replace('"done":"completed"', '"done":"invoiced","frobbed":null')
    )

    view = status_view(changed)

    assert [(v.value, v.becomes, v.state, v.reason) for v in view.values] == [
        ("Done", "invoiced", "matched", "set by hand"),
        ("Frobbed", None, "left_empty", ""),
        ("Scheduled", "scheduled", "matched", "the same word"),
    ]
    assert view.unmatched == []


def test_a_mapping_given_by_hand_keeps_the_counts_it_left_out() -> None:
    current = document().files[0]
    bare = [
        record.model_copy(
            update={"fields": tuple(field.model_copy(update={"source_values": ()}) for field in record.fields)}
        )
        for record in current.records
    ]

    assert with_known_counts(current.model_copy(update={"records": tuple(bare)}), current) == current


def with_statuses(statuses: Iterable[str]) -> MappingDocument:
    rows = [[str(at), "Ann Smith", "AC repair", status, "01/02/2026"] for at, status in enumerate(statuses)]
    return document(sampled("jobs.csv", ["Job #", "Client name", "Title", "Job status", "Created date"], *rows))


def test_what_is_not_sure_is_suggested_and_not_used() -> None:
    mapping = with_statuses(["Done", "Done", "Completd", "Completd", "Done"])
    [status] = [field for field in mapping.files[0].records[0].fields if field.field == "status"]

    [open_, _] = status_view(mapping).values

    assert status.options.values == {"done": "completed"}
    assert (open_.value, open_.becomes, open_.suggested, open_.state) == ("Completd", None, "completed", "unmatched")


def test_values_to_decide_are_told_before_the_known_ones_and_the_rest_is_counted() -> None:
    odd = [f"Frobbed {chr(65 + at // 26)}{chr(65 + at % 26)}" for at in range(60)]

    view = status_view(with_statuses(["Done"] * 30 + odd * 2))

    assert len(view.unmatched) == VALUES_TOLD_MAX == len(view.values)
    assert (view.values_total, view.values_not_shown, view.rows_not_shown) == (61, 11, 20 + 30)
    assert view.values[0].share == round(2 / 150, 4)


def test_a_column_with_too_many_values_to_list_says_how_many_there_are() -> None:
    names = (f"Frobbed {chr(65 + at // 676)}{chr(65 + at // 26 % 26)}{chr(65 + at % 26)}" for at in range(1_001))
    current = with_statuses(["Done"])
    detections = detect([sampled("jobs.csv", list(current.files[0].headers), *(["1", "", "", n, ""] for n in names))])

    view = status_view(with_source_values(current, detections, load_catalog()))

    assert (view.values, view.values_total, view.values_not_shown, view.rows_not_shown) == ([], 1_001, 1_001, 1_001)
