"""Makes the frozen plan of a run from landed files and an approved mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.catalog import Catalog
from shared.errors import BadInputError
from shared.messages.landing import LandedFile
from shared.messages.mapping import FileMapping, MappingDocument
from shared.messages.plan import RECORD_SLOTS_BITS, PlannedFile, PlannedStream, RunKind, RunPlan

FILES_MAX = 1_000
"""Files of one session: the rank of a file has 16 bits, and every one costs a message's round."""
NAMES_TOLD_MAX = 5


def make_plan(
    *,
    account: str,
    session: str,
    run: int,
    kind: RunKind,
    landed: Sequence[tuple[str, LandedFile]],
    mapping: MappingDocument,
    catalog: Catalog,
    only_batches: Sequence[int] | None = None,
) -> RunPlan:
    """The plan over (file name, index) pairs in any order; files the mapping leaves out are not in it.

    Raises BadInputError where the mapping knows a file that is not there, or no file is left to import.
    """
    mappings = {file.sha256: file for file in mapping.files if file.records}
    by_hash = {index.sha256: (name, index) for name, index in sorted(landed, key=lambda item: item[0], reverse=True)}
    if missing := [file.file for file in mapping.files if file.records and file.sha256 not in by_hash]:
        raise BadInputError(
            f"The approved mapping belongs to files that are not in this session: {', '.join(missing)}.",
            next_step="Analyse the files again and approve the new mapping. Nothing was imported.",
        )
    chosen = sorted(
        ((name, index) for sha256, (name, index) in by_hash.items() if sha256 in mappings),
        key=lambda item: (item[0], item[1].sha256),
    )
    if not chosen:
        names = sorted(name for name, _ in by_hash.values())
        told = ", ".join(names[:NAMES_TOLD_MAX]) + (" …" if len(names) > NAMES_TOLD_MAX else "")
        raise BadInputError(
            f"No file is left to import: what was analysed ({told}) is of none of the known entity types, or left out.",
            next_step="Say what a file holds (--entity FILE=TYPE, or in the mapping), or add other files.",
        )
    files = _planned_files(chosen, mappings)
    return RunPlan(
        account=account,
        session=session,
        run=run,
        kind=kind,
        catalog_version=catalog.version,
        source_label=mapping.source_label,
        region=mapping.region,
        strict=mapping.strict,
        files=files,
        batches=sum(len(file.spans) for file in files),
        only_batches=tuple(only_batches) if only_batches is not None else None,
    )


def _planned_files(
    chosen: Sequence[tuple[str, LandedFile]], mappings: Mapping[str, FileMapping]
) -> tuple[PlannedFile, ...]:
    files: list[PlannedFile] = []
    slot = batch = 0
    for rank, (name, index) in enumerate(chosen):
        mapping = mappings[index.sha256]
        streams = []
        for order, record in enumerate(mapping.records):
            streams.append(
                PlannedStream(
                    entity=record.entity, slot=record.slot, primary=record.primary, first_slot=slot, order=order
                )
            )
            slot += index.records
        files.append(
            PlannedFile(
                rank=rank,
                name=name,
                sha256=index.sha256,
                records=index.records,
                reading=index.reading,
                spans=index.spans,
                first_batch=batch,
                mapping=mapping.model_dump_json().encode(),
                streams=tuple(streams),
            )
        )
        batch += len(index.spans)
    if slot >> RECORD_SLOTS_BITS:
        raise BadInputError(
            f"These files would make {slot:,} records; one run has room for {1 << RECORD_SLOTS_BITS:,}.",
            next_step="Import the files in several sessions.",
        )
    return tuple(files)


def steps_of(plan: RunPlan, catalog: Catalog) -> list[str]:
    """The steps of a run: parents before children; a preflight writes nothing and has nothing to finalize."""
    types = [entity.name for entity in catalog.in_load_order() if entity.name in plan.entities]
    return ["validating", *types, *([] if plan.kind == "preflight" else ["finalizing"])]
