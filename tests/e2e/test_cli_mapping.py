"""`hub mapping` on the command line: values with frequencies, reset, and what approvals taught."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.hub_command import Hub, write_csv

HEADER = "Job #,Title,Job Status,Client Name"


@pytest.fixture
def proposed(hub: Hub, tmp_path: Path) -> Hub:
    """A hub with a session whose mapping waits for approval."""
    file = write_csv(tmp_path / "jobs.csv", HEADER, "1,AC repair,Done,Ann Smith", "2,Tune-up,Blorp,Bob Hill")
    hub("import", file, "--json")
    return hub


def test_show_tells_what_becomes_of_each_value_and_what_is_to_decide(proposed: Hub) -> None:
    out = proposed("mapping", "show").out

    assert "values of jobs.status (Job Status)" in out
    assert [line.split()[:3] for line in out.splitlines() if line.startswith(("Done", "Blorp"))] == [
        ["Blorp", "1", "to"],
        ["Done", "1", "completed"],
    ]
    assert "1 to decide; one of: unscheduled, scheduled" in out


def test_reset_takes_back_what_was_changed_by_hand(proposed: Hub, tmp_path: Path) -> None:
    before = proposed("mapping", "show", "--json").json["mapping"]
    changed = tmp_path / "mapping.yaml"
    proposed("mapping", "export", "--output", changed)
    changed.write_text(changed.read_text().replace("field: title", "field: description"))
    proposed("mapping", "approve", "--mapping", changed)

    answer = proposed("mapping", "reset")

    assert (answer.code, "is the hub's proposal again (version 3)" in answer.out) == (0, True)
    assert proposed("mapping", "show", "--json").json["mapping"] == before


def test_what_an_approval_taught_is_listed_and_forgotten(proposed: Hub) -> None:
    proposed("mapping", "approve")
    [entry] = proposed("mapping", "memory", "list", "--json").json["entries"]
    listed = proposed("mapping", "memory", "list").out

    shown = entry["id"][:6]
    asked = proposed("mapping", "memory", "forget", shown)
    together = proposed("mapping", "memory", "forget", shown, "unknown", "--yes")
    done = proposed("mapping", "memory", "forget", shown, "--yes")

    assert shown in listed
    assert (together.code, "no remembered mapping unknown. Nothing was changed." in together.err) == (1, True)
    assert (asked.code, "Give --yes" in asked.err) == (1, True)
    assert (done.code, done.out) == (0, "1 mappings were forgotten.\n")
    assert "Nothing is remembered yet." in proposed("mapping", "memory", "list").out


def test_forgetting_says_what_it_needs_and_what_is_not_there(hub: Hub) -> None:
    unclear, unknown = hub("mapping", "memory", "forget"), hub("mapping", "memory", "forget", "abc", "--yes")

    assert (unclear.code, "or give --all" in unclear.err) == (1, True)
    assert (unknown.code, "no remembered mapping abc" in unknown.err) == (1, True)


def test_sharing_is_refused_where_the_operator_does_not_allow_it(hub: Hub) -> None:
    answer = hub("mapping", "memory", "share", "abc")

    assert (answer.code, "HUB_MAPPER_MEMORY_SHARED" in answer.err) == (1, True)
