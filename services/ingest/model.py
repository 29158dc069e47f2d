"""What ingest keeps: sessions with their files, runs, and which run holds an account."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.messages.control import RunState

SESSIONS = "ingest.sessions"
RUNS = "ingest.runs"
ACCOUNTS = "ingest.accounts"
COUNTERS = "ingest.counters"

FileState = Literal["landing", "landed", "duplicate", "rejected"]


class SessionOptions(BaseModel):
    """What the user chose for a session; kept, so that a resume does the same."""

    model_config = ConfigDict(extra="forbid")

    source_label: str | None = None
    strict: bool = False
    dry_run: bool = False
    batch_records: int = Field(default=500, ge=1, le=5_000)
    entities: dict[str, str] = Field(default_factory=dict)
    """File name -> entity type set by hand."""
    mapping: dict[str, Any] | None = None
    """A mapping document given by hand."""
    uploads: list[str] = Field(default_factory=list, max_length=1_000)
    """Files that a command line is about to upload, as paths of its own machine: a resume sends what is missing."""
    auto_approve: bool = False
    """The mapping need not be shown to anybody before it is run."""
    region: str = "US"


class SessionFile(BaseModel):
    """One file of a session. `landed` is the address of its index; the file itself lies under `sha256`."""

    id: str
    name: str
    state: FileState
    path: str | None = None
    sha256: str | None = None
    size_bytes: int = 0
    records: int = 0
    left_out: int = 0
    landed: str | None = None
    duplicate_of: str | None = None
    error: str | None = None
    next_step: str | None = None
    bytes_read: int = 0
    """So far; told about once a second of files that take longer."""
    asked_at: float = 0.0
    """When landing was asked for last, or gave its last sign of life."""
    asked: int = 0
    """How often landing was asked for again."""


class ApprovedMapping(BaseModel):
    """The mapping that may be run, as the mapper announced it."""

    version: int
    mapping_version: int
    address: str


class AuditLine(BaseModel):
    """Who did what to the session, and when."""

    at: float
    actor: str
    action: str


class Session(BaseModel):
    """One migration. `version` grows with its files; analysis and mapping name the version they belong to."""

    id: str
    account: str
    name: str
    created_at: float
    created_by: str
    options: SessionOptions = SessionOptions()
    paths: list[str] = Field(default_factory=list)
    version: int = 1
    files: list[SessionFile] = Field(default_factory=list)
    sampled_version: int = 0
    mapping: ApprovedMapping | None = None
    runs: list[int] = Field(default_factory=list)
    audit: list[AuditLine] = Field(default_factory=list)

    def file(self, file_id: str) -> SessionFile | None:
        """The file of this id."""
        return next((file for file in self.files if file.id == file_id), None)

    def usable_files(self) -> list[SessionFile]:
        """Landed files, without copies."""
        return [file for file in self.files if file.state == "landed"]


class Run(BaseModel):
    """The run's state machine. Every change adds one to `sequence`."""

    run: int
    account: str
    session: str
    kind: Literal["preflight", "import"]
    plan: str
    steps: list[str]
    """`validating`, the entity types in load order, `finalizing`."""
    planned: dict[str, int]
    """Positions per step, as far as they are known."""
    state: RunState = "validating"
    step: int = 0
    sealing: bool = False
    left_by: tuple[int, int] | None = None
    """(step, position) of the acknowledgement that completed the last step: its repeat sends the outputs again."""
    pages_planned: bool = False
    paused: bool = False
    cancelled: bool = False
    failure: str | None = None
    seal: str | None = None
    loads: str | None = None
    """Address of {entity type: [batches]} of the importing steps."""
    window: int
    sequence: int = 1
    started_at: float
    ended_at: float | None = None
    actor: str = ""
    key: str | None = None
    """What the call that made the run was known by: its repetition gets this run."""
    freed: bool = False
    only_batches: list[int] | None = None
    parents_missing: bool = False
    """Whether a batch of a finished step was given up: parents that the seal knows may not be stored."""
    failed_batches: list[int] = Field(default_factory=list)
    """Batches that were given up; `hub resume --failed` runs them again."""

    @property
    def step_name(self) -> str:
        """Name of the current step; `ended` behind the last one."""
        return self.steps[self.step] if self.step < len(self.steps) else "ended"

    @property
    def dry_run(self) -> bool:
        """Whether nothing is written."""
        return self.kind == "preflight"


class AccountLease(BaseModel):
    """Which run holds the account; None: free. No timer frees it."""

    account: str
    running: int | None = None
    session: str | None = None
