"""A set of hostile CSV files: names, bytes, and what must come of each, as data for unit and end-to-end tests."""

from __future__ import annotations

import io
import random
import zipfile
from dataclasses import dataclass, field

HEADER = "Client ID,Name,Phone,Email,Notes"
COLUMNS = HEADER.split(",")
PEOPLE = (
    ("C-001", "José Núñez", "(555) 201-0001", "jose@example.com", "Prefers mornings"),
    ("C-002", "Smith HVAC Repair", "(555) 201-0002", "office@smith-hvac.example", "Gate code 0042"),
    ("C-003", "Zoë Åkesson", "(555) 201-0003", "zoe@example.com", "Café on the corner"),
    ("C-004", "Total Comfort HVAC", "(555) 201-0004", "hi@total.example", "Net 30"),
)


@dataclass(frozen=True)
class Landed:
    """What reading the file must give. `rows`: physical line -> cells of some records, by which the rest is judged."""

    records: int
    columns: int = 5
    encoding: str = "utf-8"
    delimiter: str = ","
    header_row: int | None = 1
    left_out: dict[int, str] = field(default_factory=dict)
    """Physical line -> reason."""
    rows: dict[int, list[str]] = field(default_factory=dict)
    extra: dict[int, list[str]] = field(default_factory=dict)
    oversized: int = 0


@dataclass(frozen=True)
class Refused:
    """The error must name the file and hold each of these words."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class HostileFile:
    name: str
    content: bytes
    expected: Landed | Refused


def table(*rows: tuple[str, ...] | str, end: str = "\n", delimiter: str = ",") -> str:
    return "".join((row if isinstance(row, str) else delimiter.join(row)) + end for row in rows)


def _people(lines_from: int = 2) -> dict[int, list[str]]:
    return {lines_from + index: list(person) for index, person in enumerate(PEOPLE)}


def _encodings() -> list[HostileFile]:
    text = table(HEADER, *PEOPLE)
    mac = text.replace("Café on the corner", "Café “Zoë’s”")
    mac_rows = {**_people(), 4: [*PEOPLE[2][:4], "Café “Zoë’s”"]}
    damaged = text.encode().replace(b"Net 30", b"Net \xff30")
    return [
        HostileFile("utf8_bom.csv", b"\xef\xbb\xbf" + text.encode(), Landed(4, rows=_people())),
        HostileFile("utf16_bom.csv", text.encode("utf-16"), Landed(4, encoding="utf-16-le", rows=_people())),
        HostileFile("utf16_be_no_bom.csv", text.encode("utf-16-be"), Landed(4, encoding="utf-16-be", rows=_people())),
        HostileFile("windows_1252.csv", text.encode("cp1252"), Landed(4, encoding="cp1252", rows=_people())),
        HostileFile("mac_roman.csv", mac.encode("mac_roman"), Landed(4, encoding="mac_roman", rows=mac_rows)),
        HostileFile("damaged_utf8.csv", damaged, Landed(4, rows={5: [*PEOPLE[3][:4], "Net \ufffd30"]})),
    ]


def _shapes() -> list[HostileFile]:
    ragged = table(HEADER, "C-1,Ann", PEOPLE[1], "C-3,Ann,555,a@x.example,note,surplus,", PEOPLE[3])
    ragged_rows = {2: ["C-1", "Ann", "", "", ""], 4: ["C-3", "Ann", "555", "a@x.example", "note"]}
    doubled = table("Name,Phone,Phone,Email,Name", "Ann,5552010001,5552010002,a@x.example,Ann B")
    nul = table(HEADER, *PEOPLE).replace("José", "Jos\0é").replace("C-004", "\0C-004")
    mixed = "Client ID;Name;Balance\r\nC-1;Ann;1,50\nC-2;Bob;2,75\rC-3;Eve;3,25\r\n"
    armour = table(HEADER, '="00042",Ann,="0444 123",a@x.example,x', '"=""00043""",Bob,1,b@x.example,y')
    return [
        HostileFile("ragged.csv", ragged.encode(), Landed(4, rows=ragged_rows, extra={4: ["surplus"]})),
        HostileFile("no_header.csv", table(*PEOPLE).encode(), Landed(4, header_row=None, rows=_people(1))),
        HostileFile(
            "one_column.csv",
            b"Email\na@x.example\nb@x.example\nc@x.example\n",
            Landed(3, columns=1, rows={2: ["a@x.example"], 4: ["c@x.example"]}),
        ),
        HostileFile("only_header.csv", HEADER.encode(), Landed(0)),
        HostileFile(
            "duplicate_headers.csv",
            doubled.encode(),
            Landed(1, rows={2: ["Ann", "5552010001", "5552010002", "a@x.example", "Ann B"]}),
        ),
        HostileFile("nul_bytes.csv", nul.encode(), Landed(4, rows=_people())),
        HostileFile("cr_only.csv", table(HEADER, *PEOPLE, end="\r").encode(), Landed(4, rows=_people())),
        HostileFile(
            "semicolons_mixed_line_ends.csv",
            mixed.encode(),
            Landed(3, columns=3, delimiter=";", rows={2: ["C-1", "Ann", "1,50"], 4: ["C-3", "Eve", "3,25"]}),
        ),
        HostileFile(
            "tabs_named_csv.csv",
            table("\t".join(COLUMNS), *PEOPLE, delimiter="\t").encode(),
            Landed(4, delimiter="\t", rows=_people()),
        ),
        HostileFile(
            "armour.csv",
            armour.encode(),
            Landed(2, rows={2: ["00042", "Ann", "0444 123", "a@x.example", "x"], 3: ["00043", "Bob", "1", *_BOB]}),
        ),
    ]


_BOB = ("b@x.example", "y")


def _quotes() -> list[HostileFile]:
    many = [f"C-{number},Name {number},555201{number:04},p{number}@x.example,ok" for number in range(200)]
    swallowing = [*many]
    swallowing[10] = 'C-10,"Name ten,5552010010,p10@x.example,ok'
    swallowing[150] = 'C-150,"Name, 150",5552010150,p150@x.example,ok'
    unclosed = [*many]
    unclosed[50] = 'C-50,Name 50,5552010050,p50@x.example,"call first'
    long_note = 'He said "yes", then:\n' + "\n".join(f"step {step} of the work" for step in range(200))
    in_csv = long_note.replace('"', '""')
    legit = table(HEADER, many[0], f'C-1,Ann,555,a@x.example,"{in_csv}"', many[2])
    huge = "n" * (128 << 10) + " end"
    over = "x" * ((1 << 20) + 1)
    return [
        HostileFile(
            "open_quote_closed_far_below.csv",
            table(HEADER, *swallowing).encode(),
            Landed(
                200,
                rows={
                    12: ["C-10", '"Name ten', "5552010010", "p10@x.example", "ok"],
                    152: ["C-150", "Name, 150", "5552010150", "p150@x.example", "ok"],
                    201: ["C-199", "Name 199", "5552010199", "p199@x.example", "ok"],
                },
            ),
        ),
        HostileFile(
            "open_quote_never_closed.csv",
            table(HEADER, *unclosed).encode(),
            Landed(200, rows={52: ["C-50", "Name 50", "5552010050", "p50@x.example", '"call first']}),
        ),
        HostileFile(
            "note_of_200_lines.csv",
            legit.encode(),
            Landed(3, rows={3: ["C-1", "Ann", "555", "a@x.example", long_note], 204: many[2].split(",")}),
        ),
        HostileFile(
            "cell_of_128_kib.csv",
            table(HEADER, f'C-1,Ann,555,a@x.example,"{huge}"', many[1]).encode(),
            Landed(2, rows={2: ["C-1", "Ann", "555", "a@x.example", huge], 3: many[1].split(",")}),
        ),
        HostileFile(
            "record_above_1_mib.csv",
            table(HEADER, many[0], f"C-1,Ann,555,a@x.example,{over}", many[2]).encode(),
            Landed(3, rows={2: many[0].split(","), 4: many[2].split(",")}, oversized=1),
        ),
    ]


def _reports() -> list[HostileFile]:
    report = table(
        "Customer report",
        "01/01/2025 - 01/31/2025",
        "",
        HEADER,
        *PEOPLE[:2],
        "",
        ",,,,",
        HEADER,
        *PEOPLE[2:],
        "Total,,4,,",
        "-- end of report --",
    )
    left_out = {
        1: "title",
        2: "title",
        8: "empty_cells",
        9: "repeated_header",
        12: "total",
        13: "comment",
    }
    rows = {5: list(PEOPLE[0]), 10: list(PEOPLE[2]), 11: list(PEOPLE[3])}
    return [
        HostileFile("report_with_totals.csv", report.encode(), Landed(4, header_row=4, left_out=left_out, rows=rows))
    ]


def _others() -> list[HostileFile]:
    workbook = io.BytesIO()
    with zipfile.ZipFile(workbook, "w") as archive:
        archive.writestr(zipfile.ZipInfo("[Content_Types].xml"), "<Types/>")
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml"), "<workbook/>")
    wide = ",".join(f"c{column}" for column in range(100_000))
    return [
        HostileFile("empty.csv", b"", Refused(("empty", "Export"))),
        HostileFile("only_blank_lines.csv", b"\n\r\n\n", Refused(("empty", "Export"))),
        HostileFile(
            "hundred_thousand_columns.csv", f"{wide}\n{wide}\n".encode(), Refused(("line 1", "2,000", "fewer"))
        ),
        HostileFile("excel_named.csv", workbook.getvalue(), Refused(("Excel workbook", "save the sheet as CSV"))),
        HostileFile("pdf_named.csv", b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n", Refused(("PDF", "CSV"))),
        HostileFile("page_named.csv", b"<!DOCTYPE html>\n<table><tr><td>1", Refused(("web page", "CSV"))),
        HostileFile("json_named.csv", b'[{"id": 1, "name": "Ann"}]', Refused(("JSON", "CSV"))),
        HostileFile("binary.csv", random.Random(3).randbytes(4096), Refused(("binary", "CSV"))),
        HostileFile(
            "first_line_without_end.csv", b"x" * (5 << 20), Refused(("Line 1", "4 MiB", "one record per line"))
        ),
        HostileFile(
            "line_without_end.csv",
            b"a,b\n" + b"x" * (5 << 20),
            Refused(("Line 2", "4 MiB", "one record per line")),
        ),
    ]


def hostile_files() -> tuple[HostileFile, ...]:
    """All files of the set; the same bytes on every call (some 8 MB in all)."""
    return (*_encodings(), *_shapes(), *_quotes(), *_reports(), *_others())
