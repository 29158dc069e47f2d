"""What a compose file of this project must be like; each rule gives the problems it finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from services.app import SERVICES
from services.settings import HubSettings

Document = dict[str, Any]
Rule = Callable[[Document], Iterator[str]]

HUB_IMAGE = "migration-hub"
PARTS = ("kafka", "mongo")
"""What is not ours."""
SECRET_NAME = re.compile(r"PASSWORD|TOKEN|SECRET|CREDENTIAL|PRIVATE_KEY")
REQUIRED_REFERENCE = re.compile(r"\$\{[A-Z_]+:\?[^}]+\}")
"""`${NAME:?what to do}`: comes from outside, and nothing starts without it."""

_PINNED = re.compile(r":v?\d+\.\d+(\.\d+)?[\w.-]*$|@sha256:[0-9a-f]{64}$")
_CREDENTIALS_IN_URL = re.compile(r"://[^/@\s]*:([^/@\s]*)@")
_SECONDS = re.compile(r"(\d+)s")


def problems(document: Document) -> list[str]:
    """Everything that is wrong."""
    return [problem for rule in RULES for problem in rule(document)]


def services(document: Document) -> Iterator[tuple[str, Document]]:
    """(name, service)"""
    yield from document["services"].items()


def of_the_hub(document: Document) -> Iterator[tuple[str, Document]]:
    """(name, service) of those that run our image."""
    return ((name, one) for name, one in services(document) if one["image"].startswith(f"{HUB_IMAGE}:"))


def environment(service: Document) -> dict[str, str]:
    """Its variables as texts."""
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def is_job(service: Document) -> bool:
    """Whether it does one thing and ends."""
    return service.get("restart") == "no"


def images_are_pinned(document: Document) -> Iterator[str]:
    for name, service in services(document):
        if not _PINNED.search(service["image"]):
            yield f"{name}: the image {service['image']} is not pinned to a version"


def everything_runs_that_a_cluster_needs(document: Document) -> Iterator[str]:
    commands = [service.get("command") for _, service in services(document)]
    for wanted in (["topics", "create"], ["api"], *(["service", name] for name in SERVICES)):
        if wanted not in commands:
            yield f"nothing runs `hub {' '.join(wanted)}`"


def health_is_checked(document: Document) -> Iterator[str]:
    for name, service in services(document):
        if not is_job(service) and not service.get("healthcheck", {}).get("test"):
            yield f"{name}: no health check"


def resources_are_limited(document: Document) -> Iterator[str]:
    for name, service in services(document):
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        for resource in ("cpus", "memory", "pids"):
            if resource not in limits:
                yield f"{name}: no limit of {resource}"


def no_secret_stands_in_the_file(document: Document) -> Iterator[str]:
    for name, service in services(document):
        for variable, value in environment(service).items():
            if SECRET_NAME.search(variable) and not REQUIRED_REFERENCE.fullmatch(value):
                yield f"{name}: {variable} is written down or has a default"
            for password in _CREDENTIALS_IN_URL.findall(value):
                if not REQUIRED_REFERENCE.fullmatch(password):
                    yield f"{name}: {variable} holds a password"


def services_can_be_scaled(document: Document) -> Iterator[str]:
    for name, service in of_the_hub(document):
        for key in ("container_name", "hostname", *(["ports"] if name != "api" else [])):
            if key in service:
                yield f"{name}: {key} stands in the way of --scale"


def ports_are_published_on_this_machine_only(document: Document) -> Iterator[str]:
    for name, service in services(document):
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is open to the network"


def nothing_has_more_rights_than_it_needs(document: Document) -> Iterator[str]:
    for name, service in services(document):
        if service.get("privileged") or service.get("cap_add") or "host" in (
            service.get("network_mode"), service.get("pid"), service.get("ipc")
        ):  # fmt: skip
            yield f"{name}: has rights over the machine"
        if any("docker.sock" in str(volume) for volume in service.get("volumes", [])):
            yield f"{name}: can command the Docker engine"
        if "no-new-privileges:true" not in service.get("security_opt", []):
            yield f"{name}: may gain privileges"


def the_hub_cannot_write_to_its_image(document: Document) -> Iterator[str]:
    for name, service in of_the_hub(document):
        if service.get("read_only") is not True:
            yield f"{name}: its root file system can be written"
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name}: keeps capabilities"


def a_stop_has_time(document: Document) -> Iterator[str]:
    for name, service in of_the_hub(document):
        grace = _SECONDS.fullmatch(str(service.get("stop_grace_period", "10s")))
        needed = int(environment(service)["HUB_STOP_SECONDS"])
        if grace is None or int(grace.group(1)) <= needed:
            yield f"{name}: is killed before its {needed} s to stop have passed"


def starts_wait_for_what_they_need(document: Document) -> Iterator[str]:
    wanted = {"kafka": "service_healthy", "mongo": "service_healthy", "topics": "service_completed_successfully"}
    for name, service in services(document):
        for other, how in service.get("depends_on", {}).items():
            if other not in wanted or how.get("condition") != wanted[other]:
                yield f"{name}: waits for {other} in the wrong way"
    for name, service in of_the_hub(document):
        if not is_job(service) and "topics" not in service.get("depends_on", {}):
            yield f"{name}: does not wait for the topics"


def data_lies_on_named_volumes(document: Document) -> Iterator[str]:
    for name in PARTS:
        volumes = [str(volume).split(":")[0] for volume in document["services"][name].get("volumes", [])]
        if not volumes or not set(volumes) <= set(document.get("volumes", {})):
            yield f"{name}: its data is not on a named volume"


def settings_are_those_of_the_hub(document: Document) -> Iterator[str]:
    known = {f"HUB_{name.upper()}" for name in HubSettings.model_fields}
    for name, service in of_the_hub(document):
        for variable in environment(service):
            if variable not in known:
                yield f"{name}: there is no setting {variable}"


RULES: tuple[Rule, ...] = (
    images_are_pinned,
    everything_runs_that_a_cluster_needs,
    health_is_checked,
    resources_are_limited,
    no_secret_stands_in_the_file,
    services_can_be_scaled,
    ports_are_published_on_this_machine_only,
    nothing_has_more_rights_than_it_needs,
    the_hub_cannot_write_to_its_image,
    a_stop_has_time,
    starts_wait_for_what_they_need,
    data_lies_on_named_volumes,
    settings_are_those_of_the_hub,
)
