"""Documents say what the code does: links, commands, settings, topics, decisions, dependencies, generated files."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from services.app import embedded_hub
from services.cli.main import app
from services.openapi import is_fresh, openapi_text
from shared.messages.envelope import Outgoing
from shared.messages.topics import TOPICS
from shared.runtime import Service
from tests.architecture.project import ROOT, files, name_of, python_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "shared/decisions").glob("[0-9]*.md"))
HEADINGS = ["Context", "Options", "Choice", "Consequences", "Revisit when"]
SERVICES = ["analyze", "ingest", "loader", "mapper", "status"]

_LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")
_SETTING = re.compile(r"\bHUB_[A-Z][A-Z_]*[A-Z]\b")


def broken_links(document: Path, text: str) -> list[str]:
    """Links to files that are not there."""
    targets = [target for target in _LINK.findall(text) if "://" not in target]
    return [target for target in targets if not (document.parent / target).exists()]


def test_links_between_documents_lead_somewhere() -> None:
    found = {
        name_of(path): broken_links(path, path.read_text(encoding="utf-8")) for path in files() if path.suffix == ".md"
    }

    assert {name: links for name, links in found.items() if links} == {}


def test_a_broken_link_is_found() -> None:
    assert broken_links(ROOT / "README.md", "[a](LICENSE) [b](no/such/file.md) [c](https://example.org)") == [
        "no/such/file.md"
    ]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_parts_in_order_and_fits_a_page(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith(f"# {path.name[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 70


def test_every_decision_is_in_the_list() -> None:
    listed = _LINK.findall((ROOT / "shared/decisions/README.md").read_text(encoding="utf-8"))

    assert listed == [path.name for path in DECISIONS]


def declared_dependencies() -> set[str]:
    """Names of all direct dependencies of pyproject.toml, lower case."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    return {re.split(r"[\[<>=~! ;]", line)[0].lower() for line in declared}


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "shared/decisions/0008-dependencies.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([A-Za-z0-9-]+) \|", text, re.MULTILINE)) - {"taken"}

    assert {row.lower() for row in rows} == declared_dependencies()


def test_every_dependency_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]

    assert declared_dependencies() <= {pin.split("==")[0].lower() for pin in pins}
    assert [pin.split("==")[0] for pin in pins if "--hash=sha256:" not in pin] == []


def settings_in_code() -> set[str]:
    """Names of settings: HUB_* texts in the code, and the fields of the settings of processes and of the API."""
    from services.settings import HubSettings
    from shared.http.settings import HttpSettings

    texts = "\n".join(
        path.read_text(encoding="utf-8")
        for path in python_files("services", "shared")
        if path.name != "fail_points.py"  # for tests only; shared/README.md tells them
    )
    fields = {**HttpSettings.model_fields, **HubSettings.model_fields}
    return set(_SETTING.findall(texts)) | {f"HUB_{name.upper()}" for name in fields}


def test_the_readme_lists_every_setting_and_no_other() -> None:
    listed = {
        name
        for line in README.splitlines()
        if line.startswith("| `HUB_")
        for name in _SETTING.findall(line.split("|")[1])
    }

    assert listed == settings_in_code()


def commands(group: typer.Typer, prefix: str = "") -> set[str]:
    """Every command of the program: 'import', 'mapping show' ..."""
    own = {
        f"{prefix}{command.name or command.callback.__name__.strip('_')}"  # type: ignore[union-attr]
        for command in group.registered_commands
    }
    for nested in group.registered_groups:
        assert nested.typer_instance is not None
        own |= commands(nested.typer_instance, f"{prefix}{nested.name} ")
    return own


def commands_named_in(text: str) -> set[str]:
    """`hub ...` commands of code spans and blocks."""
    found = set()
    groups = "mapping memory |mapping |topics |dead-letters "
    for match in re.finditer(rf"(?:`|/|^)hub ((?:{groups})?[a-z][a-z-]*)", text, re.MULTILINE):
        found.add(match.group(1))
    return found


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_commands_that_documents_name_exist(name: str) -> None:
    assert commands_named_in((ROOT / name).read_text(encoding="utf-8")) - commands(app) == set()


def test_a_command_that_does_not_exist_is_found() -> None:
    text = "`hub frobnicate`, then .venv/bin/hub mapping show; and the hub is happy"

    assert commands_named_in(text) - commands(app) == {"frobnicate"}


def test_every_command_is_in_the_readme_or_the_changelog() -> None:
    words = set(re.findall(r"[a-z-]+", README + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))

    assert {command for command in commands(app) if not set(command.split()) <= words} == set()


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([a-z_.]+)", README))))
def test_modules_that_the_readme_runs_exist(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


def test_the_readme_holds_one_test_command_and_ci_runs_it() -> None:
    printed = subprocess.run([ROOT / ".ci/run", "--print-test-command"], capture_output=True, text=True, check=True)

    command = printed.stdout.strip()

    assert command in README.splitlines()
    assert command.endswith(" && .venv/bin/pytest")


def test_both_commands_of_the_readme_set_up_the_same_environment() -> None:
    first, second = (line for line in README.splitlines() if line.startswith("python3 -m venv"))

    assert first.split(" && ")[:3] == second.split(" && ")[:3]
    assert "--require-hashes -r requirements.lock" in first


def test_files_that_the_readme_imports_exist() -> None:
    paths = re.findall(r"examples/[a-z_]+/[a-z]+\.csv", README)

    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


class NotingRuntime:
    """Takes note of the services and runs nothing."""

    def __init__(self) -> None:
        self.services: list[Service] = []

    def add(self, service: Service, members: int = 1) -> None:
        self.services.append(service)

    async def start(self) -> None: ...

    async def stop(self, timeout_seconds: float = 30.0) -> None: ...

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        raise AssertionError("nothing is published here")


@pytest.fixture
async def services(tmp_path: Path) -> list[Service]:
    """The services as the hub declares them."""
    runtime = NotingRuntime()
    async with embedded_hub(tmp_path, workers=1, runtime=runtime):  # type: ignore[arg-type]
        return runtime.services


async def test_services_consume_what_the_registry_says(services: list[Service]) -> None:
    routes = {(service.name, route.topic.name) for service in services for route in service.routes}

    assert routes == {(consumer, topic.name) for topic in TOPICS for consumer in topic.consumers}


async def test_the_embedded_hub_is_made_of_the_five_services(services: list[Service]) -> None:
    assert sorted(service.name for service in services) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_its_topics_in_its_readme(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    own = {topic.name for topic in TOPICS if topic.producer == service or service in topic.consumers}

    assert set(re.findall(r"hub\.[a-z.-]+\.v\d+", text)) == own


async def test_the_openapi_document_is_that_of_the_routes() -> None:
    assert is_fresh(await openapi_text())


def test_a_stale_openapi_document_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text("{}")

    assert not is_fresh('{"paths": {}}', document)
    assert not is_fresh("{}", tmp_path / "missing.json")
