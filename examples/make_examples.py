"""Writes the sample exports: `python -m examples.make_examples [DIRECTORY]`; the same files on every run.

Each platform's folder gets its CSV files and a `truth.json` that says for every row what an import must make of it.
Both come from the same invented business, so the truth owes nothing to the hub.
"""

from __future__ import annotations

import sys
from pathlib import Path

from examples import export_housecall_pro, export_jobber, export_servicetitan
from examples.sheet import write_export

PLATFORMS = {
    "jobber": export_jobber.sheets,
    "housecall_pro": export_housecall_pro.sheets,
    "servicetitan": export_servicetitan.sheets,
}


def main(directory: Path) -> None:
    """Writes every platform's folder under `directory`."""
    for platform, sheets in PLATFORMS.items():
        write_export(directory / platform, platform, sheets())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
