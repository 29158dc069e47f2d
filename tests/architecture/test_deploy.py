"""docker-compose.yml and deploy/Dockerfile: valid, safe, in step with the code; every rule has a test that it fires."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from deploy.kafka.artifacts import kafka_version
from deploy.kafka.properties import SETTINGS
from services.locations import GridFs, KafkaCluster, MongoServer
from services.settings import load_settings
from tests.architecture import compose_rules, dockerfile_rules
from tests.architecture.project import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
README = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

Change = Callable[[dict[str, Any]], object]


def schema_problems(document: dict[str, Any]) -> list[str]:
    """What the Compose Specification's own schema says against a document."""
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    validator = validator_for(schema)(schema)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(document)]


def changed(change: Change) -> dict[str, Any]:
    """The compose file with one thing changed, its parts no longer shared by anchors."""
    document: dict[str, Any] = json.loads(json.dumps(COMPOSE))
    change(document)
    return document


# ---- docker-compose.yml -------------------------------------------------------------------------------------------


def test_the_compose_file_fits_the_specification() -> None:
    assert schema_problems(COMPOSE) == []


def test_what_the_specification_does_not_know_is_found() -> None:
    spoiled = changed(lambda document: document["services"]["loader"].update(replicas=4))

    assert len(schema_problems(spoiled)) == 1


def test_the_compose_file_keeps_the_rules() -> None:
    assert compose_rules.problems(COMPOSE) == []


SPOILED: dict[str, tuple[Change, str]] = {
    "latest": (lambda d: d["services"]["kafka"].update(image="apache/kafka:latest"),
               "kafka: the image apache/kafka:latest is not pinned to a version"),
    "major only": (lambda d: d["services"]["mongo"].update(image="mongo:8"),
                   "mongo: the image mongo:8 is not pinned to a version"),
    "a service is missing": (lambda d: d["services"].pop("mapper"), "nothing runs `hub service mapper`"),
    "no topics": (lambda d: d["services"]["topics"].update(command=["topics", "list"]),
                  "nothing runs `hub topics create`"),
    "no health check": (lambda d: d["services"]["status"].pop("healthcheck"), "status: no health check"),
    "no memory limit": (lambda d: d["services"]["mongo"]["deploy"]["resources"]["limits"].pop("memory"),
                        "mongo: no limit of memory"),
    "a password": (lambda d: d["services"]["mongo"]["environment"].update(MONGO_INITDB_ROOT_PASSWORD="hunter2"),
                   "mongo: MONGO_INITDB_ROOT_PASSWORD is written down or has a default"),
    "a default token": (lambda d: d["services"]["api"]["environment"].update(HUB_OWNER_TOKEN="${HUB_OWNER_TOKEN:-x}"),
                        "api: HUB_OWNER_TOKEN is written down or has a default"),
    "a password in a url": (lambda d: d["services"]["api"]["environment"].update(HUB_STORE="mongodb://hub:pw@mongo/hub"),
                            "api: HUB_STORE holds a password"),
    "a fixed port": (lambda d: d["services"]["loader"].update(ports=["127.0.0.1:8081:8080"]),
                     "loader: ports stands in the way of --scale"),
    "a fixed name": (lambda d: d["services"]["loader"].update(container_name="loader"),
                     "loader: container_name stands in the way of --scale"),
    "an open port": (lambda d: d["services"]["api"].update(ports=["8080:8080"]),
                     "api: port 8080:8080 is open to the network"),
    "privileged": (lambda d: d["services"]["kafka"].update(privileged=True), "kafka: has rights over the machine"),
    "host network": (lambda d: d["services"]["mongo"].update(network_mode="host"),
                     "mongo: has rights over the machine"),
    "the engine": (lambda d: d["services"]["api"].update(volumes=["/var/run/docker.sock:/var/run/docker.sock"]),
                   "api: can command the Docker engine"),
    "new privileges": (lambda d: d["services"]["ingest"].pop("security_opt"), "ingest: may gain privileges"),
    "writable": (lambda d: d["services"]["analyze"].update(read_only=False),
                 "analyze: its root file system can be written"),
    "capabilities": (lambda d: d["services"]["mapper"].pop("cap_drop"), "mapper: keeps capabilities"),
    "no time to stop": (lambda d: d["services"]["loader"].update(stop_grace_period="30s"),
                        "loader: is killed before its 30 s to stop have passed"),
    "starts too early": (lambda d: d["services"]["loader"].pop("depends_on"), "loader: does not wait for the topics"),
    "waits for a start only": (lambda d: d["services"]["topics"]["depends_on"]["kafka"].update(condition="service_up"),
                               "topics: waits for kafka in the wrong way"),
    "data in the container": (lambda d: d["services"]["mongo"].pop("volumes"),
                              "mongo: its data is not on a named volume"),
    "data on the machine": (lambda d: d["services"]["kafka"].update(volumes=["./kafka:/var/lib/kafka/data"]),
                            "kafka: its data is not on a named volume"),
    "a setting nobody knows": (lambda d: d["services"]["status"]["environment"].update(HUB_BUSS="kafka://kafka:9092"),
                               "status: there is no setting HUB_BUSS"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_a_rule_for_the_compose_file_fires(name: str) -> None:
    change, problem = SPOILED[name]

    assert problem in compose_rules.problems(changed(change))


def test_every_rule_for_the_compose_file_has_a_test_that_it_fires() -> None:
    documents = [changed(change) for change, _ in SPOILED.values()]

    fired = {rule.__name__ for rule in compose_rules.RULES for document in documents if list(rule(document))}

    assert fired == {rule.__name__ for rule in compose_rules.RULES}


def test_the_hub_starts_with_the_settings_of_the_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HUB_OWNER_TOKEN": "a" * 64, "HUB_MONGO_PASSWORD": "b" * 48}
    for name, value in compose_rules.environment(COMPOSE["services"]["api"]).items():
        monkeypatch.setenv(name, _with_values(value, given))

    settings = load_settings(shared_bus_for="hub api")

    assert settings.bus_place == KafkaCluster(("kafka:9092",))
    assert settings.store_place == MongoServer(f"mongodb://hub:{'b' * 48}@mongo:27017/hub?authSource=admin")
    assert settings.files_place == GridFs()
    assert (settings.http_port, settings.topic_partitions, settings.stop_seconds) == (8080, 12, 30)


def _with_values(text: str, given: dict[str, str]) -> str:
    """The text as compose fills it in."""
    text = re.sub(r"\$\{([A-Z_]+):\?[^}]*\}", lambda match: given[match.group(1)], text)
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def test_kafka_is_the_one_the_tests_use_and_takes_as_large_messages() -> None:
    kafka = COMPOSE["services"]["kafka"]

    assert kafka["image"] == f"apache/kafka:{kafka_version()}"
    assert kafka["environment"]["KAFKA_MESSAGE_MAX_BYTES"] == SETTINGS["message.max.bytes"]
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == SETTINGS["auto.create.topics.enable"]


def test_the_image_has_the_version_of_the_project() -> None:
    images = {service["image"] for _, service in compose_rules.of_the_hub(COMPOSE)}

    assert images == {f"migration-hub:{VERSION}"}


# ---- deploy/Dockerfile --------------------------------------------------------------------------------------------


def test_the_dockerfile_keeps_the_rules() -> None:
    assert dockerfile_rules.problems(DOCKERFILE) == []


BASE = "FROM python:3.11.14-slim-bookworm"
REPLACED = {
    "latest": (BASE, "FROM python:latest", "the base python:latest is not pinned to a version"),
    "no tag": (BASE, "FROM python", "the base python is not pinned to a version"),
    "add": ("COPY shared shared", "ADD https://example.org/shared.tar.gz shared",
            "ADD fetches and unpacks without a check: take COPY"),
    "a script from the network": ("RUN groupadd", "RUN curl -fsS https://example.org/setup.sh | sh && groupadd",
                                  "a script is run as it comes from the network"),
    "lists of apt": ("RUN groupadd", "RUN apt-get install --no-install-recommends -y tini && groupadd",
                     "apt's lists are left in a layer"),
    "recommended packages": ("RUN groupadd", "RUN apt-get install -y tini && rm -rf /var/lib/apt/lists/* && groupadd",
                             "apt installs recommended packages"),
    "cache of pip": ("pip install --no-cache-dir pip==26.3", "pip install pip==26.3", "pip's cache is left in a layer"),
    "no hashes": ("--require-hashes ", "", "pip installs what is not pinned"),
    "root": ("USER 10001:10001", "USER root", "the user root is root or has no number"),
    "root by number": ("USER 10001:10001", "USER 0:0", "the user 0:0 is root or has no number"),
    "no user": ("USER 10001:10001", "", "the image runs as root"),
    "a compiler": ("RUN groupadd", "RUN apt-get install gcc && groupadd", "a compiler is left in the image"),
    "a shell": ('ENTRYPOINT ["hub"]', "ENTRYPOINT hub", "hub runs in a shell, which keeps signals from it"),
    "no entry": ('ENTRYPOINT ["hub"]', "", "no ENTRYPOINT"),
    "no check": ("HEALTHCHECK", "LABEL", "no HEALTHCHECK in exec form"),
    "a check in a shell": ('CMD ["python", "-c", "', "CMD true # ", "no HEALTHCHECK in exec form"),
    "a secret": ("WORKDIR /data", "ENV HUB_OWNER_TOKEN=abc", "a secret is part of the image"),
    "a relative folder": ("WORKDIR /data", "WORKDIR data", "WORKDIR data depends on the one before"),
}  # fmt: skip


@pytest.mark.parametrize("name", REPLACED)
def test_a_rule_for_the_dockerfile_fires(name: str) -> None:
    old, new, problem = REPLACED[name]
    assert old in DOCKERFILE

    assert problem in dockerfile_rules.problems(DOCKERFILE.replace(old, new))


def test_every_rule_for_the_dockerfile_has_a_test_that_it_fires() -> None:
    spoiled = [dockerfile_rules.stages(DOCKERFILE.replace(old, new)) for old, new, _ in REPLACED.values()]

    fired = {rule.__name__ for rule in dockerfile_rules.RULES for stages in spoiled if list(rule(stages))}

    assert fired == {rule.__name__ for rule in dockerfile_rules.RULES}


def test_what_is_no_dockerfile_is_refused() -> None:
    with pytest.raises(ValueError, match="no instruction of a Dockerfile: INSTALL hub"):
        dockerfile_rules.stages(f"{BASE}\nINSTALL hub\n")


def test_what_the_image_copies_is_sent_to_the_engine() -> None:
    build = dockerfile_rules.stages(DOCKERFILE)[0]
    copied = {name for arguments in build.of("COPY") for name in arguments.split()[:-1]}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}

    assert copied == sent
    assert {name for name in copied if not (ROOT / name).exists()} == set()


# ---- the health check -----------------------------------------------------------------------------------------


@pytest.fixture
def process(request: pytest.FixtureRequest) -> Iterator[int]:
    """Port of something that answers /ready with the status of the parameter, and everything else with 404."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/ready" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health_exit_code(port: int) -> int:
    """What the health check of the compose file ends with."""
    _, python, *arguments = COMPOSE["services"]["loader"]["healthcheck"]["test"]
    assert python == "python"
    environment = {**os.environ, "HUB_HTTP_PORT": str(port)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL, check=False
    ).returncode


@pytest.mark.parametrize(
    ("process", "healthy"), [(200, True), (204, True), (500, False), (503, False)], indirect=["process"]
)
def test_the_health_check_asks_whether_the_process_is_ready(process: int, healthy: bool) -> None:
    assert (health_exit_code(process) == 0) is healthy


def test_the_health_check_fails_where_nobody_answers() -> None:
    assert health_exit_code(1) != 0


def test_image_and_compose_file_check_health_in_the_same_way() -> None:
    (check,) = dockerfile_rules.stages(DOCKERFILE)[-1].of("HEALTHCHECK")

    assert ["CMD", *json.loads(check.partition("CMD ")[2])] == COMPOSE["services"]["loader"]["healthcheck"]["test"]


# ---- deploy/README.md -------------------------------------------------------------------------------------------


def test_the_readme_names_every_variable_that_compose_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))

    assert {name for name in asked if name not in README} == set()


def test_the_readme_says_how_to_scale() -> None:
    assert "docker compose up --scale loader=4" in README
