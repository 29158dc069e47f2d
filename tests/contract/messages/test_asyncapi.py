"""`asyncapi.json` is valid AsyncAPI, equals the registry, promises the public topics and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from shared.messages.asyncapi import asyncapi_document
from shared.messages.control import RunClosed
from shared.messages.envelope import Topic
from shared.messages.generate import ASYNCAPI, EXAMPLES, FOLDER, asyncapi_text, is_asyncapi_fresh
from shared.messages.topics import RUN_CHANGED, RUN_CLOSED, TOPICS

OFFICIAL = Path(__file__).parents[2] / "data" / "asyncapi" / "asyncapi-3.0.0.schema.json"
PUBLIC = [topic for topic in TOPICS if topic.public]

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    """The committed document."""
    found: Json = json.loads(ASYNCAPI.read_text(encoding="utf-8"))
    return found


def breaches(document: Json) -> list[str]:
    """What the official schema of AsyncAPI 3.0.0 says against a document."""
    schema = json.loads(OFFICIAL.read_text(encoding="utf-8"))
    return [f"{error.json_path}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def resolved(document: Json, reference: str) -> Any:
    """What a local reference leads to; KeyError where that is nowhere."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(value: Any) -> set[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def channel_of(document: Json, topic: Topic) -> Json:
    [found] = [channel for channel in document["channels"].values() if channel["address"] == topic.name]
    assert isinstance(found, dict)
    return found


def payload_schema(document: Json, topic: Topic) -> Json:
    """The schema of a topic's messages, as one that a validator takes by itself."""
    return {"$ref": f"#/components/schemas/{topic.model.__name__}", "components": document["components"]}


def test_the_committed_document_is_that_of_the_registry() -> None:
    assert is_asyncapi_fresh(asyncapi_text())


def test_a_stale_or_missing_document_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "asyncapi.json").write_text("{}")

    assert not is_asyncapi_fresh(asyncapi_text(), tmp_path / "asyncapi.json")
    assert not is_asyncapi_fresh(asyncapi_text(), tmp_path / "missing.json")


def test_the_document_is_valid_by_the_official_schema(document: Json) -> None:
    assert breaches(document) == []


@pytest.mark.parametrize(
    ("member", "value"),
    [("asyncapi", "2.6.0"), ("info", {"title": "x"}), ("operations", {"o": {"action": "subscribe"}}),
     ("channels", {"c": {"address": 1}})],
)  # fmt: skip
def test_the_official_schema_finds_what_is_wrong(document: Json, member: str, value: Any) -> None:
    assert breaches(document | {member: value})


def test_every_reference_leads_somewhere(document: Json) -> None:
    found = references(document)

    assert found
    assert [reference for reference in found if not resolved(document, reference)] == []


def test_exactly_the_public_topics_are_promised(document: Json) -> None:
    assert sorted(channel["address"] for channel in document["channels"].values()) == sorted(t.name for t in PUBLIC)


def test_a_topic_that_is_made_public_appears() -> None:
    opened = Topic(RUN_CLOSED.name, "x.", RunClosed, "run", "loader", (), 24, public=True)

    made = asyncapi_document(FOLDER / EXAMPLES, [opened])

    assert [channel["address"] for channel in made["channels"].values()] == [RUN_CLOSED.name]


def test_subscribers_receive_and_never_send(document: Json) -> None:
    assert {operation["action"] for operation in document["operations"].values()} == {"receive"}
    assert len(document["operations"]) == len(PUBLIC)


@pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.name)
def test_a_channel_tells_how_long_its_messages_are_kept(document: Json, topic: Topic) -> None:
    configured = channel_of(document, topic)["bindings"]["kafka"]["topicConfiguration"]

    assert configured["retention.ms"] == topic.retention_hours * 60 * 60 * 1000


@pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.name)
def test_the_example_of_a_topic_is_valid_by_the_document_alone(document: Json, topic: Topic) -> None:
    example = json.loads((FOLDER / EXAMPLES / f"{topic.name}.json").read_text(encoding="utf-8"))

    jsonschema.validate(example, payload_schema(document, topic), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("topic", PUBLIC, ids=lambda topic: topic.name)
def test_a_message_shows_its_example_and_headers(document: Json, topic: Topic) -> None:
    message = document["components"]["messages"][topic.model.__name__]
    committed = json.loads((FOLDER / EXAMPLES / f"{topic.name}.json").read_text(encoding="utf-8"))

    assert [example["payload"] for example in message["examples"]] == [committed]
    assert [references(trait) for trait in message["traits"]] == [{"#/components/messageTraits/cloudEvent"}]


def test_a_payload_of_a_wrong_type_is_refused_by_the_document(document: Json) -> None:
    example = json.loads((FOLDER / EXAMPLES / f"{RUN_CHANGED.name}.json").read_text(encoding="utf-8"))

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            example | {"run": "seven"}, payload_schema(document, RUN_CHANGED), cls=jsonschema.Draft202012Validator
        )


def test_servers_are_placeholders(document: Json) -> None:
    assert {server["host"] for server in document["servers"].values()} == {"{host}:{port}"}


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    class RunChanged(BaseModel):
        """Another one."""

        other: int

    topics = [RUN_CHANGED, Topic("hub.run.altered.v1", "x.", RunChanged, "run", "ingest", (), 24, public=True)]

    for topic in topics:
        (tmp_path / f"{topic.name}.json").write_text("{}")

    with pytest.raises(ValueError, match="RunChanged"):
        asyncapi_document(tmp_path, topics)
