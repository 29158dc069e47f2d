"""Public messages cannot carry a cell's value: each of their texts is known to be a code, an id or an address."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from shared.messages.envelope import Topic
from shared.messages.topics import TOPICS

PUBLIC = [topic for topic in TOPICS if topic.public]

KNOWN_TEXTS = {
    "account": "id of the account",
    "session": "id of the session",
    "analysis": "address of an artifact, by its content's hash",
    "mapping": "address of an artifact",
    "plan": "address of an artifact",
    "content": "hash of what was staged",
    "file": "id of the file in its session",
    "entity": "entity type of the catalogue",
    "state": "state of a session or run",
    "kind": "kind of a run",
    "actor": "who started the run: the name of an API token",
    "given_up": "code",
    "failure": "the hub's own words about a run that failed; see seal_failure in the loader",
}
"""Fields of text in public messages, and why none of them holds a cell's value."""

KNOWN_KEYS = {
    "entities": "entity types of the catalogue",
    "money": "fields of the catalogue",
    "money_left_out": "fields of the catalogue",
    "planned": "names of steps",
}
"""Fields that are mappings, and what their keys are."""


def free_texts(model: type[BaseModel]) -> Iterator[str]:
    """Fields of text, and keys of mappings, whose meaning is not known to be harmless; with their path."""
    for name, field in model.model_fields.items():
        yield from (f"{name}{place}" for place in _free(name, field.annotation))


def _free(name: str, annotation: Any) -> Iterator[str]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is str and name not in KNOWN_TEXTS:
        yield ""
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from (f".{place}" for place in free_texts(annotation))
    elif origin is Literal or annotation in (str, int, float, bool, types.NoneType):
        return
    elif origin is dict:
        if arguments[0] is str and name not in KNOWN_KEYS:
            yield "{}"
        yield from _free(name, arguments[1])
    elif origin in (list, tuple, typing.Union, types.UnionType):
        for argument in arguments:
            yield from _free(name, argument)
    else:
        yield f" ({annotation})"  # whatever it is, nobody has looked at it


@pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.name)
def test_a_public_message_has_no_room_for_a_cells_value(topic: Topic) -> None:
    assert issubclass(topic.model, BaseModel)

    assert list(free_texts(topic.model)) == []


def test_every_explanation_is_still_needed() -> None:
    named: set[str] = set()

    def look_into(model: type[BaseModel]) -> None:
        for name, field in model.model_fields.items():
            named.add(name)
            for inner in [field.annotation, *_inside(field.annotation)]:
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    look_into(inner)

    for topic in PUBLIC:
        assert issubclass(topic.model, BaseModel)
        look_into(topic.model)
    assert {*KNOWN_TEXTS, *KNOWN_KEYS} - named == set()


def _inside(annotation: Any) -> Iterator[Any]:
    for argument in typing.get_args(annotation):
        yield argument
        yield from _inside(argument)


class Inner(BaseModel):
    entity: str
    value: str | None


class Leaky(BaseModel):
    session: str
    note: str
    rows: list[Inner]
    columns: dict[str, int]
    anything: Any
    money: dict[str, int] = Field(default_factory=dict)


def test_a_text_that_nobody_explained_is_found_however_deep() -> None:
    assert list(free_texts(Leaky)) == ["note", "rows.value", "columns{}", "anything (typing.Any)"]
