"""The registry of topics. Topics are created from it, documents are generated from it; no topic name stands elsewhere.

Key and partition: batch messages go to partition = batch number modulo partitions, so that one big session uses all
loaders; files waiting to be landed are spread one by one; everything that must stay in order for a run or session is
keyed by its id.
"""

from __future__ import annotations

from shared.messages.batches import MappedBatch, RawBatch
from shared.messages.control import (
    BatchLoaded,
    BatchStaged,
    CloseRequested,
    EntitiesDetected,
    FileReceived,
    FinalizePlanned,
    FinalizeRequested,
    LoadRequested,
    MappingApproved,
    MappingProposed,
    OutcomesRequested,
    ReferencesSettled,
    RunChanged,
    RunClosed,
    SealCompleted,
    SealRequested,
    SessionChanged,
    SessionSampled,
)
from shared.messages.envelope import Topic
from shared.messages.problems import ProblemsFound

# Data topics hold customer data and are needed only until they are consumed; landed and staged data are the truth.
_DATA_HOURS = 24
_CONTROL_HOURS = 7 * 24
_PUBLIC_HOURS = 30 * 24

SESSION_CHANGED = Topic(
    "hub.session.changed.v1", "A session was created or changed.", SessionChanged, "session", "ingest", ("status",),
    _PUBLIC_HOURS, public=True,
)  # fmt: skip
FILE_RECEIVED = Topic(
    "hub.file.received.v1", "A file waits to be landed.", FileReceived, "file", "ingest", ("ingest",), _CONTROL_HOURS,
)  # fmt: skip
SESSION_SAMPLED = Topic(
    "hub.session.sampled.v1", "Files to look at.", SessionSampled, "session", "ingest", ("analyze",), _CONTROL_HOURS,
)  # fmt: skip
ENTITIES_DETECTED = Topic(
    "hub.entity.detected.v1", "What each file of a session holds.", EntitiesDetected, "session", "analyze",
    ("mapper",), _PUBLIC_HOURS, public=True,
)  # fmt: skip
MAPPING_PROPOSED = Topic(
    "hub.mapping.proposed.v1", "A mapping waits for approval.", MappingProposed, "session", "mapper", (),
    _CONTROL_HOURS,
)  # fmt: skip
MAPPING_APPROVED = Topic(
    "hub.mapping.approved.v1", "A mapping may be run.", MappingApproved, "session", "mapper", ("ingest",),
    _PUBLIC_HOURS, public=True,
)  # fmt: skip
RUN_CHANGED = Topic(
    "hub.run.changed.v1", "A run started, moved on, was paused, resumed or ended.", RunChanged, "run", "ingest",
    ("status",), _PUBLIC_HOURS, public=True,
)  # fmt: skip
BATCH_EXTRACTED = Topic(
    "hub.batch.extracted.v1", "Map this span of a landed file.", RawBatch, "batch", "ingest", ("mapper",), _DATA_HOURS,
)  # fmt: skip
BATCH_MAPPED = Topic(
    "hub.batch.mapped.v1", "Records and rejects of one batch.", MappedBatch, "batch", "mapper", ("loader",),
    _DATA_HOURS,
)  # fmt: skip
BATCH_STAGED = Topic(
    "hub.batch.staged.v1", "A batch is validated and staged.", BatchStaged, "run", "loader", ("ingest", "status"),
    _PUBLIC_HOURS, public=True,
)  # fmt: skip
SEAL_REQUESTED = Topic(
    "hub.seal.requested.v1", "Decide which record wins each key.", SealRequested, "run", "ingest", ("loader",),
    _CONTROL_HOURS,
)  # fmt: skip
SEAL_COMPLETED = Topic(
    "hub.seal.completed.v1", "The staged records are sealed.", SealCompleted, "run", "loader", ("ingest",),
    _CONTROL_HOURS,
)  # fmt: skip
LOAD_REQUESTED = Topic(
    "hub.load.requested.v1", "Write one entity type of one staged batch.", LoadRequested, "batch", "ingest",
    ("loader",), _CONTROL_HOURS,
)  # fmt: skip
BATCH_LOADED = Topic(
    "hub.batch.loaded.v1", "The outcome of one entity type of one batch.", BatchLoaded, "run", "loader",
    ("ingest", "status"), _PUBLIC_HOURS, public=True,
)  # fmt: skip
PROBLEMS_FOUND = Topic(
    "hub.problem.found.v1", "What there is to say about single records.", ProblemsFound, "run", "loader", ("status",),
    _DATA_HOURS,
)  # fmt: skip
FINALIZE_REQUESTED = Topic(
    "hub.finalize.requested.v1", "Plan or settle open references.", FinalizeRequested, "run", "ingest", ("loader",),
    _CONTROL_HOURS,
)  # fmt: skip
FINALIZE_PLANNED = Topic(
    "hub.finalize.planned.v1", "The pages of open references.", FinalizePlanned, "run", "loader", ("ingest",),
    _CONTROL_HOURS,
)  # fmt: skip
REFERENCES_SETTLED = Topic(
    "hub.reference.settled.v1", "Links made in Finalizing.", ReferencesSettled, "run", "loader", ("ingest", "status"),
    _PUBLIC_HOURS, public=True,
)  # fmt: skip
CLOSE_REQUESTED = Topic(
    "hub.close.requested.v1", "A run is over: purge its staging.", CloseRequested, "run", "ingest", ("loader",),
    _CONTROL_HOURS,
)  # fmt: skip
RUN_CLOSED = Topic(
    "hub.run.closed.v1", "A run's staging is purged; the account is free.", RunClosed, "run", "loader", ("ingest",),
    _CONTROL_HOURS,
)  # fmt: skip
OUTCOMES_REQUESTED = Topic(
    "hub.outcome.requested.v1", "Send the outcomes of an ended run again.", OutcomesRequested, "run", "status",
    ("loader",), _CONTROL_HOURS,
)  # fmt: skip

TOPICS: tuple[Topic, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Topic))


DEAD_LETTER_SUFFIX = ".dlq"


def consumer_group(service: str, topic: Topic) -> str:
    """Name of the consumer group with which a service reads a topic."""
    return f"hub.{service}.{topic.name.removeprefix('hub.').rsplit('.', 1)[0].replace('.', '-')}"


def dead_letter_topic(topic: str, group: str) -> str:
    """Name of the topic that keeps what a consumer group gave up."""
    return f"{topic}.{group}{DEAD_LETTER_SUFFIX}"
