"""What the commands of `hub mapping` do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.cli.client import Client
from services.cli.connection import Target, connected
from services.cli.session_choice import chosen_session
from shared.errors import BadInputError

View = dict[str, Any]


def whole_ids(known: Sequence[str], beginnings: Sequence[str]) -> list[str]:
    """The ids that begin so; one that begins no known id is kept, for the hub to say what it thinks of it."""
    chosen = []
    for beginning in beginnings:
        found = [beginning] if beginning in known else [id for id in known if beginning and id.startswith(beginning)]
        if len(found) > 1:
            raise BadInputError(
                f"{len(found)} remembered mappings begin with {beginning}. Nothing was changed.",
                next_step="Give more of the id; `hub mapping memory list` shows enough of it.",
            )
        chosen += found or [beginning]
    return list(dict.fromkeys(chosen))


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


async def reset_mapping(target: Target, session: str | None) -> View:
    """Makes the proposal the session's mapping again; its view."""
    async with connected(target) as client:
        found = await chosen_session(client, session)
        view: View = await client.post(f"/sessions/{found['id']}/mapping/reset")
        return view


async def remembered_mappings(target: Target) -> View:
    """What the account remembers of approved mappings."""
    async with connected(target) as client:
        view: View = await client.get("/mapping-memory")
        return view


async def forget_mappings(target: Target, ids: Sequence[str] | None) -> int:
    """Forgets these mappings, or all of them; how many. `ids`: whole ids, or how they begin."""
    async with connected(target) as client:
        if ids is None:
            return int((await client.delete("/mapping-memory"))["forgotten"])
        chosen = whole_ids(await _remembered_ids(client), ids)
        return int((await client.post("/mapping-memory/forget", {"ids": chosen}))["forgotten"])


async def share_mapping(target: Target, entry: str, *, shared: bool) -> View:
    """Shares a remembered mapping with the other accounts of the hub, or stops that. `entry`: how its id begins."""
    async with connected(target) as client:
        [entry] = whole_ids(await _remembered_ids(client), [entry])
        view: View = await client.put(f"/mapping-memory/{entry}/sharing", {"shared": shared})
        return view


async def _remembered_ids(client: Client) -> list[str]:
    return [entry["id"] for entry in (await client.get("/mapping-memory"))["entries"]]


async def _approved(client: Client, session: str, number: int) -> View | None:
    view: View = await client.get(f"/sessions/{session}")
    return view if view["mapping_version"] == number else None
