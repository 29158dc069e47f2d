"""What counts as additive: each rule with a made-up change that breaks it, and the growth that does not."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from pydantic import BaseModel, create_model

from shared.messages.compatibility import breaking_changes
from shared.messages.generate import schema_of


class Part(BaseModel):
    count: int


FIELDS: dict[str, Any] = {
    "run": (int, ...),
    "state": (Literal["open", "done"], ...),
    "name": (str | None, None),
    "parts": (list[Part], []),
    "counts": (dict[str, int], {}),
}


def message(**changes: Any) -> dict[str, Any]:
    """The schema of a message with these fields added or replaced, as (type, default); None takes one away."""
    fields = {name: field for name, field in (FIELDS | changes).items() if field is not None}
    return schema_of(create_model("Changed" if changes else "Message", **fields))


def test_the_same_model_breaks_nothing() -> None:
    assert breaking_changes(message(), message()) == []


def test_a_new_field_with_a_default_breaks_nothing() -> None:
    assert breaking_changes(message(), message(extra=(int, 0))) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"run": None}, "message.run: removed"),
        ({"extra": (int, ...)}, "message.extra: required now; messages without it exist"),
        ({"name": (str, ...)}, "message.name: the type changed"),
        ({"run": (int, 0)}, "message.run: no longer required; readers rely on it"),
        ({"run": (str, ...)}, "message.run: the type changed"),
        ({"state": (Literal["open"], ...)}, "message.state: the type changed"),
        ({"state": (Literal["open", "done", "lost"], ...)}, "message.state: the type changed"),
        ({"parts": (list[int], [])}, "message.parts[]: the type changed"),
        ({"counts": (dict[str, str], {})}, "message.counts.*: the type changed"),
    ],
    ids=[
        "removed",
        "new and required",
        "None not allowed any more",
        "required no longer",
        "another type",
        "fewer values",
        "more values",
        "another item type",
        "another value type",
    ],
)
def test_what_is_not_additive_is_named_with_its_place(change: dict[str, Any], complaint: str) -> None:
    found = breaking_changes(message(), message(**change))

    assert any(line.startswith(complaint) for line in found), found


def test_a_change_inside_a_nested_model_is_found() -> None:
    nested = {"$defs": {"Part": {"type": "object", "properties": {"count": {"type": "integer"}}}},
              "type": "object", "properties": {"part": {"$ref": "#/$defs/Part"}}}  # fmt: skip
    other = {"$defs": {"Piece": {"type": "object", "properties": {"count": {"type": "string"}}}},
             "type": "object", "properties": {"part": {"$ref": "#/$defs/Piece"}}}  # fmt: skip

    (found,) = breaking_changes(nested, other)

    assert found.startswith("message.part.count: the type changed")


def test_another_name_of_a_nested_model_breaks_nothing() -> None:
    one = {"$defs": {"Part": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/Part"}}
    other = {"$defs": {"Piece": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/Piece"}}

    assert breaking_changes(one, other) == []


def test_a_model_inside_itself_is_compared_once() -> None:
    tree = {"$defs": {"Node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}}},
            "$ref": "#/$defs/Node"}  # fmt: skip

    assert breaking_changes(tree, tree) == []


class Row(msgspec.Struct, array_like=True):
    line: int
    cells: list[str]


class LongerRow(msgspec.Struct, array_like=True):
    line: int
    cells: list[str]
    extra: list[str] = []


class DemandingRow(msgspec.Struct, array_like=True):
    line: int
    cells: list[str]
    extra: list[str]


class TurnedRow(msgspec.Struct, array_like=True):
    cells: list[str]
    line: int


def test_an_array_like_message_may_grow_at_the_end() -> None:
    assert breaking_changes(schema_of(Row), schema_of(LongerRow)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [(Row, DemandingRow), (Row, TurnedRow), (LongerRow, Row)],
    ids=["new required item", "other order", "item removed"],
)
def test_an_array_like_message_may_not_change_otherwise(before: type, after: type) -> None:
    assert breaking_changes(schema_of(before), schema_of(after)) != []
