"""Who may import what: the contracts hold, they fire, and pure modules of the services stay pure."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, imports_of, name_of, parsed, python_files

KNOWN_NAMES = {"__init__.py", "service.py", "handlers.py", "api.py"}
"""Every other module of a service is a pure decision, unless it stands below."""

WITH_PORTS = {
    "services/ingest/caretaker.py": "looks from time to time for what was left, lost or forgotten",
    "services/ingest/landing.py": "lands files through worker processes",
    "services/ingest/runs.py": "keeps runs in the document store and sends through the outbox",
    "services/ingest/sessions.py": "keeps sessions, samples files through worker processes",
    "services/ingest/starting.py": "numbers runs and starts them over the stores",
    "services/loader/destination_hub.py": "the destination that is the hub's own record store",
    "services/mapper/language_model.py": "asks an endpoint over HTTP",
    "services/mapper/mappings.py": "keeps mappings in the document store and sends through the outbox",
    "services/mapper/memory_store.py": "keeps what approvals taught in the document store",
    "services/status/error_file.py": "reads problems and landed files while it writes the error file",
    "services/status/progress.py": "reads outcomes and feeds the listeners of the progress stream",
}
"""Modules that work on the services' ports: effects, no drivers."""

VALUE_TYPES = {
    "services/loader/audit.py": {"shared.connectors.destination"},
    "services/loader/exporting.py": {"shared.connectors.destination", "shared.storage.records"},
    "services/loader/load_planning.py": {"shared.connectors.destination"},
    "services/loader/sealing.py": {"shared.storage.staging"},
    "services/status/counting.py": {"shared.storage.outcomes"},
    "services/status/repeats.py": {"shared.storage.outcomes"},
}
"""Pure modules that take or give the plain tuples in which a port speaks (RecordRow, StagedKeys, Outcome)."""

PURE = ("shared.catalog", "shared.errors", "shared.matching", "shared.messages")
WORKER_ENTRIES = ("shared.connectors", "shared.runtime.workers")
"""`*_work.py` modules run in worker processes: they read landed files and report progress."""
COMPUTING = {"msgspec", "numpy", "phonenumbers", "pydantic", "rapidfuzz", "yaml", "zstandard"}
IMPURE_STANDARD = {
    "asyncio", "fcntl", "http", "logging", "multiprocessing", "os", "random", "secrets", "select", "signal", "socket",
    "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip


def forbidden_imports(path: str, tree: ast.Module) -> set[str]:
    """What a pure module imports and may not."""
    service = ".".join(path.split("/")[:2])
    allowed = (*PURE, service, *VALUE_TYPES.get(path, ()), *(WORKER_ENTRIES if path.endswith("_work.py") else ()))
    return {
        module
        for module in imports_of(tree)
        if not any(module == name or module.startswith(f"{name}.") for name in allowed)
        and module.split(".")[0] not in COMPUTING
        and not (module.split(".")[0] in sys.stdlib_module_names and module.split(".")[0] not in IMPURE_STANDARD)
    }


def pure_modules() -> list[str]:
    """Every module of a service that is neither one of the known names nor works on ports."""
    services = [path for path in python_files("services") if len(path.relative_to(ROOT).parts) > 2]
    return [
        name
        for path in services
        if path.name not in KNOWN_NAMES
        and (name := name_of(path)) not in WITH_PORTS
        and not name.startswith(("services/cli/", "services/console/"))
    ]


def test_pure_modules_import_no_driver_clock_broker_or_web() -> None:
    found = {name: forbidden_imports(name, parsed(ROOT / name)) for name in pure_modules()}

    assert {name: modules for name, modules in found.items() if modules} == {}


@pytest.mark.parametrize(
    "line",
    ["import sqlite3", "import time", "from fastapi import APIRouter", "from shared.storage.files import Files",
     "import structlog", "from shared.runtime import WorkerPool", "from services.loader import linking"],
)  # fmt: skip
def test_what_a_pure_module_may_not_import_is_found(line: str) -> None:
    assert len(forbidden_imports("services/mapper/record_keys.py", ast.parse(line))) == 1


@pytest.mark.parametrize("name", sorted({*WITH_PORTS, *VALUE_TYPES}))
def test_an_exception_belongs_to_a_module_that_exists(name: str) -> None:
    assert (ROOT / name).is_file()


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports_command; "
               "sys.path.insert(0, '.'); lint_imports_command(['--no-cache'])"]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code that a test may spoil."""
    for folder in ("services", "shared"):
        for path in python_files(folder):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(copy: Path) -> None:
    result = _lint(copy)

    assert result.returncode == 0, result.stdout


VIOLATIONS = {
    "services/mapper/record_checks.py": "import services.loader.linking",
    "services/status/counting.py": "import services.app",
    "shared/security/principal.py": "import services.status.report",
    "shared/catalog/model.py": "import shared.storage.files",
    "services/ingest/window.py": "import sqlite3",
    "shared/storage/files.py": "import shared.runtime.workers",
}


def test_every_contract_fires(copy: Path) -> None:
    for name, line in VIOLATIONS.items():
        path = copy / name
        path.write_text(f"{path.read_text()}\n{line}\n")

    result = _lint(copy)

    assert result.returncode == 1
    assert "Contracts: 0 kept, 6 broken." in result.stdout
