"""What mapper keeps: the mappings of each session, the newest one first in line."""

from __future__ import annotations

from pydantic import BaseModel, Field

from services.mapper.value_mapping import ValueMappingView
from shared.messages.mapping import MappingDocument

MAPPINGS = "mapper.mappings"


class Version(BaseModel):
    """One version of a session's mapping. `document` is the address of the MappingDocument as JSON."""

    number: int
    session_version: int
    document: str
    made_by: str
    approved_by: str | None = None
    left_out: list[str] = Field(default_factory=list)
    """Content hashes of the files that somebody left out by this mapping, though they would have been imported."""
    analysis: str = ""
    """Address of the analysis the proposal was made from; a mapping given by hand keeps that of the one before."""


class SessionMapping(BaseModel):
    """A session's mapping: its versions, oldest first. The last one counts; approval belongs to one version."""

    session: str
    account: str
    versions: list[Version] = Field(default_factory=list)
    proposed: str = ""
    """Address of the latest proposal, to which the mapping can be reset."""

    @property
    def latest(self) -> Version:
        """The version that counts."""
        return self.versions[-1]


class MissingGroup(BaseModel):
    """Fields of which at least one must (or should) have a column."""

    file: str
    entity: str
    fields: list[str]
    labels: list[str]


class MappingView(BaseModel):
    """A session's mapping as clients see it."""

    session: str
    number: int
    session_version: int
    approved: bool
    made_by: str
    mapping: MappingDocument
    missing_required: list[MissingGroup]
    missing_expected: list[MissingGroup]
    value_mappings: list[ValueMappingView] = Field(default_factory=list)
    """Columns that feed a field with fixed values: each value with its frequency and what becomes of it."""
