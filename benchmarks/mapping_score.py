"""Runs detection and proposals over a labelled cases file and prints predictions for the scorer.

    python -m benchmarks.mapping_score CASES.json [--held-out] > predictions.json

The cases file is a JSON object with `cases`: `id`, `file_name`, `entity` and `columns` of `header` and `samples` each.
Nothing of a case but its file name, headers and samples reaches detection; `entity` is used for `columns_given` alone.

The lexicon was written by people who knew the headers of such cases, so plain figures flatter it. `--held-out` reads
each case without every lexicon phrase that equals a header of no other platform's cases, and without known exports: a
stricter estimate for headers nobody listed (weights and single words still come from people who saw the cases).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from services.analyze.entity_detection import detect
from services.mapper.proposals import propose_file
from shared.catalog.evidence import Evidence, build_evidence, load_evidence
from shared.catalog.lexicon import build_lexicon, load_lexicon
from shared.messages.analysis import SampledFile
from shared.messages.mapping import FileMapping


def sampled(case: dict[str, Any]) -> SampledFile:
    """The case as a file: its samples are the rows."""
    columns = case["columns"]
    rows = [list(row) for row in zip(*(column["samples"] for column in columns), strict=True)]
    headers = tuple(column["header"] or "" for column in columns)
    return SampledFile(file=case["file_name"], headers=headers, rows=rows, records=len(rows))


def answers(mapping: FileMapping, headers: tuple[str, ...]) -> list[dict[str, Any]]:
    """Per column the field of the primary record, or null."""
    primary = next((record for record in mapping.records if record.primary), None)
    by_column = {field.column: field for field in primary.fields} if primary else {}
    return [
        {
            "index": i,
            "header": header,
            "field": by_column[i].field if i in by_column else None,
            "confidence": by_column[i].confidence if i in by_column else None,
        }
        for i, header in enumerate(headers)
    ]


def predict(case: dict[str, Any], evidence: Evidence) -> dict[str, Any]:
    """One prediction in the form the scorer reads."""
    file = sampled(case)
    start = time.perf_counter()
    detection = detect([file], evidence)[0]
    mapping = propose_file(detection, evidence)
    elapsed = (time.perf_counter() - start) * 1000
    given = propose_file(detection, evidence, entity=case["entity"], given=True)
    return {
        "case_id": case["id"],
        "entity": detection.entity,
        "entity_confidence": detection.entity_confidence,
        "columns": answers(mapping, file.headers),
        "columns_given": answers(given, file.headers),
        "ms": round(elapsed, 2),
    }


def _group(case: dict[str, Any]) -> str:
    """Cases that share headers because they come from one platform; invented ones stand alone."""
    return str(case["platform"] if case.get("kind") == "real" else case["id"])


def held_out(cases: list[dict[str, Any]]) -> dict[str, Evidence]:
    """Per group the evidence without what only this group's headers could have taught."""
    lexicon = load_lexicon()
    seen: dict[frozenset[str], set[str]] = {}
    for case in cases:
        for column in case["columns"]:
            if column["header"]:
                seen.setdefault(frozenset(lexicon.tokens(column["header"])), set()).add(_group(case))
    own: dict[str, set[frozenset[str]]] = {_group(case): {frozenset()} for case in cases}
    for words, groups in seen.items():
        if len(groups) == 1:
            own[next(iter(groups))].add(words)
    return {group: build_evidence(build_lexicon(without=frozenset(words))) for group, words in own.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--held-out", action="store_true", help="leave out the phrases only a case's platform has")
    chosen = parser.parse_args()
    document = json.loads(chosen.cases.read_text(encoding="utf-8"))
    cases = document["cases"] if isinstance(document, dict) else document
    plain = load_evidence()
    by_group = held_out(cases) if chosen.held_out else {}
    json.dump([predict(case, by_group.get(_group(case), plain)) for case in cases], sys.stdout)


if __name__ == "__main__":
    main()
