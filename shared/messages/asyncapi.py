"""The AsyncAPI 3.0 document for subscribers, made from the registry of topics, the models and their examples.

It promises the public topics only: the internal ones change without notice, so they are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.messages.envelope import Topic
from shared.messages.topics import TOPICS

Json = dict[str, Any]

VERSION = "1.0.0"
"""Of the contract and not of the program: its first number is the `v1` of the topics, its second counts additions."""

HOUR_MS = 3_600_000

_DESCRIPTION = (
    "What happens to migrations, for other systems to follow. Messages carry codes, counts and ids only, never a value "
    "of a customer's file. Delivery is at least once: a message may come again with the same content, and consumers "
    "are idempotent. Within a major version a message only grows; ignore fields you do not know. "
    "Subscribe with a consumer group of your own. `shared/messages/SUBSCRIBE.md` shows how."
)

_KEYS = {
    "batch": "The batch's number: batches spread over all partitions and have no order.",
    "run": "The run's number as text: events of one run come in one partition and in order.",
    "session": "The session's id: events of one session come in one partition and in order.",
}

_ALWAYS_SENT = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "content-type")


def asyncapi_document(examples: Path, topics: Sequence[Topic] = TOPICS) -> Json:
    """The document as JSON data. `examples`: the folder with one `<topic>.json` per topic."""
    public = sorted((topic for topic in topics if topic.public), key=lambda topic: topic.name)
    schemas: dict[str, Any] = {}
    messages = {topic.model.__name__: _message(topic, schemas, examples) for topic in public}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "migration-hub: import events",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {_channel_name(topic): _channel(topic) for topic in public},
        "operations": {f"receive_{_channel_name(topic)}": _operation(topic) for topic in public},
        "components": {
            "messages": messages,
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _server() -> Json:
    return {
        "host": "{host}:{port}",
        "protocol": "kafka",
        "description": "The Kafka cluster that your hub runs on. Whoever operates it gives you address and account.",
        "variables": {
            "host": {"description": "A broker of the cluster.", "default": "kafka.example.org"},
            "port": {"description": "The port of its listener for clients.", "default": "9092"},
        },
        "security": [{"type": "plain"}, {"type": "scramSha256"}, {"type": "scramSha512"}, {"type": "X509"}],
    }


def _channel_name(topic: Topic) -> str:
    """`hub.run.changed.v1` as a name that code generators can use: `run_changed_v1`."""
    return topic.name.removeprefix("hub.").replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> Json:
    name = topic.model.__name__
    return {
        "address": topic.name,
        "title": topic.purpose.rstrip("."),
        "description": f"{topic.purpose} Key: {_KEYS[topic.keyed_by]} Kept for {topic.retention_hours // 24} days.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": topic.retention_hours * HOUR_MS,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> Json:
    channel = f"#/channels/{_channel_name(topic)}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "summary": topic.purpose,
        "messages": [{"$ref": f"{channel}/messages/{topic.model.__name__}"}],
        "bindings": {
            "kafka": {
                "groupId": {
                    "type": "string",
                    "description": "A group of your own; names beginning with hub. are ours.",
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic, schemas: dict[str, Any], examples: Path) -> Json:
    name = topic.model.__name__
    return {
        "name": name,
        "title": name,
        "summary": topic.purpose,
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": f"#/components/schemas/{_taken_in(topic, schemas)}"},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "examples": [{"name": name, "payload": json.loads((examples / f"{topic.name}.json").read_text("utf-8"))}],
        "bindings": {
            "kafka": {"key": {"type": "string", "description": _KEYS[topic.keyed_by]}, "bindingVersion": "0.5.0"}
        },
    }


def _taken_in(topic: Topic, schemas: dict[str, Any]) -> str:
    """Adds the model's schema and those it refers to; returns its name. ValueError where one name means two things."""
    made: Json = topic.model.model_json_schema(ref_template="#/components/schemas/{model}")  # type: ignore[union-attr]
    found = {**made.pop("$defs", {}), topic.model.__name__: made}
    for name, schema in found.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"Two public models are called {name}; subscribers could not tell them apart.")
    return topic.model.__name__


def _headers() -> Json:
    """CloudEvents in the binary mode of its Kafka binding. All values are text."""
    meanings: Mapping[str, Json] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"description": "Names this sending. An event that is sent again may have another id."},
        "ce_type": {"description": "The topic's name, which ends in the major version."},
        "ce_source": {"description": "The service that sent it.", "examples": ["hub/loader"]},
        "ce_time": {"format": "date-time", "description": "When it was sent, UTC."},
        "ce_subject": {"description": "The session's id."},
        "ce_run": {"pattern": "^[0-9]+$", "description": "The run's number, on events of runs."},
        "ce_batch": {"pattern": "^[0-9]+$", "description": "The batch's number, on events of batches."},
        "ce_causationid": {"description": "`ce_id` of the message that this one answers."},
        "ce_correlationid": {"description": "`ce_id` of the message that the whole chain began with."},
        "content-type": {"const": "application/json"},
    }
    properties = {name: {"type": "string", **meaning} for name, meaning in meanings.items()}
    return {"type": "object", "required": list(_ALWAYS_SENT), "properties": properties}
