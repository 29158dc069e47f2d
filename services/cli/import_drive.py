"""Drives a session to its end: looks where it stands and does the next thing, so it can be killed and begun again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from services.cli.client import Client, ProblemError

View = dict[str, Any]
"""A resource of the API as JSON."""

ENDED = frozenset({"validated", "completed", "completed_with_errors", "failed", "cancelled"})

# Services without which each part of an import does not go on.
LANDING_NEEDS = ("ingest",)
MAPPING_NEEDS = ("analyze", "mapper")
RUN_NEEDS = ("ingest", "mapper", "loader", "status")


class Watcher(Protocol):
    """Is shown what happens."""

    def reading(self, files: list[View]) -> None:
        """The session's files while they are read."""

    def analysing(self) -> None:
        """The files are being understood."""

    def running(self, progress: View) -> None:
        """The run's progress."""


Approve = Callable[[View, View], Awaitable[bool]]
"""(session, mapping view) -> whether the mapping may be run."""


@dataclass(frozen=True)
class Ending:
    """How far a session came. `run` is the run to report on, None where none was started."""

    state: str
    session: View
    mapping: View | None = None
    run: int | None = None
    missing: list[View] = field(default_factory=list)
    error: str | None = None
    next_step: str | None = None


class Drive:
    """One session on its way. `approve` is asked once the mapping is complete."""

    def __init__(self, client: Client, session: str, *, watch: Watcher, approve: Approve) -> None:
        self._client = client
        self._path = f"/sessions/{session}"
        self._id = session
        self._watch = watch
        self._approve = approve

    async def to_the_end(self) -> Ending:
        """Everything that is still to be done, in order. Repeating it changes nothing that is done."""
        session = await self._client.get(self._path)
        if session["runs"]:
            return await self._followed(session, session["runs"][-1], resume=True)
        try:
            await self._send_missing_files(session)
        except (ProblemError, OSError) as error:
            return _refused(await self._client.get(self._path), error)
        session = await self._landed()
        if refused := _unreadable(session):
            return refused
        try:
            mapping = await self._mapping(session)
        except ProblemError as error:
            return _refused(session, error)
        return await self._import(session, mapping)

    async def _import(self, session: View, mapping: View) -> Ending:
        if not any(file["records"] for file in mapping["mapping"]["files"]):
            return Ending(
                "refused",
                session,
                mapping,
                error="No file holds one of the known entity types. Nothing was imported.",
                next_step="Look at `hub analyze`; if a type was not recognised, set it with --entity FILE=TYPE.",
            )
        if missing := mapping["missing_required"]:
            return Ending(
                "needs_mapping",
                session,
                mapping,
                missing=missing,
                error=_missing_text(missing),
                next_step="Export the mapping with `hub mapping export`, name the column, import with --mapping FILE.",
            )
        if not mapping["approved"] and not await self._approve(session, mapping):
            return Ending(
                "proposed",
                session,
                mapping,
                error="The mapping is not approved. Nothing was imported.",
                next_step=f"Look at it with `hub mapping show`, then run `hub resume --session {self._id} --yes`.",
            )
        await self._approved(mapping)
        try:
            run = await self._started(session)
        except ProblemError as error:
            return _refused(session, error, mapping)
        return await self._followed(session, run)

    # ---- files ------------------------------------------------------------------------------------------------

    async def _send_missing_files(self, session: View) -> None:
        """Files come one after the other, so the n-th of a name in the session is the n-th of that name given."""
        there = Counter(file["name"] for file in session["files"])
        for path in map(Path, session["paths"] or session["options"]["uploads"]):
            if there[path.name]:
                there[path.name] -= 1
                continue
            await self._client.add_file(self._id, path)

    async def _landed(self) -> View:
        async def look() -> View | None:
            session: View = await self._client.get(self._path)
            self._watch.reading(session["files"])
            return None if any(file["state"] == "landing" for file in session["files"]) else session

        return await self._client.until(look, needs=LANDING_NEEDS)

    # ---- mapping ----------------------------------------------------------------------------------------------

    async def _mapping(self, session: View) -> View:
        """The mapping of the session's present files: proposed, or the one given with the session."""
        self._watch.analysing()
        if session["sampled_version"] < session["version"]:
            await self._client.post(f"{self._path}/analysis")

        async def look() -> View | None:
            mapping = await self._client.find(f"{self._path}/mapping")
            return mapping if mapping and mapping["session_version"] >= session["version"] else None

        mapping = await self._client.until(look, session=self._id, needs=MAPPING_NEEDS)
        given = session["options"]["mapping"]
        if given is not None and mapping["made_by"] == "proposal":
            mapping = await self._client.post(f"{self._path}/mapping/document", given)
        return mapping

    async def _approved(self, mapping: View) -> None:
        async def look() -> View | None:
            session: View = await self._client.get(self._path)
            return session if session["mapping_version"] == mapping["number"] else None

        if await look() is None:
            await self._client.post(f"{self._path}/mapping/approve")
            await self._client.until(look, needs=LANDING_NEEDS)

    # ---- run --------------------------------------------------------------------------------------------------

    async def _started(self, session: View) -> int:
        """The session's run."""
        kind = "preflight" if session["options"]["dry_run"] else "import"
        run: View = await self._client.post(f"{self._path}/runs", {"kind": kind})
        return int(run["run"])

    async def _followed(self, session: View, run: int, *, resume: bool = False) -> Ending:
        """The run's end; with `resume` a paused one goes on, and one that was made and not started begins."""
        path = f"{self._path}/runs/{run}"
        if resume and (await self._client.get(path))["state"] not in ENDED:
            try:
                await self._client.post(f"{path}/resume")
            except ProblemError as error:
                if error.code != "run_ended":
                    return _refused(session, error)

        async def look() -> View | None:
            progress = await self._client.find(f"{path}/progress")
            if progress is None:
                return None
            self._watch.running(progress)
            return progress if progress["done"] else None

        progress = await self._client.until(look, needs=RUN_NEEDS)
        mapping = await self._client.find(f"{self._path}/mapping")
        return Ending(progress["state"], session, mapping, run, error=progress["failure"])


def _unreadable(session: View) -> Ending | None:
    """A session with a file that cannot be read is not imported at all: half an import would look like a whole one."""
    if not session["files"]:
        return Ending("refused", session, error="The session has no files.", next_step="Import some files.")
    rejected = [file for file in session["files"] if file["state"] == "rejected"]
    if not rejected:
        return None
    texts = " ".join(file["error"] or f"{file['name']} cannot be read." for file in rejected)
    return Ending(
        "refused",
        session,
        error=f"{texts} Nothing was imported.",
        next_step=" ".join(dict.fromkeys(file["next_step"] or "" for file in rejected)).strip()
        or "Correct the file or leave it out, and import again.",
    )


def _refused(session: View, error: ProblemError | OSError, mapping: View | None = None) -> Ending:
    if isinstance(error, ProblemError):
        return Ending("refused", session, mapping, error=error.message, next_step=error.next_step)
    return Ending(
        "refused",
        session,
        mapping,
        error=f"{error.filename} cannot be read: {error.strerror}. Nothing was imported.",
        next_step="Check that the file exists and may be read, then import again.",
    )


def _missing_text(missing: list[View]) -> str:
    needs = "; ".join(f"{group['file']}: {' or '.join(group['labels'])}" for group in missing)
    return f"No column is chosen for {needs}. Nothing was imported."
