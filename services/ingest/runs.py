"""The run's state machine: what is sent when a run starts, a position is acknowledged, a step ends, a user interferes.

All state is in the run's document and the acknowledgements; what to send is derived from them, so that a repeated
message is answered as the first one was. Acknowledgements of one run come in one partition, one after the other, but
for moments two processes may hold the same partition, and users change the run over HTTP: every change is a
compare-and-swap that looks at what it finds, and nothing rests on the memory of a process.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from services.ingest.model import ACCOUNTS, RUNS, AccountLease, Run
from services.ingest.run_messages import (
    close_request,
    finalize_request,
    load_request,
    raw_batch,
    run_changed,
    seal_request,
)
from services.ingest.window import first_released, may_complete, outstanding, released_by
from shared.errors import ConflictError, NotFoundError
from shared.messages.batches import CANCELLED
from shared.messages.control import ENDED, EntityCounts
from shared.messages.envelope import Clock, Outgoing
from shared.messages.plan import RunPlan
from shared.observability.events import RUN_ENDED, emit
from shared.runtime import fail_point
from shared.runtime.outbox import Outbox
from shared.storage.artifacts import Artifacts
from shared.storage.documents import Documents
from shared.storage.files import Files
from shared.storage.progress import ProgressStore
from shared.storage.swapping import tries


@dataclass
class Runs:
    """The runs of all accounts over their stores."""

    documents: Documents
    outbox: Outbox
    progress: ProgressStore
    files: Files
    clock: Clock
    _plans: Artifacts[RunPlan] = field(init=False)
    _loads: Artifacts[dict[str, list[int]]] = field(init=False)

    def __post_init__(self) -> None:
        self._plans = Artifacts(self.files, RunPlan.decode)
        self._loads = Artifacts(self.files, json.loads)

    # ---- reading and saving -----------------------------------------------------------------------------------

    async def get(self, run: int, *, account: str | None = None) -> Run:
        """The run; NotFoundError where there is none in the account."""
        return (await self._with_revision(run, account))[0]

    async def _with_revision(self, run: int, account: str | None = None) -> tuple[Run, int]:
        document = await self.documents.get(RUNS, str(run), account=account)
        if document is None:
            raise NotFoundError(f"There is no run {run}.", next_step="List the session's runs to see which there are.")
        return Run.model_validate_json(document.body), document.revision

    async def create(self, run: Run) -> None:
        """Stores a new run; it does nothing until it is started.

        One that a start which died left under its number is taken over, or replaced where its plan is another one.
        ConflictError where it has gone on meanwhile.
        """
        left = await self.documents.get(RUNS, str(run.run))
        if left and (Run.model_validate_json(left.body).sequence > 1 or await self.running(run.account) == run.run):
            raise ConflictError(
                f"Run {run.run} was started by another call at the same moment.",
                next_step="Look at the session's runs: it is there. Nothing was started twice.",
                code="run_active",
            )
        if left and Run.model_validate_json(left.body).plan == run.plan:
            return
        if run.planned["validating"] == 0:  # nothing but header rows: there is nothing to wait for
            run.sealing = True
            run.loads = await self._save_load_list(run)
        await self.documents.put(
            RUNS,
            str(run.run),
            run.model_dump_json().encode(),
            account=run.account,
            expected_revision=left.revision if left else 0,
            order=f"{run.run:012d}",
        )

    async def withdraw(self, run_id: int) -> None:
        """Forgets a run that was made and could not be started."""
        await self.documents.delete(RUNS, str(run_id))

    async def _change(
        self, run_id: int, change: Callable[[Run], Awaitable[Sequence[Outgoing] | None]], *, publish: bool
    ) -> Sequence[Outgoing]:
        """Loads, changes and saves a run until nobody came between; `change` returns what is sent, None = no change.

        With `publish` the messages go through the outbox (HTTP, repair); without, a handler returns them.
        """
        async for _ in tries(f"Run {run_id}"):
            run, revision = await self._with_revision(run_id)
            messages = await change(run)
            if messages is None:
                return []
            run.sequence += 1
            messages = [run_changed(run), *messages]
            body = run.model_dump_json().encode()
            try:
                if publish:
                    await self.outbox.put(
                        RUNS, str(run_id), body, account=run.account, expected_revision=revision, messages=messages
                    )
                else:
                    await self.documents.put(RUNS, str(run_id), body, account=run.account, expected_revision=revision)
            except ConflictError:
                continue
            if run.state in ENDED and not run.freed:
                _tell_ended(run)
                fail_point("ingest.run_ended_not_sent")
            return messages
        raise AssertionError("tries() ends by an error")

    async def plan(self, address: str) -> RunPlan:
        """The plan of an address."""
        return await self._plans.get(address)

    # ---- starting ---------------------------------------------------------------------------------------------

    async def start(self, run_id: int) -> None:
        """Takes the account for the run and releases its first window; does nothing where the run holds it already.

        ConflictError names the run that holds the account.
        """
        run, _ = await self._with_revision(run_id)
        lease, revision = await self._lease(run.account)
        _check_free(lease, run_id)
        if lease.running == run_id:
            return
        # Read after the lease: a run gives it back only after its end is stored, and must not take it again.
        run, _ = await self._with_revision(run_id)
        if run.state in ENDED:
            return
        lease = AccountLease(account=run.account, running=run.run, session=run.session)
        messages = [run_changed(run), *await self._begin(run)]
        try:
            await self.outbox.put(
                ACCOUNTS,
                run.account,
                lease.model_dump_json().encode(),
                account=run.account,
                expected_revision=revision,
                messages=messages,
            )
        except ConflictError:
            if await self.running(run.account) != run_id:  # else somebody else has started this very run
                raise

    async def running(self, account: str) -> int | None:
        """The run that holds the account."""
        return (await self._lease(account))[0].running

    async def all_running(self) -> list[int]:
        """The runs that hold an account."""
        found: list[int] = []
        cursor: str | None = None
        while True:
            page = await self.documents.find(ACCOUNTS, after=cursor)
            leases = (AccountLease.model_validate_json(document.body) for document in page.documents)
            found += [lease.running for lease in leases if lease.running is not None]
            if (cursor := page.cursor) is None:
                return found

    async def check_free(self, account: str) -> None:
        """ConflictError where a run holds the account."""
        _check_free((await self._lease(account))[0])

    async def _lease(self, account: str) -> tuple[AccountLease, int]:
        document = await self.documents.get(ACCOUNTS, account)
        if document is None:
            return AccountLease(account=account), 0
        return AccountLease.model_validate_json(document.body), document.revision

    async def _begin(self, run: Run) -> Sequence[Outgoing]:
        """The outputs of the change to the run's current step."""
        if run.step == 0:
            if run.planned["validating"] == 0:
                return [await self._seal_request(run)]
            return await self._release(run, first_released(run.window, run.planned["validating"]))
        name = run.step_name
        if name == "ended":
            return [close_request(run)]
        if name == "finalizing" and not run.pages_planned:
            return [finalize_request(run, None)]
        return await self._release(run, first_released(run.window, run.planned[name]))

    # ---- acknowledgements -------------------------------------------------------------------------------------

    async def acknowledged(self, run_id: int, step: int, position: int, payload: bytes) -> Sequence[Outgoing]:
        """What follows from one acknowledgement, also from a repeated one."""
        return await self._acknowledged(await self.get(run_id), step, position, payload)

    async def staged(self, run_id: int, batch: int, payload: bytes) -> Sequence[Outgoing]:
        """The same for a batch of the validating step."""
        run = await self.get(run_id)
        position = batch if run.only_batches is None else run.only_batches.index(batch)
        return await self._acknowledged(run, 0, position, payload)

    async def _acknowledged(self, run: Run, step: int, position: int, payload: bytes) -> Sequence[Outgoing]:
        if run.state not in ENDED:
            await self.progress.acknowledge(run.run, step, position, payload)
        if run.paused:  # it may have been resumed before this was acknowledged: then nobody else releases the next one
            run = await self.get(run.run)
        if step != run.step or run.sealing or run.state in ENDED:
            return await self._repeated(run, step, position)
        planned = run.planned[run.step_name]
        if not may_complete(position, run.window, planned):
            follower = released_by(position, run.window, planned)
            return [] if follower is None or run.paused else await self._release(run, [follower])
        if await self.progress.count(run.run, step) < planned:
            return []
        return await self._step_done(run.run, step, position)

    async def _step_done(self, run_id: int, step: int, position: int) -> Sequence[Outgoing]:
        """On to the next step, once: two processes may both see that nothing is missing any more."""

        async def change(run: Run) -> Sequence[Outgoing] | None:
            if run.step != step or run.sealing or run.state in ENDED:
                return None
            run.left_by = (step, position)
            return await self._leave_step(run)

        sent = await self._change(run_id, change, publish=False)
        return sent or await self._repeated(await self.get(run_id), step, position)

    async def _repeated(self, run: Run, step: int, position: int) -> Sequence[Outgoing]:
        """The answer to a late acknowledgement: only that which made the run move on sends again what followed.

        Were every one answered with a whole window, each of those would come twice in the next step, and so on.
        """
        return await self._again(run) if (step, position) == run.left_by else []

    async def _leave_step(self, run: Run) -> Sequence[Outgoing]:
        if run.step == 0:
            run.sealing = True
            run.loads = await self._save_load_list(run)
            if run.cancelled:
                return await self._advance(run)
            return [await self._seal_request(run)]
        answers = [json.loads(payload) for _, payload in await self.progress.payloads(run.run, run.step)]
        run.parents_missing |= any(answer.get("decision", "load") != "load" for answer in answers)
        return await self._advance(run)

    async def _save_load_list(self, run: Run) -> str:
        """Entity type -> batches with valid records, ascending: what the importing steps go through."""
        plan = await self.plan(run.plan)
        lists: dict[str, list[int]] = {name: [] for name in run.steps[1:] if name != "finalizing"}
        for position, payload in await self.progress.payloads(run.run, 0):
            for entity, counts in json.loads(payload)["entities"].items():
                if counts["valid"]:
                    lists[entity].append(plan.positions[position])
        for name, batches in lists.items():
            run.planned[name] = len(batches)
        return (await self.files.put_bytes(json.dumps(lists, sort_keys=True).encode())).sha256

    async def sealed(self, run_id: int, seal: str | None, failure: str | None) -> Sequence[Outgoing]:
        """The seal is there (or cannot be made): on to the importing steps."""

        async def change(run: Run) -> Sequence[Outgoing] | None:
            if run.state in ENDED or not run.sealing:
                return None
            run.seal, run.failure = seal, failure
            if seal is None:
                run.cancelled, run.state = True, "cancelling"
            return await self._advance(run)

        messages = await self._change(run_id, change, publish=False)
        return messages or await self._again(await self.get(run_id))

    async def pages_planned(self, run_id: int, pages: int) -> Sequence[Outgoing]:
        """Finalizing knows its pages."""

        async def change(run: Run) -> Sequence[Outgoing] | None:
            if run.state in ENDED or run.step_name != "finalizing" or run.pages_planned:
                return None
            run.pages_planned = True
            run.planned["finalizing"] = pages
            return await (self._begin(run) if pages else self._advance(run))

        messages = await self._change(run_id, change, publish=False)
        return messages or await self._again(await self.get(run_id))

    async def _advance(self, run: Run) -> Sequence[Outgoing]:
        """Moves to the next step that has anything to do."""
        run.sealing = False
        run.step += 1
        while run.step_name not in ("ended", "finalizing") and run.planned[run.step_name] == 0:
            run.step += 1
        if run.step_name == "ended":
            return await self._end(run)
        if run.state != "cancelling":
            run.state = "finalizing" if run.step_name == "finalizing" else "importing"
        return await self._begin(run)

    async def _end(self, run: Run) -> Sequence[Outgoing]:
        errored = 0
        failed: set[int] = set()
        for step in range(len(run.steps)):
            for _, payload in await self.progress.payloads(run.run, step):
                answer = json.loads(payload)
                errored += _errored(answer)
                if answer.get("decision") == "given_up" or answer.get("given_up") not in (None, CANCELLED):
                    failed.add(answer["batch"])
        run.failed_batches = sorted(failed)
        run.ended_at = self.clock()
        run.paused = False  # what was in flight when it was paused was the last: nothing is held back any more
        if run.failure:
            run.state = "failed"
        elif run.cancelled:
            run.state = "cancelled"
        elif run.dry_run:
            run.state = "validated"
        else:
            run.state = "completed_with_errors" if errored else "completed"
        return [close_request(run)]

    async def closed(self, run_id: int) -> Sequence[Outgoing]:
        """The loader has cleaned up: the account is free for the next run."""
        fail_point("ingest.run_closed_not_freed")
        run = await self.get(run_id)
        await self._free(run.account, run_id)
        await self.progress.purge(run_id)

        async def change(run: Run) -> Sequence[Outgoing] | None:
            if run.freed:
                return None
            run.freed = True
            return []

        await self._change(run_id, change, publish=False)
        return [run_changed(await self.get(run_id))]

    async def _free(self, account: str, run_id: int) -> None:
        async for _ in tries(f"The lease of account {account}"):
            lease, revision = await self._lease(account)
            if lease.running != run_id:
                return
            body = AccountLease(account=account).model_dump_json().encode()
            with contextlib.suppress(ConflictError):
                await self.documents.put(ACCOUNTS, account, body, account=account, expected_revision=revision)

    # ---- what users and repair do -----------------------------------------------------------------------------

    async def pause(self, run_id: int) -> None:
        """Releases nothing more; what is in flight ends. Pausing a paused run does nothing."""

        async def change(run: Run) -> Sequence[Outgoing] | None:
            _check_active(run)
            if run.paused:
                return None
            run.paused = True
            return []

        await self._change(run_id, change, publish=True)

    async def resume(self, run_id: int) -> None:
        """Goes on after a pause; also sends again whatever is in flight and unanswered."""

        async def change(run: Run) -> Sequence[Outgoing] | None:
            _check_active(run)
            run.paused = False
            return await self._outstanding(run)

        await self._release_all(run_id, change)

    async def cancel(self, run_id: int) -> None:
        """Everything that is not decided yet is skipped as cancelled; what is imported stays."""

        async def change(run: Run) -> Sequence[Outgoing] | None:
            _check_active(run)
            if run.cancelled:
                return None
            run.cancelled, run.paused, run.state = True, False, "cancelling"
            return await self._outstanding(run)

        await self._release_all(run_id, change)

    async def _release_all(self, run_id: int, change: Callable[[Run], Awaitable[Sequence[Outgoing] | None]]) -> None:
        """A change after which nothing is held back any more."""
        sent = await self._change(run_id, change, publish=True)
        # What was acknowledged while this was saved met a paused run and released nothing.
        missed = [message for message in await self._outstanding(await self.get(run_id)) if message not in sent]
        if sent and missed:
            await self.outbox.publish(missed)

    async def repair(self, run_id: int) -> None:
        """Sends again where the run stands, and everything released and not acknowledged."""
        run = await self.get(run_id)
        await self.outbox.publish([run_changed(run), *([] if run.freed else await self._outstanding(run))])

    async def _again(self, run: Run) -> Sequence[Outgoing]:
        """The answer to a repeated message: where the run stands, and what it waits for.

        Nothing where it is over and closed: status asks then for outcomes it misses, and what comes of that must not
        make it ask again.
        """
        return [] if run.freed else [run_changed(run), *await self._outstanding(run)]

    async def _outstanding(self, run: Run) -> Sequence[Outgoing]:
        if run.paused:
            return []
        if run.state in ENDED:
            return [close_request(run)]
        if run.sealing:
            return [await self._seal_request(run)]
        if run.step_name == "finalizing" and not run.pages_planned:
            return [finalize_request(run, None)]
        done = await self.progress.positions(run.run, run.step)
        return await self._release(run, outstanding(done, run.window, run.planned[run.step_name]))

    # ---- messages ---------------------------------------------------------------------------------------------

    async def _release(self, run: Run, positions: Iterable[int]) -> Sequence[Outgoing]:
        if run.paused:
            return []
        if run.step == 0:
            plan = await self.plan(run.plan)
            return [raw_batch(run, plan, plan.positions[position]) for position in positions]
        if run.step_name == "finalizing":
            return [finalize_request(run, position) for position in positions]
        batches = (await self._loads.get(run.loads or ""))[run.step_name]
        return [load_request(run, position, batches[position]) for position in positions]

    async def _seal_request(self, run: Run) -> Outgoing:
        plan = await self.plan(run.plan)
        contents = {
            str(plan.positions[position]): json.loads(payload)["content"]
            for position, payload in await self.progress.payloads(run.run, 0)
        }
        manifest = await self.files.put_bytes(json.dumps(contents).encode())
        return seal_request(run, manifest.sha256)


def _tell_ended(run: Run) -> None:
    seconds = round((run.ended_at or run.started_at) - run.started_at, 3)
    emit(RUN_ENDED, session_id=run.session, run=run.run, kind=run.kind, state=run.state, seconds=seconds)


def _check_free(lease: AccountLease, run: int | None = None) -> None:
    if lease.running not in (None, run):
        raise ConflictError(
            f"An import is running in this account (session {lease.session}, run {lease.running}).",
            next_step="Wait until it ends, or cancel it, then start again. Your files and mapping are kept.",
            code="run_active",
        )


def _check_active(run: Run) -> None:
    if run.state in ENDED:
        raise ConflictError(
            f"Run {run.run} has ended ({run.state.replace('_', ' ')}).",
            next_step="Look at its report, or start a new run.",
            code="run_ended",
        )


def _errored(payload: dict[str, object]) -> int:
    """Errored records of an acknowledgement, whichever step it is of."""
    entities = payload.get("entities")
    if isinstance(entities, dict):
        return sum(EntityCounts.model_validate(counts).errored for counts in entities.values())
    counts = payload.get("counts")
    return EntityCounts.model_validate(counts).errored if counts else 0
