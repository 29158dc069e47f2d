"""What the commands of `hub mapping` do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.cli.client import Client
from services.cli.connection import Target, connected
from services.cli.session_choice import chosen_session

View = dict[str, Any]


async def session_and_mapping(target: Target, session: str | None) -> tuple[View, View]:
    """A session and the view of its mapping. NotFoundError until it is analysed."""
    async with connected(target) as client:
        found = await chosen_session(client, session)
        return found, await client.get(f"/sessions/{found['id']}/mapping")


async def mapping_text(target: Target, session: str | None, *, as_json: bool) -> str:
    """The mapping document as YAML, or as JSON."""
    async with connected(target) as client:
        found = await chosen_session(client, session)
        path = f"/sessions/{found['id']}/mapping"
        if as_json:
            return json.dumps((await client.get(path))["mapping"], indent=2, ensure_ascii=False)
        return b"".join([block async for block in client.download(f"{path}/document")]).decode()


async def approve_mapping(target: Target, session: str | None, document: Path | None) -> View:
    """Approves the session's mapping, or the given document; the mapping's view once it may be run."""
    from services.cli.arguments import mapping_of

    given = mapping_of(document, strict=False, source_label=None)
    async with connected(target) as client:
        found = await chosen_session(client, session)
        path = f"/sessions/{found['id']}/mapping"
        if given is not None:
            await client.post(f"{path}/document", given)
        view: View = await client.post(f"{path}/approve")
        await client.until(lambda: _approved(client, found["id"], view["number"]))
        return view


async def _approved(client: Client, session: str, number: int) -> View | None:
    view: View = await client.get(f"/sessions/{session}")
    return view if view["mapping_version"] == number else None
