"""Arguments: files and folders, types set by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.arguments import entities_of, files_of, mapping_of
from shared.errors import BadInputError


def test_a_folder_stands_for_its_delimited_files_by_name(tmp_path: Path) -> None:
    for name in ("jobs.csv", "clients.TSV", "notes.txt", "photo.png"):
        (tmp_path / name).write_text("a,b\n1,2\n")

    assert [file.name for file in files_of([tmp_path])] == ["clients.TSV", "jobs.csv", "notes.txt"]


def test_files_keep_the_order_given_and_count_once(tmp_path: Path) -> None:
    jobs, clients = tmp_path / "jobs.csv", tmp_path / "clients.csv"
    jobs.touch()
    clients.touch()

    assert files_of([jobs, clients, jobs]) == [jobs, clients]


@pytest.mark.parametrize("path", ["missing.csv", "."])
def test_a_path_without_files_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInputError, match=r"missing.csv|no delimited files"):
        files_of([tmp_path / path])


def test_types_are_set_by_file_name_or_path(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"

    assert (
        entities_of([f"{file}=customers"], [file]) == entities_of(["a.csv=customers"], [file]) == {"a.csv": "customers"}
    )


@pytest.mark.parametrize(
    ("argument", "says"), [("b.csv=jobs", "none of the files"), ("a.csv=people", "no entity type")]
)
def test_a_wrong_type_or_file_is_refused_with_the_choices(tmp_path: Path, argument: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        entities_of([argument], [tmp_path / "a.csv"])


def test_options_beside_a_mapping_win_over_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text("version: 1\nsource_label: old\nfiles: []\n")

    mapping = mapping_of(file, strict=True, source_label="new")

    assert mapping is not None
    assert (mapping["strict"], mapping["source_label"], mapping["files"]) == (True, "new", [])
