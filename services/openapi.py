"""`python -m services.openapi`: writes the OpenAPI document of the whole API to `shared/http/openapi.json`.

`--check` writes nothing and fails where the committed document is not the one the routes make.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import shared.http
from services.app import embedded_hub
from shared.observability.logs import configure_logging

DOCUMENT = Path(shared.http.__file__).with_name("openapi.json")


async def openapi_text() -> str:
    """The document as it is committed, from a hub on an empty data directory."""
    with tempfile.TemporaryDirectory(prefix="hub-openapi-") as folder:
        async with embedded_hub(Path(folder), workers=1) as hub:
            return json.dumps(hub.app.openapi(), indent=2, ensure_ascii=False) + "\n"


def is_fresh(text: str, document: Path = DOCUMENT) -> bool:
    """Whether the committed document is this one."""
    return document.exists() and document.read_text(encoding="utf-8") == text


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the document is stale")
    options = parser.parse_args(arguments)
    configure_logging(json_lines=False, level="warning")
    text = asyncio.run(openapi_text())
    if not options.check:
        DOCUMENT.write_text(text, encoding="utf-8")
    elif not is_fresh(text):
        sys.stderr.write(f"{DOCUMENT.name} is stale. Run `python -m services.openapi` and commit what it writes.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
