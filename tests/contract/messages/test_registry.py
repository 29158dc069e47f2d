"""The registry of topics: names, owners, keys, and that the services consume exactly what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.messages.envelope import Topic
from shared.messages.topics import TOPICS, consumer_group, dead_letter_topic

SERVICES = {"ingest", "analyze", "mapper", "loader", "status"}
KEYS = {"batch", "file", "run", "session"}
PARTICIPLES = r"[a-z]+(?:-[a-z]+)*ed|found"
"""Regular past participles and the irregular ones in use; `requested` is one of them."""
NAME = re.compile(rf"hub\.[a-z]+(?:-[a-z]+)*\.(?:{PARTICIPLES})\.v[1-9][0-9]*")

ROOT = Path(__file__).parents[3]


def is_well_formed(name: str) -> bool:
    """Whether a topic's name has the form `hub.<subject>.<past participle or 'requested'>.v<major>`."""
    return NAME.fullmatch(name) is not None


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_has_a_name_of_the_agreed_form(topic: Topic) -> None:
    assert is_well_formed(topic.name)


@pytest.mark.parametrize(
    "name",
    ["hub.run.changed", "hub.run_state.changed.v1", "hub.Run.changed.v1", "hub.run.change.v1", "run.changed.v1",
     "hub.run.changed.v0", "hub.mapper.v1"],
)  # fmt: skip
def test_a_name_of_another_form_is_refused(name: str) -> None:
    assert not is_well_formed(name)


def test_names_are_unique() -> None:
    names = [topic.name for topic in TOPICS]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_producer_and_consumers_are_services(topic: Topic) -> None:
    assert topic.producer in SERVICES
    assert set(topic.consumers) <= SERVICES


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_key_is_one_of_the_four(topic: Topic) -> None:
    assert topic.keyed_by in KEYS


def test_services_are_folders_of_the_project() -> None:
    assert all((ROOT / "services" / name / "service.py").is_file() for name in SERVICES)


def test_no_two_consumer_groups_share_a_name() -> None:
    groups = [consumer_group(service, topic) for topic in TOPICS for service in topic.consumers]

    assert len(groups) == len(set(groups))


def test_a_dead_letter_topic_names_topic_and_group() -> None:
    assert dead_letter_topic("hub.run.changed.v1", "hub.status.run-changed") == (
        "hub.run.changed.v1.hub.status.run-changed.dlq"
    )
