"""How a file is read: encoding, delimiter, header row, and the rows around the table that are no records."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.connectors.delimited import detect_reading, land, read_span
from shared.errors import BadInputError
from shared.messages.landing import LandedFile


def _file(folder: Path, content: str | bytes) -> Path:
    path = folder / "clients.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _cells(path: Path, landed: LandedFile) -> list[list[str]]:
    return [row.cells for span in landed.spans for row in read_span(path, landed.reading, span)]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b,c\n1,2,3\n", ","),
        ("name;price;tax\nBob;1,5;2,5\nAl;1,5;2,5\n", ";"),
        ("name\taddress\nBob\t12 Main St, Denver, CO\nAl\t1 Oak St, Denver, CO\n", "\t"),
        ("id|name|tags\n1|Bob|a,b,c\n2|Al|a,b,c\n", "|"),
        ("name,tags,city\nBob,a;b,Denver\nAl,c;d,Denver\nEve,e;f\n", ","),
        ("Report for March, 2025\nname;city;zip\nBob;Denver;80014\nAl;Aurora;80010\n", ";"),
        ('name,note\nBob,"a;b;c"\nAl,"d;e;f"\n', ","),
    ],
)
def test_delimiter_is_the_one_with_the_steadiest_columns(text: str, delimiter: str, tmp_path: Path) -> None:
    assert detect_reading(_file(tmp_path, text)).delimiter == delimiter


def test_column_of_addresses_with_commas_stays_one_column(tmp_path: Path) -> None:
    path = _file(tmp_path, "address\n12 Main St, Denver\n1 Oak St, Aurora\n")

    landed = land(path)

    assert landed.reading.headers == ("address",)
    assert _cells(path, landed) == [["12 Main St, Denver"], ["1 Oak St, Aurora"]]


@pytest.mark.parametrize(
    ("text", "header_line", "headers"),
    [
        ("Name,Phone\nBob,5552010001\n", 1, ("Name", "Phone")),
        ("Clients\n\nName,Phone\nBob,5552010001\nAl,5552010002\n", 3, ("Name", "Phone")),
        ("Clients,,\nFrom 1/1/2025 to 2/1/2025,,\nID,Name,City\n1,Bob,Denver\n", 3, ("ID", "Name", "City")),
        ("Name,Phone\n", 1, ("Name", "Phone")),
        (" Name ,,Phone\nBob,x,5552010001\n", 1, ("Name", "", "Phone")),
        ("Bob,bob@x.example\nAl,al@x.example\n", None, ("", "")),
        ("1,Bob,Denver\n2,Al,Aurora\n", None, ("", "", "")),
        ("Bob,2025-01-02\nAl,2025-01-03\n", None, ("", "")),
        ("Technician,2024,2025\nBob,100,200\nAl,300,400\n", 1, ("Technician", "2024", "2025")),
        ('"Name\nin full",Phone\nBob,5552010001\n', 1, ("Name\nin full", "Phone")),
    ],
)
def test_header_row_is_found_or_known_to_be_missing(
    text: str, header_line: int | None, headers: tuple[str, ...], tmp_path: Path
) -> None:
    reading = detect_reading(_file(tmp_path, text))

    assert (reading.header_line, reading.headers) == (header_line, headers)


def test_first_row_of_words_that_recur_below_is_a_record(tmp_path: Path) -> None:
    rows = ["Bob,Denver,active"] + [f"Al{'x' * number},Denver,active" for number in range(8)]
    path = _file(tmp_path, "\n".join(rows))

    landed = land(path)

    assert (landed.reading.header_line, landed.records) == (None, 9)


def test_header_row_that_lacks_the_last_names_is_widened(tmp_path: Path) -> None:
    path = _file(tmp_path, "Name,Phone\nBob,5552010001,Denver\nAl,5552010002,Aurora\n")

    landed = land(path)

    assert landed.reading.headers == ("Name", "Phone", "")
    assert _cells(path, landed) == [["Bob", "5552010001", "Denver"], ["Al", "5552010002", "Aurora"]]


@pytest.mark.parametrize("header_line", [3, 0])
def test_header_row_given_by_the_user_is_taken(header_line: int, tmp_path: Path) -> None:
    path = _file(tmp_path, "a,b\nc,d\nName,Phone\nBob,5552010001\n")

    landed = land(path, header_line=header_line)

    assert landed.reading.header_line == (header_line or None)
    assert landed.records == (1 if header_line else 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"header_line": 9}, "line 9"),
        ({"delimiter": "::"}, "'::'"),
        ({"encoding": "klingon"}, "'klingon'"),
        ({"encoding": "shift_jis"}, "'shift_jis'"),
    ],
)
def test_choice_that_cannot_be_used_is_refused(options: dict[str, str | int], words: str, tmp_path: Path) -> None:
    path = _file(tmp_path, "a,b\n1,2\n")

    with pytest.raises(BadInputError, match=r"clients\.csv") as refused:
        land(path, **options)  # type: ignore[arg-type]

    assert words in refused.value.message
    assert refused.value.next_step


@pytest.mark.parametrize(
    "last",
    [
        "Total,,350.00",
        "Grand total,,$350.00",
        "Totals:,,350",
        "3 records",
        "Record count: 3,,",
        "-- end of report --",
        ",Total,350.00",
        "Copyright (c) 2000-2025 Acme. All rights reserved.",
    ],
)
def test_total_or_remark_in_the_last_row_is_left_out(last: str, tmp_path: Path) -> None:
    path = _file(tmp_path, f"ID,Name,Balance\n1,Bob,100.00\n2,Al,100.00\n3,Eve,150.00\n{last}\n")

    landed = land(path)

    assert landed.records == 3
    assert [row.line for row in landed.left_out] == [5]
    assert landed.left_out[0].reason in ("total", "comment")


@pytest.mark.parametrize(
    "last",
    [
        "4,Total Comfort HVAC,50.00",
        "Total Comfort HVAC,,50.00",
        "Total,Denver,50.00",
        "4,Total,",
        "Summary Plumbing,,",
        "4",
    ],
)
def test_record_in_the_last_row_is_kept(last: str, tmp_path: Path) -> None:
    path = _file(tmp_path, f"ID,Name,Balance\n1,Bob,100.00\n2,Al,100.00\n3,Eve,150.00\n{last}\n")

    landed = land(path)

    assert (landed.records, landed.left_out) == (4, ())


def test_block_of_remarks_below_a_blank_line_is_left_out_whole(tmp_path: Path) -> None:
    text = 'ID,Name,Balance\n1,Bob,1\n2,Al,2\n\n"Client list"\n"Generated By: Ann 1/2/2025"\n"Acme Corp"\n'
    path = _file(tmp_path, text)

    landed = land(path, batch_records=1)

    assert [(row.line, row.reason) for row in landed.left_out] == [(5, "comment"), (6, "comment"), (7, "comment")]
    assert _cells(path, landed) == [["1", "Bob", "1"], ["2", "Al", "2"]]


def test_total_in_the_middle_is_a_record(tmp_path: Path) -> None:
    rows = ["1,Bob,1", "Total,,1"] + [f"{number},Al,1" for number in range(2, 12)]

    landed = land(_file(tmp_path, "ID,Name,Balance\n" + "\n".join(rows)))

    assert (landed.records, landed.left_out) == (12, ())


def test_leading_zeros_and_white_space_of_cells_are_kept(tmp_path: Path) -> None:
    path = _file(tmp_path, "ZIP,Account,Name\n02107,00042, Bob \n00501,0444 123,\n")

    assert _cells(path, land(path)) == [["02107", "00042", " Bob "], ["00501", "0444 123", ""]]


@pytest.mark.parametrize(
    ("content", "encoding", "cell"),
    [
        ("Name,City\nZoë,x\n".encode("cp1252"), "cp1252", "Zoë"),
        ("Name,City\nBob’s – “A”,x\n".encode("cp1252"), "cp1252", "Bob’s – “A”"),
        ("Name,City\nBob’s José,x\n".encode("mac_roman"), "mac_roman", "Bob’s José"),
        ("Name,City\nZoë😀,x\n".encode("utf-16-le"), "utf-16-le", "Zoë😀"),
        ("Name,City\nZoë,x\n".encode() + b"Al\xff,y\n", "utf-8", "Zoë"),
        ("Name,City\nZoë,x\n".encode("utf-16") + b"\x41", "utf-16-le", "Zoë"),
    ],
)
def test_encoding_is_found_from_the_bytes(content: bytes, encoding: str, cell: str, tmp_path: Path) -> None:
    path = _file(tmp_path, content)

    landed = land(path)

    assert landed.reading.encoding == encoding
    assert _cells(path, landed)[0][0] == cell


def test_bad_byte_far_below_is_seen_and_replaced_without_moving_later_batches(tmp_path: Path) -> None:
    rows = [f"{number},Zoë,x" for number in range(30_000)]
    content = ("ID,Name,City\n" + "\n".join(rows)).encode()
    path = _file(tmp_path, content.replace("25000,Zoë".encode(), b"25000,Zo\xeb"))

    landed = land(path)

    cells = _cells(path, landed)
    assert landed.reading.replaced_bytes
    assert cells[25_000] == ["25000", "Zo\ufffd", "x"]
    assert cells[29_999] == ["29999", "Zoë", "x"]


def test_encoding_chosen_by_the_user_is_taken(tmp_path: Path) -> None:
    path = _file(tmp_path, "Name,City\nŁódź,x\n".encode("cp1250"))

    landed = land(path, encoding="cp1250")

    assert _cells(path, landed) == [["Łódź", "x"]]
