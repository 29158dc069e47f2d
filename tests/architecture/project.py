"""The project's own files as the architecture tests look at them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Made by tools and by running the hub; none of them is part of the project.
_NOT_OURS = frozenset(
    {".git", ".venv", ".venv-ci", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache",
     "__pycache__", "build", "dist", "hub-data", "hub-reports", ".scratch", "node_modules"}
)  # fmt: skip
_CODE = ("benchmarks", "examples", "services", "shared", "tests")


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project, in order. Works without git, so that a source archive can be checked too."""
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_OURS or path.name.endswith((".egg-info", ".pyc")):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def python_files(*folders: str) -> list[Path]:
    """The Python files below these folders (all code where none is named)."""
    return [path for folder in folders or _CODE for path in files(ROOT / folder) if path.suffix == ".py"]


def text_files() -> Iterator[tuple[Path, str]]:
    """Every file of the project that is text, with its text."""
    for path in files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def name_of(path: Path) -> str:
    """The path as it is written in the project: 'services/app.py'."""
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_of(tree: ast.Module) -> set[str]:
    """Names of the modules that a file imports, at its head or inside a function."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
