"""The committed schemas, examples and topic page equal what the models say, and every guard fires when they do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import msgspec
import pytest
from pydantic import BaseModel

from shared.messages.envelope import Topic
from shared.messages.generate import (
    EXAMPLES,
    FOLDER,
    broken_contracts,
    contents,
    example_problems,
    main,
    released_schemas,
    schema_of,
    schemas,
    stale,
    write,
)
from shared.messages.topics import RUN_CHANGED, RUN_CLOSED, TOPICS


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A copy of the committed schemas and examples that a test may spoil."""
    folder = tmp_path / "messages"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def test_committed_schemas_and_topic_page_are_those_of_the_models() -> None:
    assert stale(FOLDER, contents()) == []


def test_a_changed_schema_is_reported_as_stale(messages: Path) -> None:
    path = messages / "schemas" / f"{RUN_CLOSED.name}.schema.json"
    path.write_text(path.read_text().replace("integer", "string"))

    assert stale(messages, contents()) == [f"schemas/{RUN_CLOSED.name}.schema.json is stale"]


def test_a_missing_schema_is_reported(messages: Path) -> None:
    (messages / "schemas" / f"{RUN_CLOSED.name}.schema.json").unlink()

    assert stale(messages, contents()) == [f"schemas/{RUN_CLOSED.name}.schema.json is missing"]


def test_a_schema_of_a_topic_that_is_gone_is_reported(messages: Path) -> None:
    (messages / "schemas" / "hub.run.forgotten.v1.schema.json").write_text("{}")

    assert stale(messages, contents()) == ["schemas/hub.run.forgotten.v1.schema.json belongs to no topic or artifact"]


def test_writing_makes_everything_fresh(messages: Path) -> None:
    (messages / "schemas" / "hub.run.forgotten.v1.schema.json").write_text("{}")
    (messages / "schemas" / f"{RUN_CLOSED.name}.schema.json").unlink()
    (messages / "TOPICS.md").write_text("old")

    write(messages)

    assert stale(messages, contents()) == []


def test_no_released_contract_is_broken() -> None:
    assert broken_contracts(released_schemas(), schemas()) == []


def test_a_topic_that_was_released_and_is_gone_is_reported() -> None:
    kept = [topic for topic in TOPICS if topic is not RUN_CLOSED]

    assert broken_contracts(released_schemas(), schemas(kept)) == [f"{RUN_CLOSED.name}.schema.json: removed"]


def test_a_released_field_that_is_gone_is_reported() -> None:
    released = released_schemas()
    released[f"{RUN_CLOSED.name}.schema.json"]["properties"]["reason"] = {"type": "string"}

    assert broken_contracts(released, schemas()) == [f"{RUN_CLOSED.name}.schema.json: message.reason: removed"]


def test_every_topic_has_an_example_that_validates() -> None:
    assert example_problems(FOLDER) == []


def test_a_missing_example_is_reported(messages: Path) -> None:
    (messages / EXAMPLES / f"{RUN_CLOSED.name}.json").unlink()

    assert example_problems(messages) == [f"{RUN_CLOSED.name}.json is missing"]


def test_an_example_without_a_topic_is_reported(messages: Path) -> None:
    (messages / EXAMPLES / "hub.run.forgotten.v1.json").write_text("{}")

    assert example_problems(messages) == ["hub.run.forgotten.v1.json belongs to no topic"]


def test_an_example_with_an_unknown_member_is_reported(messages: Path) -> None:
    path = messages / EXAMPLES / f"{RUN_CLOSED.name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"surprise": 1}))

    assert example_problems(messages) == [f"{RUN_CLOSED.name}.json: holds members that the model does not know"]


def test_an_example_may_leave_out_what_has_a_default(messages: Path) -> None:
    path = messages / EXAMPLES / f"{RUN_CHANGED.name}.json"
    example = json.loads(path.read_text())
    del example["closed"]
    path.write_text(json.dumps(example))

    assert example_problems(messages) == []


@pytest.mark.parametrize("name", ["hub.run.changed.v1", "hub.batch.mapped.v1"])
def test_an_example_with_a_wrong_type_is_reported(messages: Path, name: str) -> None:
    path = messages / EXAMPLES / f"{name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"run": "seven"}))

    (problem,) = example_problems(messages)

    assert problem.startswith(f"{name}.json: does not validate")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_an_example_is_valid_by_the_published_schema_too(topic: Topic) -> None:
    """Other systems validate with the JSON schema and not with our models."""
    example = json.loads((FOLDER / EXAMPLES / f"{topic.name}.json").read_text())
    schema = json.loads((FOLDER / "schemas" / f"{topic.name}.schema.json").read_text())

    jsonschema.validate(example, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_an_example_survives_the_wire(topic: Topic) -> None:
    model = topic.model
    text = (FOLDER / EXAMPLES / f"{topic.name}.json").read_bytes()
    if issubclass(model, BaseModel):
        message: object = model.model_validate_json(text)
    else:
        message = msgspec.json.decode(text, type=model)

    assert topic.decode(topic.encode(message)) == message


def test_check_says_nothing_where_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_the_schema_of_a_model_does_not_depend_on_the_indentation_of_its_docstring() -> None:
    description = schema_of(RUN_CHANGED.model)["description"]

    assert "\n " not in description
