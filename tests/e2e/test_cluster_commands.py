"""The hub as processes of their own on a real Kafka broker: api, services, topics, dead letters."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from shared.messages.topics import SESSION_SAMPLED
from tests.e2e.hub_command import JOBBER, Answer, comparable
from tests.support.cluster import SERVICES, TOKEN, HubCluster, hub_cluster, problems_of
from tests.support.kafka_broker import KafkaBrokerHandle, OwnBroker, free_port

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def cluster(kafka_broker: KafkaBrokerHandle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubCluster]:
    """Topics of its own on the broker, SQLite for the rest, and no process yet."""
    settings = {
        "HUB_BUS": f"kafka://{kafka_broker.bootstrap}",
        "HUB_TOPIC_PREFIX": f"t{secrets.token_hex(4)}.",
        "HUB_TOPIC_PARTITIONS": "4",
        "HUB_KAFKA_SESSION_SECONDS": "6",
    }
    with hub_cluster(tmp_path_factory.mktemp("cluster"), settings) as made:
        yield made


@pytest.fixture(scope="module")
def topics(cluster: HubCluster) -> list[dict[str, Any]]:
    """The topics, created."""
    done = cluster.run("topics", "create", "--json")
    assert done.returncode == 0, done.stderr
    created: list[dict[str, Any]] = json.loads(done.stdout)
    return created


@pytest.fixture(scope="module")
def server(cluster: HubCluster, topics: list[dict[str, Any]]) -> str:
    """Address of the API of a cluster whose five services run."""
    [api, *_] = cluster.start("api", *SERVICES)
    cluster.wait_until_ready()
    return api.url


def test_topics_are_created_once_and_listed(cluster: HubCluster, topics: list[dict[str, Any]]) -> None:
    again = json.loads(cluster.run("topics", "create", "--json").stdout)
    listed = json.loads(cluster.run("topics", "list", "--json").stdout)

    assert all(topic["created"] for topic in topics)
    assert not any(topic["created"] for topic in again)
    assert {topic["partitions"] for topic in listed if not topic["name"].endswith(".dlq")} == {4}
    assert any(topic["name"].endswith(".dlq") for topic in listed)


def test_an_import_reports_like_the_embedded_one_while_loaders_come_and_go(
    cluster: HubCluster, server: str, jobber_import: tuple[Answer, Path]
) -> None:
    [leaving] = cluster.start("loader")
    cluster.wait_until_ready()

    with cluster.background(*_import(server, *JOBBER), "--batch-size", "20") as running:
        cluster.wait_for_run(server)
        code = leaving.stop()
        cluster.start("loader")

    assert code == 0
    assert [problem for problem in problems_of(leaving.log()) if problem.get("event") != GROUP_IS_MADE] == []
    assert comparable(running.json()) == comparable(jobber_import[0].json)


def test_a_command_without_server_works_on_the_bus_and_stores_of_the_settings(cluster: HubCluster, server: str) -> None:
    [customers, *_] = JOBBER

    done = cluster.run("import", customers, "--yes", "--json")
    sessions = json.loads(cluster.run("sessions", "--server", server, "--token", TOKEN, "--json").stdout)

    assert json.loads(done.stdout)["entities"]["customers"]["extracted"] == 163
    assert json.loads(done.stdout)["session"] in {session["id"] for session in sessions}


async def test_a_message_that_cannot_be_handled_is_listed_and_replayed(cluster: HubCluster, server: str) -> None:
    session = json.loads(cluster.run("sessions", "--server", server, "--token", TOKEN, "--json").stdout)[0]["id"]
    remote = ("--server", server, "--token", TOKEN, "--session", session, "--json")
    await _poison(cluster, SESSION_SAMPLED.name, session)
    [letter] = cluster.poll(lambda: json.loads(cluster.run("dead-letters", "list", *remote).stdout))

    counted = cluster.run("dead-letters", "replay", *remote, "--dry-run")
    refused = cluster.run("dead-letters", "replay", *remote)
    replayed = cluster.run("dead-letters", "replay", *remote, "--yes")
    again = cluster.poll(lambda: json.loads(cluster.run("dead-letters", "list", *remote).stdout)[1:])
    audit = json.loads(cluster.api(server, "/dead-letters/replays")[1])["items"]

    assert (letter["topic"], letter["code"], letter["size_bytes"]) == (SESSION_SAMPLED.name, "undecodable_message", 8)
    assert json.loads(counted.stdout)["matched"] == 1
    assert (refused.returncode, "--yes" in refused.stderr) == (1, True)
    assert json.loads(replayed.stdout)["replayed"] == 1
    assert [found["code"] for found in again] == ["undecodable_message"]
    assert [(entry["wanted"]["session"], entry["replayed"]) for entry in audit] == [(session, 1)]


def test_the_health_names_a_service_of_which_no_process_runs(cluster: HubCluster, server: str) -> None:
    analyze = next(member for member in cluster.members if member.name == "analyze")
    before = json.loads(cluster.api(server, "/health")[1])

    analyze.stop()
    after = json.loads(cluster.api(server, "/health")[1])

    assert (before["state"], before["missing"]) == ("running", [])
    assert [missing["next_step"] for missing in after["missing"]] == ["Start one with `hub service analyze`."]


@pytest.mark.mongo
def test_an_import_into_mongodb_and_gridfs_reports_like_the_embedded_one(
    cluster: HubCluster, any_mongo_url: str, tmp_path: Path, jobber_import: tuple[Answer, Path]
) -> None:
    cluster.stop()  # two of them at once would need the memory of both
    places = {"HUB_STORE": any_mongo_url, "HUB_FILES": "gridfs", "HUB_TOPIC_PREFIX": f"t{secrets.token_hex(4)}."}
    with hub_cluster(tmp_path, {**cluster.settings, **places}) as on_mongo:
        assert on_mongo.run("topics", "create").returncode == 0
        [api, *_] = on_mongo.start("api", *SERVICES)
        on_mongo.wait_until_ready()

        done = on_mongo.run(*_import(api.url, *JOBBER))

    assert comparable(json.loads(done.stdout)) == comparable(jobber_import[0].json)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cache"]


def test_security_settings_reach_the_broker(own_kafka: OwnBroker, tmp_path: Path) -> None:
    secure = own_kafka.secure
    (tmp_path / "password").write_text(secure.password)
    (tmp_path / "wrong").write_text("not-the-password")
    settings = {
        "HUB_BUS": f"kafka://{secure.sasl_tls}",
        "HUB_KAFKA_PROTOCOL": "SASL_SSL",
        "HUB_KAFKA_MECHANISM": "SCRAM-SHA-256",
        "HUB_KAFKA_USERNAME": secure.username,
        "HUB_KAFKA_CA_FILE": str(secure.ca_file),
        "HUB_TOPIC_PREFIX": f"t{secrets.token_hex(4)}.",
    }
    with hub_cluster(tmp_path, settings) as cluster:
        right = cluster.run("topics", "list", "--json", HUB_KAFKA_PASSWORD_FILE=str(tmp_path / "password"))
        wrong = cluster.run("topics", "list", HUB_KAFKA_PASSWORD_FILE=str(tmp_path / "wrong"))

    assert (right.returncode, wrong.returncode) == (0, 1), right.stderr
    assert {topic["exists"] for topic in json.loads(right.stdout)} == {False}
    assert "HUB_KAFKA_MECHANISM, the user name, the password" in wrong.stderr
    assert "not-the-password" not in wrong.stderr


def test_processes_wait_for_a_broker_that_is_away_and_stop_when_told(tmp_path: Path) -> None:
    with hub_cluster(tmp_path, {"HUB_BUS": f"kafka://127.0.0.1:{free_port()}", "HUB_HTTP_PORT": "0"}) as cluster:
        port = free_port()
        [loader] = cluster.start("loader", HUB_HTTP_PORT=str(port))
        url = f"http://127.0.0.1:{port}"
        assert cluster.poll(lambda: cluster.answers(url, "/live")) == 204
        assert cluster.answers(url, "/ready") == 503

        cluster.poll(lambda: "broker_not_reached" in loader.log())
        assert loader.stop() == 0


def test_a_process_without_a_shared_bus_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with hub_cluster(tmp_path, {}) as cluster:
        api, service = cluster.run("api"), cluster.run("service", "loader")

    assert (api.returncode, service.returncode) == (1, 1)
    assert "HUB_BUS is not set" in api.stderr
    assert "`hub service loader` is one of several" in service.stderr


def test_settings_are_shown_instead_of_starting(tmp_path: Path) -> None:
    with hub_cluster(tmp_path, {"HUB_BUS": "kafka://a:9092"}) as cluster:
        shown = cluster.run("service", "loader", "--show-settings").stdout

    assert TOKEN not in shown
    assert "kafka://a:9092" in shown
    assert "(environment)" in shown


GROUP_IS_MADE = "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError"
"""Said by the client library while the broker makes the topic of its groups, once in the broker's life."""


def _import(server: str, *paths: Path) -> tuple[object, ...]:
    return ("import", *paths, "--server", server, "--token", TOKEN, "--yes", "--json")


async def _poison(cluster: HubCluster, topic: str, session: str) -> None:
    """A message of the session that nobody can decode."""
    producer = AIOKafkaProducer(bootstrap_servers=cluster.settings["HUB_BUS"].removeprefix("kafka://"))
    await producer.start()
    try:
        headers = [("ce_id", b"1"), ("ce_subject", session.encode()), ("ce_type", topic.encode())]
        await producer.send_and_wait(cluster.settings["HUB_TOPIC_PREFIX"] + topic, b"no JSON!", headers=headers)
    finally:
        await producer.stop()
