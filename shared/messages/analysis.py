"""What analyze finds out about a session's files: column profiles, entity types, relations between files."""

from __future__ import annotations

from typing import Literal

import msgspec

ColumnType = Literal[
    "empty", "email", "phone", "url", "date", "datetime", "money", "percent", "decimal", "integer", "boolean",
    "postal_code", "state", "id", "street", "address", "city", "json", "name", "company", "text", "longtext",
]  # fmt: skip


class SampledFile(msgspec.Struct, frozen=True, kw_only=True):
    """One landed file as detection sees it. `rows` hold cells in column order; short rows count as empty cells."""

    file: str
    """Name as the user gave it; its words are evidence."""
    headers: tuple[str, ...]
    """As written, "" where the file has none."""
    rows: list[list[str]]
    records: int
    """Records in the whole file; `rows` may be a sample of them."""
    sha256: str = ""


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One column, from the sample. Shares are of the filled values unless said otherwise."""

    index: int
    header: str
    type: ColumnType
    fill: float
    """Share of the sampled rows with a value."""
    distinct: int
    unique_share: float
    min_length: int
    max_length: int
    pattern: str
    """The commonest shape: A for upper case, a for lower case, 9 for a digit, runs folded: 'A-9' for 'AB-123'."""
    examples: tuple[str, ...]
    frequent: tuple[tuple[str, int], ...]
    """Values by frequency with their counts: all of them up to 1,000 distinct, else empty."""
    kinds: dict[str, float]
    """Share of the values of each type and of each vocabulary of the lexicon (`job_status`, `given_name` ...)."""
    date_order: Literal["mdy", "dmy", "ymd"] | None = None
    """None: no dates, or none that tells (every first and second part is at most 12), or they contradict each other."""
    decimal_mark: Literal[".", ","] | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Another entity type the file might hold."""

    entity: str
    confidence: float


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """Values of a column are ids, numbers or names of another file's records."""

    column: int
    parent_file: str
    parent_entity: str
    parent_column: int
    share: float
    """Share of the column's distinct values that are found there."""


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """What one file holds. `entity` is None where it is none of the entity types."""

    file: str
    sha256: str
    entity: str | None
    entity_confidence: float
    alternatives: tuple[Alternative, ...]
    reasons: tuple[str, ...]
    platform: str | None
    """Source platform, where the header row is one of its known exports."""
    columns: tuple[ColumnProfile, ...]
    relations: tuple[Relation, ...]
    records: int


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """What analyze hands to mapper: the detections, and what the user has set by hand."""

    detections: tuple[Detection, ...]
    entities: dict[str, str | None]
    """File name -> entity type set by hand; None leaves the file out."""
    source_label: str | None
    region: str
    strict: bool
