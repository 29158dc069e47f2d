"""The hostile set: each file ends with a right result or with an error that names file, reason and way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.connectors.delimited import land, read_span
from shared.errors import BadInputError
from tests.data.hostile import HostileFile, Landed, Refused, hostile_files

FILES = hostile_files()


@pytest.mark.parametrize(
    "hostile", [file for file in FILES if isinstance(file.expected, Landed)], ids=lambda file: file.name
)
def test_hostile_file_is_read_as_it_was_meant(hostile: HostileFile, tmp_path: Path) -> None:
    expected = hostile.expected
    assert isinstance(expected, Landed)
    path = tmp_path / hostile.name
    path.write_bytes(hostile.content)

    landed = land(path, batch_records=3)

    reading = landed.reading
    rows = {row.line: row for span in landed.spans for row in read_span(path, reading, span)}
    assert (landed.records, len(rows)) == (expected.records, expected.records)
    assert (reading.encoding, reading.delimiter, reading.header_line) == (
        expected.encoding,
        expected.delimiter,
        expected.header_row,
    )
    assert len(reading.headers) == expected.columns
    assert {row.line: row.reason for row in landed.left_out} == expected.left_out
    assert {line: rows[line].cells for line in expected.rows} == expected.rows
    assert {line: row.extra for line, row in rows.items() if row.extra} == expected.extra
    assert sum(span.oversized for span in landed.spans) == expected.oversized


@pytest.mark.parametrize(
    "hostile", [file for file in FILES if isinstance(file.expected, Refused)], ids=lambda file: file.name
)
def test_hostile_file_is_refused_with_reason_and_way_out(hostile: HostileFile, tmp_path: Path) -> None:
    expected = hostile.expected
    assert isinstance(expected, Refused)
    path = tmp_path / hostile.name
    path.write_bytes(hostile.content)

    with pytest.raises(BadInputError) as refused:
        land(path)

    for words in (hostile.name, *expected.words):
        assert words in str(refused.value)
    assert refused.value.next_step
