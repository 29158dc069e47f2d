"""Control and public messages: sessions, runs, steps and acknowledgements. They travel as JSON.

Public ones (see `topics.py`) carry codes, counts and ids only, never a cell's value.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RunState = Literal[
    "validating",
    "validated",
    "importing",
    "finalizing",
    "completed",
    "completed_with_errors",
    "failed",
    "cancelling",
    "cancelled",
]
ENDED: frozenset[str] = frozenset({"validated", "completed", "completed_with_errors", "failed", "cancelled"})
"""States a run does not leave (`validated` ends a preflight)."""


class Message(BaseModel):
    """Consumers ignore fields they do not know: within a major version a message only grows."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    account: str
    session: str


class SessionChanged(Message):
    """A session was created, or its files, analysis, mapping or name changed. Read it over HTTP."""

    version: int
    state: str
    files: int = 0


class FileReceived(Message):
    """Ingest -> ingest: a file was added to a session and waits to be landed, by whichever process comes first."""

    file: str
    """Id of the file in its session."""


class SessionSampled(Message):
    """Ingest -> analyze: look at these files. The sample is a claim check, one per session version."""

    version: int
    sample: str
    entities: dict[str, str] = Field(default_factory=dict)
    """File name -> entity type set by hand."""
    source_label: str | None = None
    region: str = "US"
    strict: bool = False


class DetectedFile(BaseModel):
    """What one file was taken for."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    file: str
    """Id of the file in its session."""
    entity: str | None
    confidence: float
    records: int
    columns: int


class EntitiesDetected(Message):
    """Analyze -> mapper and others: what each file of a session holds. Details lie in the analysis artifact."""

    version: int
    analysis: str
    files: list[DetectedFile]


class MappingProposed(Message):
    """Mapper: a mapping was proposed (or given by hand) and waits for approval."""

    version: int
    mapping_version: int
    missing: int
    """Required groups without a column; the import cannot start while it is above 0."""


class MappingApproved(Message):
    """Mapper -> ingest and others: this mapping may be run. `mapping` is the address of the document."""

    version: int
    mapping_version: int
    mapping: str


class EntityCounts(BaseModel):
    """Counts of records and references of one entity type in one batch."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    valid: int = 0
    errored: int = 0
    imported: int = 0
    skipped: int = 0
    warnings: int = 0
    references: int = 0
    linked: int = 0
    pending: int = 0
    unresolved: int = 0
    money: dict[str, int] = Field(default_factory=dict)
    """Minor units that arrived, per money field."""
    money_left_out: dict[str, int] = Field(default_factory=dict)
    """Minor units of skipped and errored records, per money field."""


class BatchStaged(Message):
    """Loader -> ingest, status: a batch is validated and staged. Repeats are equal."""

    run: int
    batch: int
    given_up: str | None
    content: str
    """Hash of what was staged; the seal's manifest names it."""
    entities: dict[str, EntityCounts]
    """Per entity type: valid and errored (for a cancelled batch: skipped)."""


class SealRequested(Message):
    """Ingest -> loader: every batch is staged; decide which record wins each key."""

    run: int
    plan: str
    manifest: str
    """Address of the list of staged contents by batch."""


class SealCompleted(Message):
    """Loader -> ingest: the sealed artifacts. `batches` lists per entity type the batches that hold valid records."""

    run: int
    seal: str | None
    """Address of the seal's manifest; None where the seal failed."""
    failure: str | None = None


class LoadRequested(Message):
    """Ingest -> loader: write the records of one entity type of one staged batch."""

    run: int
    step: int
    position: int
    batch: int
    entity: str
    plan: str
    seal: str
    cancelled: bool = False
    dry_run: bool = False
    parents_missing: bool = False
    """True: some batch before this step was not loaded, so a parent that the seal knows may not be stored."""


class BatchLoaded(Message):
    """Loader -> ingest, status: the stored outcome of (run, step, batch, entity type). Repeats are equal."""

    run: int
    step: int
    position: int
    batch: int
    entity: str
    decision: Literal["load", "cancelled", "given_up"]
    counts: EntityCounts


class FinalizeRequested(Message):
    """Ingest -> loader: plan the pages of open references (page None), or settle one page."""

    run: int
    step: int
    plan: str
    seal: str
    page: int | None
    cancelled: bool = False


class FinalizePlanned(Message):
    """Loader -> ingest: how many pages of open references there are, as of the start of Finalizing."""

    run: int
    step: int
    pages: int
    references: int


class ReferencesSettled(Message):
    """Loader -> ingest, status: one page was looked at; per entity type the links that were made."""

    run: int
    step: int
    page: int
    entities: dict[str, EntityCounts]


class RunChanged(Message):
    """Ingest -> status and others: a run started, moved to another state or step, was paused or resumed."""

    run: int
    kind: str
    state: RunState
    paused: bool = False
    step: int = 0
    sequence: int
    """Grows with every change of the run: an older one never replaces a newer one."""
    plan: str
    planned: dict[str, int] = Field(default_factory=dict)
    """Positions per step name: `validating`, then each entity type, then `finalizing`."""
    started_at: float = 0.0
    ended_at: float | None = None
    actor: str = ""
    failure: str | None = None
    """What stopped the run, and what to do."""
    closed: bool = False
    """Whether everything is cleaned up and the account is free."""


class CloseRequested(Message):
    """Ingest -> loader: the run is over; keep its index for later runs, purge its staging."""

    run: int
    plan: str
    seal: str | None
    dry_run: bool


class RunClosed(Message):
    """Loader -> ingest: staging is purged; the account is free."""

    run: int


class OutcomesRequested(Message):
    """Status -> loader: these outcomes of an ended run have not arrived; send them again, with what explains them."""

    run: int
    batches: list[int] | None = None
    """Batches of which anything is missing, and pages of open references; None: everything."""
