"""The mapping document: which column of which file feeds which field. Versioned, approved, exported as YAML."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ReferenceBy = Literal["source_id", "number", "name", "email", "phone", "row"]
"""How a reference names its parent. `row`: the record that the same source row makes for the parent's entity type."""


TimeUnit = Literal["hours", "minutes", "seconds", "days"]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Options(_Document):
    """How a column's text is understood, decided once per column from all its values; every one can be overridden."""

    date_order: Literal["mdy", "dmy", "ymd"] | None = None
    decimal_mark: Literal[".", ","] | None = None
    excel_serials: bool = False
    """For dates: the column mostly holds day numbers of a spreadsheet (45292 is 2024-01-01)."""
    money_unit: Literal["major", "minor"] = "major"
    """`minor`: the source writes integer cents."""
    time_unit: TimeUnit = "hours"
    """For fields in hours: what the source counts. 90 `minutes` are stored as 1.5; a day is 24 hours."""
    invert: bool = False
    """For booleans whose column says the opposite (Archived -> active)."""
    values: dict[str, str | None] = Field(default_factory=dict)
    """Value mapping of an enum: source value (folded: lower case, no spaces, underscores, hyphens) -> allowed value."""
    part: Literal["before", "after"] | None = None
    """Take only the text before or after the first `separator` (the whole cell where it does not occur)."""
    separator: str = "_"
    split: str | None = None
    """For references that name several parents and for tags: the characters that separate them, e.g. ";,"."""
    default: str | None = None
    """Used where the cell is empty."""


class SourceValue(_Document):
    """One value of a column that feeds an enum, and what was proposed for it. What is done with it is in `Options`."""

    value: str
    """As it is most often written."""
    count: int
    """How often it was seen in the sample, all spellings that are compared as equal together."""
    proposed: str | None = None
    """The allowed value it was taken for, used only where it is sure (0.9); None: nobody knows."""
    confidence: float = 0.0
    reason: str = ""


class FieldMapping(_Document):
    """One field of one record. `column` is the 0-based index in the file, None with a constant `default`."""

    field: str
    column: int | None
    header: str | None = None
    """The header as written, for people; the index decides."""
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()
    runner_up: str | None = None
    options: Options = Options()
    by: ReferenceBy | None = None
    """Only for references."""
    evidence: dict[Literal["name", "email", "phone", "street", "postal_code", "source_id", "number"], int] = Field(
        default_factory=dict
    )
    """Only for references: further columns (by index) that say something about the same parent."""
    source_values: tuple[SourceValue, ...] = ()
    """Only for enums: values of the column, those to decide first, then by frequency. `options` decides."""
    source_values_total: int = 0
    """How many different values were seen, listed or not."""
    source_values_rows: int = 0
    """In how many rows of the sample they were seen."""


class RecordMapping(_Document):
    """One record made from each row. `slot` tells records of one entity type from the same row apart (0, 1 ...).

    The primary one makes a record (or an error) of every row; a secondary one only of rows in which at least one
    of its own non-reference columns is filled.
    """

    entity: str
    slot: int = 0
    primary: bool = True
    fields: tuple[FieldMapping, ...]


class FileMapping(_Document):
    """The mapping of one file; `records` is empty where the file is left out (no entity type, or by choice)."""

    file: str
    sha256: str
    headers: tuple[str, ...]
    records: tuple[RecordMapping, ...]
    entity_confidence: float = 1.0
    reasons: tuple[str, ...] = ()


class MappingDocument(_Document):
    """The whole mapping of a session. Content decides: two documents with equal content are the same mapping."""

    version: Literal[1] = 1
    source_label: str = "files"
    """Namespace of the source ids: the given label, else the detected platform, else `files`."""
    region: str = "US"
    """Where a phone number without a country code is from (ISO 3166 alpha-2)."""
    strict: bool = False
    """True: every value that cannot be read, and every missing expected field, makes the record an error."""
    files: tuple[FileMapping, ...]
