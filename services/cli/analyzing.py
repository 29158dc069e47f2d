"""`hub analyze`: what files hold, without a hub: nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.analyze.entity_detection import detect
from services.cli.analysis_report import describe
from services.ingest.landing_work import SAMPLE_ROWS_MAX
from services.mapper.known_shapes import informed_proposal
from shared.connectors.delimited import land, sample_rows
from shared.errors import HubError
from shared.messages.analysis import SampledFile
from shared.messages.landing import LandedFile


def analyse_files(files: Sequence[Path], *, entities: Mapping[str, str], separately: bool) -> list[dict[str, Any]]:
    """One entry per file in the order given; a file that cannot be read has `entity` null and an `error`."""
    read = [_read(file) for file in files]
    usable = [place for place, one in enumerate(read) if not isinstance(one, dict)]
    groups = [[place] for place in usable] if separately else [usable]
    entries = {place: one for place, one in enumerate(read) if isinstance(one, dict)}
    for group in groups:
        pairs = [one for place in group if not isinstance(one := read[place], dict)]
        entries |= zip(group, _understood(pairs, entities), strict=True)
    return [entries[place] for place in range(len(files))]


def _read(file: Path) -> tuple[LandedFile, SampledFile] | dict[str, Any]:
    try:
        landed = land(file, name=file.name)
        rows = sample_rows(file, landed, rows_max=SAMPLE_ROWS_MAX)
    except HubError as error:
        return _unreadable(file, str(error))
    except OSError as error:
        return _unreadable(file, f"{file.name} cannot be read: {error.strerror or error}.")
    sampled = SampledFile(
        file=file.name,
        headers=landed.reading.headers,
        rows=[row.cells for row in rows],
        records=landed.records,
        sha256=landed.sha256,
    )
    return landed, sampled


def _understood(files: Sequence[tuple[LandedFile, SampledFile]], entities: Mapping[str, str]) -> list[dict[str, Any]]:
    detections = detect([sampled for _, sampled in files])
    mapping = informed_proposal(detections, entities=entities).document
    return [
        describe(detection, file, landed)
        for detection, file, (landed, _) in zip(detections, mapping.files, files, strict=True)
    ]


def _unreadable(file: Path, error: str) -> dict[str, Any]:
    return {
        "file": file.name,
        "entity": None,
        "entity_confidence": 0.0,
        "alternatives": [],
        "records": 0,
        "encoding": None,
        "delimiter": None,
        "header_row": None,
        "columns": [],
        "error": error,
    }
