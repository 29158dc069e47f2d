"""The README's first command does what the README shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.architecture.project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPLETED_WITH_ERRORS = 2


def table(text: str) -> list[list[str]]:
    """Rows of counts: entity type and its seven numbers."""
    rows = [line.split() for line in text.splitlines()]
    return [row for row in rows if len(row) == 8 and all(re.fullmatch(r"[\d,]+", cell) for cell in row[1:])]


def test_the_first_command_of_the_readme_prints_what_the_readme_shows(tmp_path: Path) -> None:
    first = next(line for line in README.splitlines() if line.startswith("python3 -m venv") and "hub import" in line)
    shown = README.split("<!-- result -->")[1].split("<!-- /result -->")[0]
    arguments = shlex.split(first.split("/hub ")[1])
    command = [sys.executable, "-m", "services.cli.main", *arguments, "--data-dir", str(tmp_path / "hub-data")]

    result = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"COLUMNS": "100"}, capture_output=True, text=True, check=False, timeout=120
    )

    assert result.returncode == COMPLETED_WITH_ERRORS, result.stderr
    assert table(result.stdout) == table(shown)
    assert len(table(shown)) == 4
