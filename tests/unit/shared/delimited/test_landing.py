"""The index of a landed file, and batches read by themselves from the middle of it."""

from __future__ import annotations

import hashlib
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from shared.connectors.delimited import land, read_cells_at, read_span, read_span_columns, sample_rows
from shared.connectors.delimited.quotes import literal_cells
from shared.errors import PermanentError
from shared.messages.landing import LandedFile, LeftOut, SourceRow, Span

HEADER = "ID,Name,Phone,City"


def _record(number: int) -> str:
    return f"{number},Name {number},555201{number:06},Denver"


def _file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "clients.csv"
    path.write_bytes(text.encode(encoding))
    return path


def _rows(path: Path, landed: LandedFile) -> list[SourceRow]:
    return [row for span in landed.spans for row in read_span(path, landed.reading, span)]


def test_index_names_hash_size_batches_and_what_was_left_out(tmp_path: Path) -> None:
    text = "Clients\n\n" + HEADER + "\n1,a,b,c\n,,,\n2,d,e,f\n\n" + HEADER + "\n3,g,h,i\n"
    path = _file(tmp_path, text)

    landed = land(path, batch_records=2)

    assert landed.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (landed.size_bytes, landed.records, landed.blank_lines) == (len(text), 3, 2)
    assert landed.left_out == (LeftOut(1, "title"), LeftOut(5, "empty_cells"), LeftOut(8, "repeated_header"))
    assert landed.spans == (
        Span(first_record=0, records=2, line=4, position=text.index("1,a"), length=20, skipped_lines=(5,)),
        Span(first_record=2, records=1, line=9, position=text.index("3,g"), length=8),
    )


def test_same_bytes_give_the_same_index(tmp_path: Path) -> None:
    path = _file(tmp_path, "\n".join([HEADER, *map(_record, range(5_000))]))

    assert land(path) == land(path)


def test_index_survives_its_encoding(tmp_path: Path) -> None:
    landed = land(_file(tmp_path, "\n".join([HEADER, *map(_record, range(1_200)), '9,"open,5,x'])))

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(landed), type=LandedFile) == landed


def test_batches_close_at_500_records_and_before_512_kib(tmp_path: Path) -> None:
    short = [_record(number) for number in range(1_001)]
    long = [f"{number},{'n' * 100_000},5,Denver" for number in range(12)]

    landed = land(_file(tmp_path, "\n".join([HEADER, *short, *long]) + "\n"))

    assert [span.records for span in landed.spans] == [500, 500, 6, 5, 2]
    assert max(span.length for span in landed.spans) <= 512 * 1024


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_rows_across_blocks_of_one_mebibyte_keep_cells_and_lines(end: str, encoding: str, tmp_path: Path) -> None:
    records = [f'{number},"Zoë\n{"é" * (number % 50)}",5,Denver' for number in range(40_000)]
    path = _file(tmp_path, end.join([HEADER, *records]) + end, encoding)

    rows = _rows(path, land(path))

    assert len(rows) == 40_000
    assert [row.line for row in rows] == list(range(2, 80_002, 2))
    assert [row.cells for row in rows] == [[str(n), f"Zoë\n{'é' * (n % 50)}", "5", "Denver"] for n in range(40_000)]


def _peak_of_landing(path: Path, records: int) -> int:
    path.write_text(HEADER + "\n" + "".join(f"{_record(number)}\n" for number in range(records)))
    tracemalloc.start()
    try:
        assert land(path).records == records
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_landing_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"

    assert _peak_of_landing(path, 150_000) < 1.2 * _peak_of_landing(path, 50_000)


def test_progress_counts_bytes_and_records_up_to_the_end(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADER + "\n" + "".join(f"{_record(number)}\n" for number in range(100_000)))
    seen: list[tuple[int, int]] = []

    land(path, on_progress=lambda done, records: seen.append((done, records)))

    assert seen == sorted(seen)
    assert len(seen) >= 3
    assert seen[-1] == (path.stat().st_size, 100_000)


def test_columns_and_rows_of_a_batch_are_the_same_cells(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADER + "\n1,a\n2,b,c,d,,surplus\n3,e,f,g\n")
    landed = land(path)

    lines, columns, extras = read_span_columns(path, landed.reading, landed.spans[0])

    assert lines == [2, 3, 4]
    assert columns == [["1", "2", "3"], ["a", "b", "e"], ["", "c", "f"], ["", "d", "g"]]
    assert extras == {1: ["surplus"]}
    assert read_span(path, landed.reading, landed.spans[0])[1] == SourceRow(3, ["2", "b", "c", "d"], ["surplus"])


def test_cells_are_given_as_the_source_wrote_them(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADER + '\n="001",a,b,c\n="002",d\n="003",e,f,g,h\n')
    landed = land(path)

    found = read_cells_at(path, landed.reading, landed.spans[0], {1, 2})

    assert found == {1: ['="002"', "d", "", ""], 2: ['="003"', "e", "f", "g", "h"]}
    assert [row.cells[0] for row in _rows(path, landed)] == ["001", "002", "003"]


def test_record_above_one_mebibyte_is_a_batch_of_its_own_and_cut_short(tmp_path: Path) -> None:
    note = "n" * (1 << 20)
    path = _file(tmp_path, f"{HEADER}\n{_record(1)}\n2,{note},5,x\n{_record(3)}\n")

    landed = land(path)

    assert [(span.records, span.oversized, span.line) for span in landed.spans] == [
        (1, False, 2),
        (1, True, 3),
        (1, False, 4),
    ]
    assert read_span(path, landed.reading, landed.spans[1]) == [SourceRow(3, ["2", note[:1000], "5", "x"])]
    assert read_cells_at(path, landed.reading, landed.spans[1], {1}) == {1: ["2", note, "5", "x"]}


def test_file_changed_after_landing_is_noticed(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{HEADER}\n{_record(1)}\n{_record(2)}\n")
    landed = land(path)
    path.write_bytes(path.read_bytes().replace(_record(2).encode(), b"\n" * len(_record(2))))

    with pytest.raises(PermanentError) as refused:
        read_span(path, landed.reading, landed.spans[0])

    assert refused.value.code == "landed_file_changed"


def test_sample_takes_whole_batches_from_first_to_last(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADER + "\n" + "".join(f"{_record(number)}\n" for number in range(10_000)))
    landed = land(path)

    sample = sample_rows(path, landed, rows_max=1_500)

    assert [int(row.cells[0]) for row in sample] == [*range(500), *range(4_500, 5_000), *range(9_500, 10_000)]
    assert len(sample_rows(path, landed)) == 10_000
    assert len(sample_rows(path, landed, rows_max=7)) == 6


def test_rows_of_nothing_but_empty_cells_are_counted_beyond_those_listed(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{HEADER}\n{_record(1)}\n" + ",,,\n" * 300_000 + f"{_record(2)}\n")

    landed = land(path)

    assert (landed.records, landed.left_out_total, len(landed.left_out)) == (2, 300_000, 1_000)
    assert [row.line for row in _rows(path, landed)] == [2, 300_003]


def test_open_quote_costs_one_line_and_is_noted(tmp_path: Path) -> None:
    records = [_record(number) for number in range(2_000)]
    records[700] = '700,"Name,5,Denver'
    path = _file(tmp_path, "\n".join([HEADER, *records]))

    landed = land(path)

    rows = _rows(path, landed)
    assert [row.line for row in rows] == list(range(2, 2_002))
    assert rows[700].cells == ["700", '"Name', "5", "Denver"]
    assert [span.literal_lines for span in landed.spans] == [(), (702,), (), ()]
    assert landed.notes == ("Line 702 has an opening quote that is never closed: it was read as it stands.",)


def test_open_quote_closed_by_the_next_quoted_cell_swallows_no_record(tmp_path: Path) -> None:
    text = f'{HEADER}\n1,"Ann,5,Denver\n2,Bob,5,Denver\n3,"Smith, Al",5,Denver\n4,Eve,5,Denver\n'
    path = _file(tmp_path, text)

    rows = _rows(path, land(path))

    assert [row.cells[:2] for row in rows] == [["1", '"Ann'], ["2", "Bob"], ["3", "Smith, Al"], ["4", "Eve"]]


def test_long_note_of_a_narrow_table_is_not_taken_for_records(tmp_path: Path) -> None:
    note = "Service areas:\n" + "\n".join(f"Town {'x' * number}, CO" for number in range(80))
    path = _file(tmp_path, f'ID,Notes\n1,"{note}"\n2,short\n')

    rows = _rows(path, land(path))

    assert [row.cells for row in rows] == [["1", note], ["2", "short"]]


def test_note_cut_off_by_the_end_of_the_file_stays_one_record(tmp_path: Path) -> None:
    path = _file(tmp_path, f'{HEADER}\n{_record(1)}\n2,Bob,5,"first line\nsecond line\nthird')

    rows = _rows(path, land(path))

    assert [row.cells for row in rows][1] == ["2", "Bob", "5", "first line\nsecond line\nthird"]


def test_file_of_inch_marks_is_read_without_quoting(tmp_path: Path) -> None:
    text = "Part\tSize\tPrice\n" + "".join(f'P{number}\t"{number} in\t{number}.50\n' for number in range(30))
    path = _file(tmp_path, text)

    landed = land(path)

    assert (landed.reading.quoting, landed.records) == (False, 30)
    assert read_span(path, landed.reading, landed.spans[0])[7].cells == ["P7", '"7 in', "7.50"]


@pytest.mark.parametrize("good", [0, 300])
def test_quotes_that_open_again_on_every_line_are_given_up_as_delimiters(good: int, tmp_path: Path) -> None:
    path = _file(tmp_path, "x,y\n" + "1,2\n" * good + 'a"b,"c\n' * 150_000)

    landed = land(path)

    assert (landed.records, landed.reading.quoting) == (good + 150_000, False)
    assert read_span(path, landed.reading, landed.spans[-1])[-1].cells == ['a"b', '"c']


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('1,"Ann,5\n', ["1", '"Ann', "5"]),
        ('1,"Smith, Al","open\r\n', ["1", "Smith, Al", '"open']),
        ('"a ""b""",5" pipe,"x"y', ['a "b"', '5" pipe', '"x"y']),
        ("", [""]),
    ],
)
def test_literal_line_keeps_closed_cells_and_takes_open_quotes_as_text(line: str, cells: list[str]) -> None:
    assert literal_cells(line, ",") == cells
