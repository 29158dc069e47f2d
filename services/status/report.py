"""The reconciliation report: records, references and money, source against destination."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.status.columns import column_names
from services.status.counting import EntityTotals
from shared.catalog import Catalog
from shared.catalog.amounts import decimal_text
from shared.messages.control import RunChanged
from shared.messages.plan import RunPlan


class FileReport(BaseModel):
    """One file: `records` went into the import, `left_out` rows did not (totals, repeated headers, a file left out)."""

    file: str
    entities: list[str]
    records: int
    left_out: int
    reason: str | None = None
    """Why the whole file was left out."""
    error: str | None = None
    """Why the file could not be read, and the way out."""
    sha256: str | None = None
    """Content of the file."""


class MissingColumn(BaseModel):
    """A file of which no column is chosen for any of these fields, of which one is required."""

    file: str
    entity: str
    fields: list[str]
    labels: list[str]


class EntityReport(BaseModel):
    """extracted = imported + skipped + errored, in records; references = linked + pending, in references.

    `warnings` are imported records with something to look at. `unresolved` are the pending references whose entity type
    is nowhere in the account.
    """

    extracted: int
    imported: int
    skipped: int
    errored: int
    warnings: int
    references: int
    linked: int
    pending: int
    unresolved: int


class MoneyReport(BaseModel):
    """source = destination + left_out, as decimal strings with two digits; unreadable amounts are in none of them."""

    source: str
    destination: str
    left_out: str


ReportState = Literal[
    "none",
    "proposed",
    "needs_mapping",
    "refused",
    "unfinished",
    "validating",
    "importing",
    "finalizing",
    "cancelling",
    "validated",
    "completed",
    "completed_with_errors",
    "failed",
    "cancelled",
]
"""`none`: there is no session; `proposed`: the mapping waits; `unfinished`: `hub resume` goes on; else as of a run."""


class ImportReport(BaseModel):
    """What became of every record of an import, or why it did not start. Published as a JSON schema."""

    session: str | None = Field(description="Id of the session; null where none was made.")
    state: ReportState
    kind: str | None = Field(default=None, description="`preflight`: counts of what would happen.")
    files: list[FileReport]
    entities: dict[str, EntityReport]
    money: dict[str, MoneyReport]
    missing: list[MissingColumn] | None = Field(default=None, description="Required fields without a column.")
    error: str | None = Field(default=None, description="What happened and what is safe, where it did not complete.")
    next: str | None = Field(default=None, description="What to do then.")
    errors_file: str | None = Field(description="Where the error file lies; null where there is nothing in it.")
    report_file: str | None = Field(description="Where this report lies as a file.")
    seconds: float = Field(description="Wall time of the command; over HTTP that of the run.")


class Report(ImportReport):
    """The reconciliation report of one run."""

    error_columns: dict[str, list[str]]
    """File -> its columns as the error file names them."""
    run: int


def make_report(state: RunChanged, plan: RunPlan, sums: dict[str, EntityTotals], catalog: Catalog) -> Report:
    """The report of a run. Files that are not in the plan are added by who knows the session."""
    return Report(
        session=state.session,
        run=state.run,
        kind=state.kind,
        state=state.state,
        files=[
            FileReport(
                file=file.name,
                sha256=file.sha256,
                entities=list(dict.fromkeys(stream.entity for stream in file.streams)),
                records=file.records,
                left_out=0,
            )
            for file in plan.files
        ],
        error_columns={file.name: column_names(file) for file in plan.files},
        entities={name: _entity(s) for name, s in sums.items()},
        money=_money(sums, catalog),
        error=state.failure,
        errors_file=None,
        report_file=None,
        seconds=round((state.ended_at or state.started_at) - state.started_at, 3),
    )


def _entity(s: EntityTotals) -> EntityReport:
    return EntityReport(
        extracted=s.extracted,
        imported=s.imported,
        skipped=s.skipped,
        errored=s.errored,
        warnings=s.warnings,
        references=s.references,
        linked=s.linked,
        pending=s.pending,
        unresolved=s.unresolved,
    )


def _money(sums: dict[str, EntityTotals], catalog: Catalog) -> dict[str, MoneyReport]:
    found: dict[str, MoneyReport] = {}
    for entity, s in sums.items():
        for name in catalog[entity].fields:
            if name in s.money or name in s.money_left_out:
                arrived, left = s.money.get(name, 0), s.money_left_out.get(name, 0)
                found[f"{entity}.{name}"] = MoneyReport(
                    source=decimal_text(arrived + left), destination=decimal_text(arrived), left_out=decimal_text(left)
                )
    return found
