"""Starting a run: freezes the plan and takes the account."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from services.ingest.model import COUNTERS, RUNS, AuditLine, Run, Session
from services.ingest.planning import make_plan, steps_of
from services.ingest.runs import Runs
from services.ingest.sessions import Sessions
from shared.catalog import Catalog
from shared.errors import BadInputError, ConflictError
from shared.messages.control import ENDED
from shared.messages.envelope import Outgoing
from shared.messages.landing import LandedFile
from shared.messages.mapping import MappingDocument
from shared.messages.plan import RunPlan
from shared.storage.swapping import tries


@dataclass
class RunStarter:
    """Makes and starts runs. `window` is the number of batches in flight."""

    sessions: Sessions
    runs: Runs
    catalog: Catalog
    window: int

    async def start(
        self,
        account: str,
        actor: str,
        session_id: str,
        *,
        kind: Literal["preflight", "import"],
        failed_of: int | None = None,
        key: str | None = None,
    ) -> Run:
        """A run that holds the account. ConflictError where another one does or the mapping is not approved.

        With a `key`, the session's latest run if it was started with it, also after its end.
        """
        session = await self.sessions.get(account, session_id)
        if session.mapping is None:
            raise ConflictError(
                "The mapping of this session is not approved.",
                next_step="Look at the mapping and approve it, then start the run. Nothing was imported.",
                code="mapping_not_approved",
            )
        if known := await self._known(session, key):
            return known
        await self.runs.check_free(account)
        only = None if failed_of is None else await self._failed_batches(account, session, failed_of)
        number = await self._next_number(session)
        plan = await self._plan(session, number, kind, only)
        address = (await self.runs.files.put_bytes(plan.encode())).sha256
        run = Run(
            run=number,
            account=account,
            session=session_id,
            kind=kind,
            plan=address,
            steps=steps_of(plan, self.catalog),
            planned={"validating": len(plan.positions)},
            window=self.window,
            started_at=self.runs.clock(),
            actor=actor,
            key=key,
            only_batches=list(only) if only is not None else None,
        )
        await self.runs.create(run)
        await self._record(run)
        try:
            await self.runs.start(number)
        except ConflictError:
            await self._withdraw(session_id, number)
            raise
        return run

    async def _record(self, run: Run) -> None:
        """The session knows the run from now on: should this process die, the next one starts it."""

        def started(current: Session) -> list[Outgoing] | None:
            if run.run in current.runs:
                return None
            current.runs.append(run.run)
            action = f"started run {run.run} ({run.kind})"
            current.audit.append(AuditLine(at=self.runs.clock(), actor=run.actor, action=action))
            return []

        await self.sessions.change(run.session, started, account=run.account)

    async def start_left(self, older_than_seconds: float) -> None:
        """Starts what a process had made and not started when it died, so that a session's run is never just there.

        A start under way in another process is younger than that. Starting twice is harmless: the lease decides.
        """
        page = await self.runs.documents.find(RUNS, newest_first=True, limit=100)
        latest = self.runs.clock() - older_than_seconds
        for run in (Run.model_validate_json(document.body) for document in page.documents):
            if run.state in ENDED or run.started_at > latest or await self.runs.running(run.account) is not None:
                continue
            session = await self.sessions.get(run.account, run.session)
            if session.runs[-1:] == [run.run]:
                # Another run may take the account at this moment; this one has its turn in the next round.
                with contextlib.suppress(ConflictError):
                    await self.runs.start(run.run)

    async def _withdraw(self, session_id: str, number: int) -> None:
        """Another run took the account at the same moment: this one was refused and is not to start by itself later."""

        def refused(current: Session) -> list[Outgoing] | None:
            if number not in current.runs:
                return None
            current.runs.remove(number)
            return []

        await self.sessions.change(session_id, refused)
        await self.runs.withdraw(number)

    async def _known(self, session: Session, key: str | None) -> Run | None:
        """The session's latest run if it has not ended or this call made it; one that was not started is started."""
        if not session.runs:
            return None
        run = await self.runs.get(session.runs[-1], account=session.account)
        if run.state in ENDED:
            return run if key is not None and run.key == key else None
        await self.runs.start(run.run)
        return run

    async def _plan(
        self, session: Session, number: int, kind: Literal["preflight", "import"], only: Sequence[int] | None
    ) -> RunPlan:
        assert session.mapping is not None
        mapping = MappingDocument.model_validate_json(await self.runs.files.read(session.mapping.address))
        landed = [
            (file.name, msgspec.msgpack.decode(await self.runs.files.read(file.landed or ""), type=LandedFile))
            for file in session.usable_files()
        ]
        return make_plan(
            account=session.account,
            session=session.id,
            run=number,
            kind=kind,
            landed=landed,
            mapping=mapping,
            catalog=self.catalog,
            only_batches=only,
        )

    async def _failed_batches(self, account: str, session: Session, failed_of: int) -> list[int]:
        failed = await self.runs.get(failed_of, account=account)
        if failed.session != session.id:
            raise BadInputError(f"Run {failed_of} belongs to another session.")
        if not failed.failed_batches:
            raise BadInputError(
                f"Run {failed_of} has no failed batches to repeat.",
                next_step="Rows with errors are in its error file: correct them and upload that file.",
            )
        return failed.failed_batches

    async def _next_number(self, session: Session) -> int:
        """Numbers of runs are unique in a store: they are part of every record's id. A number may go unused.

        The last one given out tells for which run of which session. A start that died is repeated with the same number,
        so that an import that was killed makes the same ids as one that was not.
        """
        wanted = {"session": session.id, "runs": len(session.runs)}
        documents = self.runs.documents
        async for _ in tries("The number of the next run"):
            document = await documents.get(COUNTERS, "runs")
            last = json.loads(document.body) if document else {"last": 0}
            if {key: last.get(key) for key in wanted} == wanted:
                return int(last["last"])
            number = last["last"] + 1
            try:
                await documents.put(
                    COUNTERS,
                    "runs",
                    json.dumps({"last": number, **wanted}).encode(),
                    account="",
                    expected_revision=document.revision if document else 0,
                )
            except ConflictError:
                continue
            return int(number)
        raise AssertionError("tries() ends by an error")
