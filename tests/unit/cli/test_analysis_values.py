"""`hub analyze --json` tells the values of a column that feeds a field with fixed values."""

from __future__ import annotations

from services.analyze.entity_detection import detect
from services.cli.analysis_report import describe
from services.mapper.known_shapes import informed_proposal
from shared.messages.landing import LandedFile, Reading
from tests.support.sampled import sampled

JOBS = sampled(
    "jobs.csv",
    ["Job #", "Title", "Job status"],
    ["1", "AC repair", "Done"],
    ["2", "Drain cleaning", "done"],
    ["3", "Tune-up", "Blorp"],
)


def test_values_stand_with_their_frequency_and_what_becomes_of_them() -> None:
    detections = detect([JOBS])
    [mapping] = informed_proposal(detections, entities={"jobs.csv": "jobs"}).document.files
    reading = Reading(encoding="utf-8", delimiter=",", header_line=1, headers=JOBS.headers)
    landed = LandedFile(
        sha256="0" * 64, size_bytes=1, reading=reading, records=3,
        spans=(), left_out=(), left_out_total=0, blank_lines=0
    )  # fmt: skip

    number, _, status = describe(detections[0], mapping, landed)["columns"]

    assert "values" not in number
    assert [(v["value"], v["count"], v["becomes"], v["state"], v["confidence"]) for v in status["values"]] == [
        ("Blorp", 1, None, "unmatched", 0.0),
        ("Done", 2, "completed", "matched", 0.99),
    ]
    assert (status["values_total"], status["values_not_shown"], status["rows_not_shown"]) == (2, 0, 0)
