"""Whole columns: members, originals, memo, and what holds for any text at all."""

from __future__ import annotations

import string

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mapper.transforms import MemoColumn, make_column, make_parser
from services.mapper.transforms.bulk_columns import BulkColumn
from services.mapper.transforms.cells import MEMO_ENTRIES_MAX, Converted, Cut, Parsed, TextColumn
from shared.catalog.model import Field, FieldType, load_catalog
from shared.messages.mapping import Options

TYPES = [kind for kind in FieldType if kind is not FieldType.REF]

_WRITTEN = [
    "(212) 555-0142", "+12125550142", "212-555-0142 x9", "555 111 2222", "$1,234.56", "1234.56", "-$5", "0.00", "$0.50",
    "05.00", "1/15/2026 9:00 AM", "2026-01-15T10:30:00Z", "2026-01-15 10:30", "13/40/2026 9:00 AM", "1/2/26", "a@b.co",
    "A@B.co", "a@b.co, c@d.co", "x@y", "-", "N/A", "", " ", "yes", "done", "12", '{"a": 1}', "example.com",
    "00/00/0000",
    "1/15/2026 25:00", "$1,234.567", "a\nb", 'say "hi"', "back\\slash", "\x7f", "\x1f",
]  # fmt: skip
cells = st.one_of(
    st.text(max_size=30), st.sampled_from(_WRITTEN), st.text(string.digits + "/-:$., @+()xapm", max_size=20)
)


def column(kind: FieldType, **options: object) -> tuple[Field, MemoColumn | TextColumn]:
    """A field of the type, and its converter; enum fields are `jobs.status`."""
    values = load_catalog()["jobs"].fields["status"].values if kind is FieldType.ENUM else ()
    field = Field(name="status" if kind is FieldType.ENUM else "value", type=kind, label="Value", values=values)
    made = make_column("jobs", field, Options.model_validate(options), "US")
    assert isinstance(made, MemoColumn | TextColumn)
    return field, made


def read_members(converted: Converted) -> list[dict[str, object]]:
    return [msgspec.json.decode("{" + member + "}") for member in converted.members]


@pytest.mark.parametrize(
    ("kind", "cell", "body", "original"),
    [
        (FieldType.TEXT, "  Ann ", {"value": "Ann"}, None),
        (FieldType.TEXT, "-", {"value": "-"}, None),
        (FieldType.TEXT, 'say "hi"\n\\', {"value": 'say "hi"\n\\'}, None),
        (
            FieldType.PHONE,
            "(212) 555-0142 x12",
            {"value": "+12125550142", "value.extension": "12"},
            "(212) 555-0142 x12",
        ),
        (FieldType.PHONE, "+12125550142", {"value": "+12125550142"}, None),
        (FieldType.MONEY, "$1,234.5", {"value": 123450}, "$1,234.5"),
        (FieldType.MONEY, "1234.50", {"value": 123450}, None),
        (FieldType.MONEY, "-", {}, None),
        (FieldType.DATE, "1/15/2026", {"value": "2026-01-15"}, "1/15/2026"),
        (FieldType.DATE, "2026-01-15", {"value": "2026-01-15"}, None),
        (FieldType.DATE, "00/00/0000", {}, None),
        (FieldType.DATE, "soon", {}, "soon"),
        (FieldType.DATETIME, "1/15/2026 9:00 AM", {"value": "2026-01-15T09:00:00"}, "1/15/2026 9:00 AM"),
        (FieldType.DECIMAL, "1,234.50", {"value": "1234.50"}, "1,234.50"),
        (FieldType.INTEGER, "12", {"value": 12}, None),
        (FieldType.BOOLEAN, "Yes", {"value": True}, "Yes"),
        (FieldType.BOOLEAN, "false", {"value": False}, None),
        (FieldType.ENUM, "Done", {"status": "completed"}, "Done"),
        (FieldType.TAGS, "a, b", {"value": ["a", "b"]}, None),
        (FieldType.TAGS, "a; b", {"value": ["a", "b"]}, "a; b"),
        (FieldType.JSON, '{"a": 1}', {"value": {"a": 1}}, None),
        (FieldType.EMAIL, "ann@EXAMPLE.com", {"value": "ann@example.com"}, "ann@EXAMPLE.com"),
        (FieldType.URL, "example.com", {"value": "https://example.com"}, "example.com"),
        (FieldType.URL, "N/A", {}, None),
    ],
)
def test_cell_becomes_its_member_and_keeps_its_text_where_that_differs(
    kind: FieldType, cell: str, body: dict[str, object], original: str | None
) -> None:
    field, made = column(kind)

    converted = made.convert([cell])

    assert read_members(converted) == [body]
    kept = converted.originals[0] if converted.originals else ""
    assert kept == ("" if original is None else f'"{field.name}":{msgspec.json.encode(original).decode()}')


@pytest.mark.parametrize("kind", TYPES)
@given(texts=st.lists(cells, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_a_converter_raise(kind: FieldType, texts: list[str]) -> None:
    converted = column(kind)[1].convert(texts)

    assert len(converted.values) == len(converted.members) == len(texts)
    assert [bool(body) for body in read_members(converted)] == [value is not None for value in converted.values]
    for i, code in enumerate(converted.codes or ()):
        assert code is None or (converted.values[i] is None and converted.originals and converted.originals[i])


@pytest.mark.parametrize("kind", [FieldType.MONEY, FieldType.PHONE, FieldType.EMAIL, FieldType.DATETIME])
@given(texts=st.lists(cells, max_size=12))
@settings(max_examples=150, deadline=None)
def test_bulk_conversion_gives_what_the_parser_gives_for_each_cell(kind: FieldType, texts: list[str]) -> None:
    field, bulk = column(kind)
    single = MemoColumn(field.name, make_parser("jobs", field, Options(), "US"))
    assert isinstance(bulk, BulkColumn)

    at_once, one_by_one = bulk.convert(texts), single.convert(texts)

    assert list(at_once.values) == list(one_by_one.values)
    assert list(at_once.members) == list(one_by_one.members)
    assert list(at_once.originals or ()) == list(one_by_one.originals or ())
    assert list(at_once.codes or ()) == list(one_by_one.codes or ())


@pytest.mark.parametrize(
    "kind", [FieldType.PHONE, FieldType.DATE, FieldType.DATETIME, FieldType.EMAIL, FieldType.DECIMAL, FieldType.URL]
)
@given(text=cells)
@settings(max_examples=100, deadline=None)
def test_stored_form_converted_again_stays_the_same(kind: FieldType, text: str) -> None:
    made = column(kind)[1]
    stored = made.convert([text]).values[0]

    if stored is not None:
        again = made.convert([stored])

        assert again.values[0] == stored
        assert not again.originals


@given(texts=st.lists(st.text(max_size=20), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_text_column_escapes_every_text_as_json(texts: list[str]) -> None:
    converted = TextColumn("name").convert(texts)

    assert read_members(converted) == [{"name": text.strip()} if text.strip() else {} for text in texts]


def test_default_fills_empty_cells_only_and_is_no_original() -> None:
    converted = column(FieldType.DATE, default="1/15/2026")[1].convert(["", "-", "1/16/2026", "soon"])

    assert list(converted.values) == ["2026-01-15", "2026-01-15", "2026-01-16", None]
    assert converted.originals is not None
    assert converted.originals[0] == ""


def test_part_of_a_cell_is_taken_and_the_whole_kept() -> None:
    before, after = (TextColumn("source_id", cut=Cut(part, "_")) for part in ("before", "after"))

    assert list(before.convert(["12_34", "12"]).values) == ["12", "12"]
    assert list(after.convert(["12_34", "12"]).values) == ["34", "12"]
    assert before.convert(["12_34", "12"]).originals == ['"source_id":"12_34"', ""]


def test_memo_is_bounded() -> None:
    made = MemoColumn("value", lambda text: Parsed(text, text))

    made.convert([str(i) for i in range(MEMO_ENTRIES_MAX + 10)])
    made.convert(["x" * 1000])

    assert len(made) == 10
