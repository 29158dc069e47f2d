"""What a language model is asked, and what of its answer counts."""

from __future__ import annotations

import json

import pytest

from services.analyze.entity_detection import detect
from services.mapper.hints import FileHints, Hint
from services.mapper.language_model_questions import (
    AskedColumn,
    Question,
    chat_messages,
    hints_of,
    open_questions,
)
from services.mapper.proposals import propose
from shared.catalog import load_catalog
from tests.support.sampled import sampled

CLIENTS = sampled(
    "clients.csv",
    ["Client Name", "Xq77", "Email"],
    ["Ann Smith", "Elm 12 b", "ann@example.com"],
    ["Bob Hill", "Oak 7", "bob@example.com"],
)
QUESTION = Question(
    place=0,
    entity="customers",
    columns=(AskedColumn(index=1, header="Xq77", type="text"), AskedColumn(index=4, header="Zz", type="text")),
    free_fields={"tags": "Tags, tags", "notes": "Notes, longtext"},
    mapped={"Client Name": "name"},
)


def asked(*, samples: bool = False, below: float = 0.6, hints: tuple[FileHints, ...] = ()) -> list[Question]:
    detections = detect([CLIENTS])
    entities = {"clients.csv": "customers"}
    mapping = propose(detections, entities=entities, hints=hints)
    return open_questions(
        mapping, detections, load_catalog(), confidence_below=below, samples_allowed=samples, hints=hints
    )


def test_only_columns_nobody_is_sure_of_are_asked_about() -> None:
    [question] = asked()

    assert [(column.index, column.header) for column in question.columns] == [(1, "Ax99")]
    assert question.mapped == {"Client Name": "name", "Email": "email"}
    assert "name" not in question.free_fields
    assert question.free_fields["tags"] == "Tags, tags"


def test_nothing_is_asked_where_all_is_sure_or_known_to_feed_nothing() -> None:
    nothing = Hint(entity="customers", column=1, field=None, strength=0.9, reason="So it was.", origin="memory")

    assert asked(hints=(FileHints(hints=(nothing,)),)) == []


def test_no_value_is_sent_unless_masks_are_allowed_and_then_only_masks() -> None:
    [silent], [told] = asked(), asked(samples=True)

    assert silent.columns[0].samples == ()
    assert told.columns[0].samples == ("Axx 99 x", "Axx 9")
    assert not any(word in json.dumps(chat_messages(told)) for word in ("Elm", "Oak", "Ann", "ann@"))


def test_a_first_record_taken_for_the_header_row_is_not_told() -> None:
    file = sampled("list.csv", ["Ann Smith", "Oak Hill", "Blue Door"], ["Bob Jones", "Waco", "Red Door"])
    detections = detect([file])
    mapping = propose(detections, entities={"list.csv": "customers"})

    text = json.dumps(
        [chat_messages(q) for q in open_questions(
            mapping, detections, load_catalog(), confidence_below=1, samples_allowed=False
        )]
    )  # fmt: skip

    assert "Axx Axxx" in text
    assert not any(word in text for word in ("Ann", "Smith", "Hill", "Blue"))


def said(content: object) -> list[tuple[int, str | None]] | None:
    text = content if isinstance(content, str) else json.dumps(content)
    hints = hints_of(QUESTION, text, "stub")
    return None if hints is None else [(hint.column, hint.field) for hint in hints]


def test_an_answer_is_evidence_for_the_columns_it_names() -> None:
    assert said({"columns": [{"index": 1, "field": "tags"}, {"index": 4, "field": None}]}) == [(1, "tags"), (4, None)]


def test_prose_and_code_fences_around_the_answer_do_not_matter() -> None:
    assert said('Sure!\n```json\n{"columns": [{"index": 1, "field": "tags"}]}\n```') == [(1, "tags")]


@pytest.mark.parametrize(
    "part",
    [
        {"index": 1, "field": "shoe_size"},
        {"index": 1, "field": "name"},
        {"index": 0, "field": "tags"},
        {"index": 99, "field": "tags"},
        {"index": "1", "field": "tags"},
        {"index": True, "field": "tags"},
        {"index": 1, "field": ["tags"]},
        "tags",
    ],
)
def test_what_was_not_asked_for_is_left_out(part: object) -> None:
    assert said({"columns": [part]}) == []


def test_a_field_is_given_to_one_column_only() -> None:
    assert said({"columns": [{"index": 1, "field": "tags"}, {"index": 4, "field": "tags"}]}) == [(1, "tags")]


@pytest.mark.parametrize(
    "text", ["", "I do not know.", "{", '{"columns": 3}', "[1, 2]", '{"a": ' * 5_000, "{" * 256 * 1024]
)
def test_what_is_no_answer_is_none(text: str) -> None:
    assert said(text) is None


def test_a_reason_says_that_a_model_said_it() -> None:
    [hint] = hints_of(QUESTION, '{"columns": [{"index": 1, "field": "tags"}]}', "stub-7b") or []

    assert (hint.reason, hint.origin) == ("The language model stub-7b suggests it.", "language_model")
