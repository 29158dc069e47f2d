"""The messages ingest sends about a run, made from its state alone."""

from __future__ import annotations

from services.ingest.model import Run
from shared.messages import topics
from shared.messages.batches import RawBatch
from shared.messages.control import (
    CloseRequested,
    FinalizeRequested,
    LoadRequested,
    Message,
    RunChanged,
    SealRequested,
)
from shared.messages.envelope import Outgoing, Topic
from shared.messages.plan import RunPlan


def raw_batch(run: Run, plan: RunPlan, batch: int) -> Outgoing:
    """Map this batch of the landed files."""
    message = RawBatch(
        account=run.account,
        session=run.session,
        run=run.run,
        batch=batch,
        file=plan.file_of_batch(batch).rank,
        plan=run.plan,
        cancelled=run.cancelled,
    )
    return _outgoing(topics.BATCH_EXTRACTED, message, run, batch)


def load_request(run: Run, position: int, batch: int) -> Outgoing:
    """Write the records of the current entity type of one batch."""
    message = LoadRequested(
        account=run.account,
        session=run.session,
        run=run.run,
        step=run.step,
        position=position,
        batch=batch,
        entity=run.step_name,
        plan=run.plan,
        seal=run.seal or "",
        cancelled=run.cancelled,
        dry_run=run.dry_run,
        parents_missing=run.parents_missing,
    )
    return _outgoing(topics.LOAD_REQUESTED, message, run, batch)


def finalize_request(run: Run, page: int | None) -> Outgoing:
    """Plan the pages of open references (None), or settle one of them."""
    message = FinalizeRequested(
        account=run.account,
        session=run.session,
        run=run.run,
        step=run.step,
        plan=run.plan,
        seal=run.seal or "",
        page=page,
        cancelled=run.cancelled,
    )
    return _outgoing(topics.FINALIZE_REQUESTED, message, run)


def close_request(run: Run) -> Outgoing:
    """Clean up behind an ended run."""
    message = CloseRequested(
        account=run.account,
        session=run.session,
        run=run.run,
        plan=run.plan,
        seal=run.seal,
        dry_run=run.dry_run,
    )
    return _outgoing(topics.CLOSE_REQUESTED, message, run)


def run_changed(run: Run) -> Outgoing:
    """Where the run stands."""
    message = RunChanged(
        account=run.account,
        session=run.session,
        run=run.run,
        kind=run.kind,
        state=run.state,
        paused=run.paused,
        step=run.step,
        sequence=run.sequence,
        plan=run.plan,
        planned=run.planned,
        started_at=run.started_at,
        ended_at=run.ended_at,
        actor=run.actor,
        failure=run.failure,
        closed=run.freed,
    )
    return _outgoing(topics.RUN_CHANGED, message, run)


def seal_request(run: Run, manifest: str) -> Outgoing:
    """Decide which record wins each key; the manifest's address says what is staged."""
    message = SealRequested(account=run.account, session=run.session, run=run.run, plan=run.plan, manifest=manifest)
    return _outgoing(topics.SEAL_REQUESTED, message, run)


def _outgoing(topic: Topic, message: Message | RawBatch, run: Run, batch: int | None = None) -> Outgoing:
    headers = {"run": str(run.run)} | ({} if batch is None else {"batch": str(batch)})
    key: int | str = batch if batch is not None and topic.keyed_by == "batch" else str(run.run)
    return Outgoing(topic, message, key, run.session, headers)
