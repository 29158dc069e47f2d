"""Compares what the hub imported with the truth file of a sample export and says each difference in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

Record = Mapping[str, Any]
Place = tuple[str, int, str]
"""File name, physical line, entity type."""
COUNTS = ("extracted", "imported", "skipped", "errored", "warnings", "references", "linked", "pending")


def compare(
    truth: Record,
    exported: Mapping[str, Sequence[Record]],
    report: Record,
    problems: Sequence[Record] | None = None,
) -> list[str]:
    """Every difference between a truth document and an import, in words; empty where there is none.

    truth: a `truth.json` of `examples/`. exported: entity type -> records as `hub export ENTITY --format jsonl` gives
    them. report: what `hub import --json` printed. problems: rows of the error file, where they are compared too.
    """
    differences = compare_records(truth, exported)
    if problems is not None:
        differences += compare_problems(truth, problems)
    return differences + compare_report(truth, report)


def compare_records(truth: Record, exported: Mapping[str, Sequence[Record]]) -> list[str]:
    """Differences in which records there are, in their values and in their links."""
    stored, differences = _pair_up(truth["records"], exported)
    parents = _Parents(truth["records"], stored)
    for i, expected in enumerate(truth["records"]):
        if expected["outcome"] == "imported" and i in stored:
            differences += _values(expected, stored[i])
            differences += _links(expected, stored[i], parents)
    return differences


def compare_problems(truth: Record, problems: Sequence[Record]) -> list[str]:
    """Differences in what is said about single rows: errors, skipped copies and of what, warnings."""
    expected = Counter(_told(truth["records"]))
    found = Counter(
        (row["hub_file"], int(row["hub_row"]), row["hub_entity"], row["hub_severity"], row["hub_code"])
        for row in problems
    )
    differences = [f"the error file does not say {told}" for told in (expected - found).elements()]
    differences += [f"the error file says {told}, expected nothing" for told in (found - expected).elements()]
    reasons = {(row["hub_file"], int(row["hub_row"]), row["hub_entity"]): row["hub_reason"] for row in problems}
    for record in truth["records"]:
        if (original := record.get("of")) and f"row {original['line']} of" not in reasons.get(_place(record), ""):
            differences.append(f"{_name(record)} is not said to be a copy of row {original['line']}")
    return differences


_SEVERITY = {"errored": "error", "skipped": "skipped"}


def _told(records: Sequence[Record]) -> Iterator[tuple[str, int, str, str, str]]:
    for record in records:
        if record["outcome"] != "imported":
            yield (*_place(record), _SEVERITY[record["outcome"]], record["code"])
        elif record.get("warnings"):
            yield (*_place(record), "warning", record["warnings"][0]["code"])


def compare_report(truth: Record, report: Record) -> list[str]:
    """Differences in state, counts, money and files."""
    differences = []
    if report.get("state") != truth["state"]:
        differences.append(f"state is {report.get('state')!r}, expected {truth['state']!r}")
    for entity in sorted(truth["entities"].keys() | report.get("entities", {}).keys()):
        expected, found = truth["entities"].get(entity, {}), report.get("entities", {}).get(entity, {})
        for name in COUNTS:
            if found.get(name, 0) != expected.get(name, 0):
                differences.append(f"{entity}: {found.get(name, 0)} {name}, expected {expected.get(name, 0)}")
    for name, amounts in truth["money"].items():
        found = report.get("money", {}).get(name, {})
        for side, amount in amounts.items():
            if found.get(side) != amount:
                differences.append(f"money {name}: {side} is {found.get(side)!r}, expected {amount!r}")
    return differences + _files(truth["files"], report.get("files", []))


def _files(expected: Record, found: Sequence[Record]) -> list[str]:
    by_name = {PurePath(file["file"]).name: file for file in found}
    differences = []
    for name, file in expected.items():
        if name not in by_name:
            differences.append(f"{name} is not among the files of the report")
            continue
        if by_name[name]["records"] != file["records"]:
            differences.append(f"{name}: {by_name[name]['records']} records, expected {file['records']}")
        left_out = by_name[name]["left_out"]
        count = left_out if isinstance(left_out, int) else len(left_out)
        if count != len(file["left_out"]):
            differences.append(f"{name}: {count} rows left out, expected {len(file['left_out'])} {file['left_out']}")
        entities = sorted(by_name[name]["entities"])
        if entities != file["entities"]:
            differences.append(f"{name} was imported as {entities}, expected {file['entities']}")
    return differences


# ---- which stored record is which expected one ------------------------------------------------------------------


def _pair_up(
    records: Sequence[Record], exported: Mapping[str, Sequence[Record]]
) -> tuple[dict[int, Record], list[str]]:
    """Index of the expected record -> stored record; what is missing, what is there and should not be."""
    by_place: dict[Place, list[Record]] = defaultdict(list)
    for entity, found in exported.items():
        for record in found:
            by_place[PurePath(record["source_file"]).name, record["source_row"], entity].append(record)
    stored: dict[int, Record] = {}
    differences = []
    for i, expected in enumerate(records):
        if expected["outcome"] != "imported":
            continue
        candidates = by_place[_place(expected)]
        if not candidates:
            differences.append(f"{_name(expected)} was not imported")
            continue
        # One row may give several records of a type (addresses): the one that differs least is meant.
        best = min(candidates, key=lambda candidate: len(_values(expected, candidate)))
        candidates.remove(best)
        stored[i] = best
    reasons = {_place(r): f"{r['outcome']} ({r.get('code')})" for r in records if r["outcome"] != "imported"}
    for (file, line, entity), left in by_place.items():
        wanted = reasons.get((file, line, entity), "nothing")
        differences += [f"{entity} of {file} row {line} was imported, expected {wanted}"] * len(left)
    repeated = Counter(str(record["id"]) for found in exported.values() for record in found)
    return stored, differences + [f"{n} records have the id {record_id}" for record_id, n in repeated.items() if n > 1]


def _place(record: Record) -> Place:
    return record["file"], record["line"], record["entity"]


def _name(record: Record) -> str:
    slot = f" ({record['slot'] + 1}.)" if record["slot"] else ""
    return f"{record['entity']}{slot} of {record['file']} row {record['line']}"


# ---- values and links -------------------------------------------------------------------------------------------


def _values(expected: Record, found: Record) -> list[str]:
    """`one|other` is right where either of the fields holds the value."""
    differences = []
    for field, value in expected["values"].items():
        seen = [found.get(name) for name in field.split("|")]
        if value not in seen and not (value is None and seen == [[]]):
            differences.append(f"{_name(expected)}: {field} is {seen[0]!r}, expected {value!r}")
    return differences


class _Parents:
    """Finds the stored record of an expected parent."""

    def __init__(self, records: Sequence[Record], stored: Mapping[int, Record]) -> None:
        self._stored = {(*_place(r), r["slot"]): stored[i] for i, r in enumerate(records) if i in stored}

    def of(self, place: Record) -> Record | None:
        return self._stored.get((place["file"], place["line"], place["entity"], place["slot"]))


def _links(expected: Record, found: Record, parents: _Parents) -> list[str]:
    differences = []
    for field, wanted in expected["refs"].items():
        if isinstance(wanted, list):
            linked = [one for one in (found.get(field) or []) if one is not None]
            ids = [parent["id"] if parent else None for parent in (parents.of(one) for one in wanted if one)]
            if linked != ids:
                differences.append(f"{_name(expected)}: {field} links to {linked}, expected {ids}")
            continue
        differences += _link(expected, field, wanted, found, parents)
    return differences


def _link(expected: Record, field: str, wanted: Record | None, found: Record, parents: _Parents) -> list[str]:
    linked = found.get(field)
    if wanted is None:
        return [] if linked is None else [f"{_name(expected)}: {field} links to {linked!r}, expected to stay open"]
    where = f"{wanted['entity']} of {wanted['file']} row {wanted['line']}"
    parent = parents.of(wanted)
    if parent is None:
        return [f"{_name(expected)}: {field} must link to {where}, which was not imported"]
    if linked != parent["id"]:
        return [f"{_name(expected)}: {field} links to {linked!r}, expected {parent['id']!r} ({where})"]
    differences = []
    if found.get(f"{field}.source_id") != parent.get("source_id"):
        differences.append(
            f"{_name(expected)}: {field}.source_id is {found.get(f'{field}.source_id')!r},"
            f" expected {parent.get('source_id')!r}"
        )
    if not found.get(f"{field}.method"):
        differences.append(f"{_name(expected)}: {field} does not say by what it was linked")
    confidence = found.get(f"{field}.confidence")
    if not isinstance(confidence, int | float) or not 0 < confidence <= 1:
        differences.append(f"{_name(expected)}: {field}.confidence is {confidence!r}, expected a number up to 1")
    return differences
