"""Names, sizes and contents that no file of the project may have."""

from __future__ import annotations

import ast
import re
from typing import TypeGuard

import pytest

from shared.messages.topics import TOPICS
from tests.architecture.project import ROOT, name_of, parsed, python_files, text_files

BANNED_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py", "base.py"}

LINES_MAX = 500
"""Trouble sits in the largest files: what grows above this is cut into modules named after what they decide."""

SLEEPS = {
    "tests/faults/cluster_walk.py": "watches for processes that die as long as an import goes on",
    "tests/support/tcp_proxy.py": "a slow connection holds what passes",
    "tests/unit/runtime/work.py": "a call that never ends by itself, for tests that kill its worker",
}
"""Files of tests that may sleep otherwise than between two looks of a poll with a deadline, and why."""

# Written in pieces, so that this file does not hold what it looks for.
MACHINE = re.compile(
    "|".join(
        [
            r"/(?:work|home|root|Users|mnt|private)/" + r"[A-Za-z0-9_.-]+/",
            r"/tmp/" + r"(?:venv|brief)",
            r"--(?:extra-)?index" + r"-url",
            r"--find" + r"-links",
            r"https?://[^\s\"')]*/" + r"simple\b",
            r"files\.python" + r"hosted",
        ]
    )
)
MACHINE_TEXT_ALLOWED = {"tests/architecture/test_files.py"}


def test_files_are_named_after_what_they_hold() -> None:
    assert [name_of(path) for path in python_files() if path.name in BANNED_NAMES] == []


def test_files_are_short_enough_to_read() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}

    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def sleeps(tree: ast.Module) -> list[int]:
    """Lines that sleep for more than 0, except inside the loop of a poll whose function knows a deadline or timeout."""
    polls = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and _knows_an_end(function)
        for loop in ast.walk(function)
        if isinstance(loop, ast.While)
        for node in ast.walk(loop)
    }
    return [node.lineno for node in ast.walk(tree) if _is_sleep(node) and id(node) not in polls]


def _is_sleep(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or "sleep" not in (getattr(node.func, "attr", ""), getattr(node.func, "id", "")):
        return False
    return not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)


def _knows_an_end(function: ast.AST) -> bool:
    names = {getattr(node, "id", "") or getattr(node, "attr", "") for node in ast.walk(function)}
    return any("deadline" in name or "timeout" in name for name in map(str.lower, names))


def test_tests_wait_for_conditions_and_do_not_sleep() -> None:
    found = {name_of(path): sleeps(parsed(path)) for path in python_files("tests") if name_of(path) not in SLEEPS}

    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_sleep_is_found() -> None:
    code = """
import asyncio, time
time.sleep(1)
async def waits():
    await asyncio.sleep(0)
    await asyncio.sleep(0.1)
async def polls():
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.1)
async def waits_for_ever():
    while True:
        await asyncio.sleep(0.1)
"""

    assert sleeps(ast.parse(code)) == [3, 6, 13]


def test_exceptions_for_sleeping_are_still_needed() -> None:
    assert [name for name in SLEEPS if not sleeps(parsed(ROOT / name))] == []


def topic_names(tree: ast.AST) -> set[str]:
    """Registered topic names that a file holds as text."""
    names = {topic.name for topic in TOPICS}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts & names


def test_no_topic_name_stands_outside_the_registry() -> None:
    found = {
        name_of(path): topic_names(parsed(path))
        for path in python_files("services", "shared", "benchmarks")
        if name_of(path) != "shared/messages/topics.py"
    }

    assert {name: names for name, names in found.items() if names} == {}


def test_a_topic_name_as_text_is_found() -> None:
    assert topic_names(ast.parse(f"send({TOPICS[0].name!r})")) == {TOPICS[0].name}


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{name_of(path)}: {match.group()}"
        for path, text in text_files()
        if name_of(path) not in MACHINE_TEXT_ALLOWED and (match := MACHINE.search(text))
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    ["see /" + "home/ann/hub/readme", "/" + "work/main/shared", "--index" + "-url https://example.org",
     "https://packages.example.org/" + "simple"],
)  # fmt: skip
def test_a_machine_or_a_registry_is_found(text: str) -> None:
    assert MACHINE.search(text)
