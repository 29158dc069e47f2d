from __future__ import annotations

from dataclasses import replace

import msgspec
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mapper.mapped_batch import give_up_batch, map_rows, to_message
from shared.catalog.identity import KeyedBy, natural_hashes, normalise_name
from shared.messages.batches import CANCELLED, MappedBatch, Problem, RawBatch
from tests.unit.mapper.builders import bodies, compiled, entries, field, hashes, keys, mapped, record, stream

RAW = RawBatch(account="main", session="s", run=1, batch=4, file=2, plan="p")

INVOICES = record("invoices", field("source_id", 0), field("number", 1), field("total", 2), field("issued_on", 3))
CUSTOMERS = record("customers", field("name", 0), field("email", 1), field("phone", 2), field("postal_code", 3))


def codes(problems: list[Problem]) -> list[tuple[str, str, str | None]]:
    return [(problem.severity, problem.code, problem.field) for problem in problems]


def test_row_becomes_a_body_with_its_originals() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", " INV-1 ", "$1,234.50", "1/15/2026"))

    made = stream(parts, "invoices")
    assert bodies(made) == [
        {
            "source_id": "7",
            "number": "INV-1",
            "total": 123450,
            "issued_on": "2026-01-15",
            "_original": {"total": "$1,234.50", "issued_on": "1/15/2026"},
        }
    ]
    assert made.money["total"] == 123450
    assert (made.count, made.keyed_by, made.warned) == (1, bytes([KeyedBy.SOURCE_ID]), b"\0")


def test_unreadable_amount_of_an_invoice_rejects_it_and_says_what_to_do() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "1", "ten", ""), ("8", "2", "5", ""))

    assert parts.errored == {"invoices": 1}
    assert stream(parts, "invoices").count == 1
    (problem,) = parts.problems
    assert (problem.severity, problem.code, problem.line, problem.record) == ("error", "unreadable_amount", 2, 0)
    assert (problem.field, problem.column, problem.value) == ("total", 2, "ten")
    assert 'Total: "ten" is not an amount of money' in problem.message
    assert "Correct the cell and import the file again" in problem.message


def test_unreadable_date_is_a_warning_and_its_text_is_kept() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "1", "5", "soon"))

    made = stream(parts, "invoices")
    assert codes(parts.problems) == [("warning", "unreadable_date", "issued_on")]
    assert made.warned == b"\1"
    assert "issued_on" not in bodies(made)[0]
    assert bodies(made)[0]["_original"]["issued_on"] == "soon"


def test_strict_turns_warnings_into_errors() -> None:
    plan = compiled("Id|No|Total|Date", INVOICES, strict=True)

    parts = mapped(plan, ("7", "1", "5", "soon"))

    assert codes(parts.problems) == [("error", "unreadable_date", "issued_on")]
    assert parts.errored == {"invoices": 1}
    assert parts.money_errored == {"invoices": {"total": 500}}


def test_missing_required_field_rejects_and_readable_money_is_counted() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "", "$5.00", ""))

    assert codes(parts.problems) == [("error", "missing_required", "number")]
    assert "no invoice number" in parts.problems[0].message
    assert parts.money_errored == {"invoices": {"total": 500}}


def test_missing_contact_of_a_customer_is_a_warning_and_an_error_when_strict() -> None:
    row = ("Ann Lee", "", "", "62701")

    lenient = mapped(compiled("Name|Mail|Phone|Zip", CUSTOMERS), row)
    strict = mapped(compiled("Name|Mail|Phone|Zip", CUSTOMERS, strict=True), row)

    assert codes(lenient.problems) == [("warning", "missing_expected", "email")]
    assert codes(strict.problems) == [("error", "missing_required", "email")]


def test_extra_cells_reject_the_row() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "1", "5", ""), extras={0: ["34.50"]})

    assert codes(parts.problems) == [("error", "extra_cells", None)]
    assert "more cells than the 4 columns" in parts.problems[0].message


def test_replaced_bytes_are_one_warning_a_row() -> None:
    plan = compiled("Name|Mail|Phone|Zip", CUSTOMERS)

    parts = mapped(plan, ("M\ufffdller", "m@x.co", "", "\ufffd"), ("Ann", "a@x.co", "", ""), replaced_bytes=True)

    assert [(p.code, p.line) for p in parts.problems] == [("replaced_characters", 2)]


def test_oversized_record_is_an_error() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "1", "5", ""), oversized=True)

    assert codes(parts.problems) == [("error", "oversized_record", None)]


def test_key_is_the_source_id_whatever_else_the_row_says() -> None:
    plan = compiled("Id|No|Total|Date", INVOICES)

    same, other = (stream(mapped(plan, row), "invoices") for row in [("7", "1", "5", ""), ("7", "2", "6", "")])

    assert same.keys == other.keys
    assert same.contents != other.contents


def test_key_is_the_first_complete_natural_key_else_content() -> None:
    made = stream(
        mapped(
            compiled("Name|Mail|Phone|Zip", CUSTOMERS),
            ("Ann Lee", "Ann@x.co", "", ""),
            ("Someone else", "ann@X.co", "", ""),
            ("Ann Lee", "", "(212) 555-0142", ""),
            ("LEE, ANN", "", "212.555.0142", ""),
            ("Ann Lee", "", "", ""),
            ("Ann Lee", "", "", ""),
        ),
        "customers",
    )

    a, b, c, d, e, f = keys(made)
    assert a == b
    assert c == d
    assert e == f
    assert len({a, c, e}) == 3
    assert list(made.keyed_by) == [KeyedBy.NATURAL] * 4 + [KeyedBy.CONTENT] * 2


def test_content_keys_of_two_files_differ() -> None:
    plan = compiled("Name|Mail|Phone|Zip", CUSTOMERS)
    row = ("Ann Lee", "", "", "")

    one, two = (stream(mapped(p, row), "customers") for p in (plan, replace(plan, sha256="cd" * 32)))

    assert one.keys != two.keys


def test_unreadable_part_of_the_only_key_rejects_the_record() -> None:
    parts = mapped(
        compiled("Name|Mail|Phone|Zip", CUSTOMERS), ("Ann Lee", "", "555", ""), ("Bo Lee", "bo@x.co", "555", "")
    )

    assert codes(parts.problems) == [("error", "unreadable_phone", "phone"), ("warning", "unreadable_phone", "phone")]
    assert "nothing else identifies this record" in parts.problems[0].message
    assert parts.errored == {"customers": 1}


def test_every_complete_natural_key_is_told() -> None:
    made = stream(
        mapped(compiled("Name|Mail|Phone|Zip", CUSTOMERS), ("Ann Lee", "A@x.co", "212-555-0142", "62701-1234")),
        "customers",
    )

    name = normalise_name("Ann Lee")
    expected = [
        natural_hashes("customers", ("email",), ["a@x.co"]),
        natural_hashes("customers", ("phone", "name"), [f"+12125550142\x1f{name}"]),
        natural_hashes("customers", ("name", "postal_code"), [f"{name}\x1f62701"]),
    ]
    assert entries(made.naturals) == {(int(hash_[0]), 0) for hash_ in expected}


def test_first_and_last_name_are_the_name_of_keys_but_make_no_name_field() -> None:
    parts_of_name = record("customers", field("first_name", 0), field("last_name", 1), field("postal_code", 2))
    whole = record("customers", field("name", 0), field("postal_code", 1))

    apart = stream(mapped(compiled("F|L|Z", parts_of_name), ("Ann", "Lee", "62701")), "customers")
    together = stream(mapped(compiled("N|Z", whole), ("Lee, Ann", "62701")), "customers")

    assert apart.naturals == together.naturals
    assert "name" not in bodies(apart)[0]


JOBBER = (
    record("customers", field("source_id", 0, part="before"), field("name", 1), field("email", 2)),
    record(
        "properties",
        field("source_id", 0),
        field("street", 3),
        field("postal_code", 4),
        field("customer", None, by="row"),
        primary=False,
    ),
)


def test_secondary_record_is_made_only_where_its_own_columns_are_filled() -> None:
    parts = mapped(
        compiled("J-ID|Name|Mail|Street|Zip", *JOBBER),
        ("12_34", "Ann Lee", "a@x.co", "1 Main St", ""),
        ("13_", "Bo Lee", "b@x.co", " ", ""),
    )

    customers, properties = stream(parts, "customers"), stream(parts, "properties")
    assert [body["source_id"] for body in bodies(customers)] == ["12", "13"]
    assert [body["source_id"] for body in bodies(properties)] == ["12_34"]
    assert (customers.primary, properties.primary) == (True, False)
    assert parts.errored == {}


def test_secondary_record_without_a_key_of_its_own_is_keyed_by_its_row() -> None:
    groups = [
        record("properties", field("street", column), field("customer", None, by="row"), slot=slot, primary=False)
        for slot, column in enumerate((1, 2))
    ]
    plan = compiled("Id|A1|A2", record("customers", field("source_id", 0), field("name", 0)), *groups)

    parts = mapped(plan, ("1", "1 Main", "2 Oak"), ("2", "1 Main", ""))

    first, second = stream(parts, "properties", 0), stream(parts, "properties", 1)
    assert list(first.keyed_by + second.keyed_by) == [KeyedBy.ROW] * 3
    assert len({*keys(first), *keys(second)}) == 3
    assert bodies(second) == [{"street": "2 Oak"}]


def test_constant_fills_the_field_of_every_record() -> None:
    plan = compiled("Name", record("customers", field("name", 0), field("country", None, default="US")))

    assert bodies(stream(mapped(plan, ("Ann",)), "customers")) == [{"name": "Ann", "country": "US"}]


def test_separator_inside_a_cell_does_not_make_two_rows_alike() -> None:
    plan = compiled("Name|Company", record("customers", field("name", 0), field("company", 1)))

    made = stream(mapped(plan, ("a\x1fb", "c"), ("a", "b\x1fc"), ("a", "b")), "customers")

    assert len(set(hashes(made.contents))) == 3


def test_message_carries_the_batch_and_its_problems() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "1", "ten", ""))

    message = msgspec.msgpack.decode(msgspec.msgpack.encode(to_message(RAW, parts)), type=MappedBatch)

    assert (message.account, message.session, message.run, message.batch, message.file) == ("main", "s", 1, 4, 2)
    assert message.given_up is None
    assert msgspec.msgpack.decode(zstandard.decompress(message.problems), type=list[Problem]) == parts.problems


def test_batch_given_up_makes_all_its_rows_errors() -> None:
    message = give_up_batch(RAW, entity="jobs", records=500, first_record=1000, line=1002, reason="The disk is full.")

    (problem,) = msgspec.msgpack.decode(zstandard.decompress(message.problems), type=list[Problem])
    assert (message.given_up, message.errored, message.streams) == ("The disk is full.", {"jobs": 500}, [])
    assert (problem.code, problem.line) == ("batch_given_up", 1002)
    assert "500 rows from this one on" in problem.message


def test_cancelled_batch_carries_its_count_and_no_problem() -> None:
    message = give_up_batch(RAW, entity="jobs", records=5, first_record=0, line=2, reason=CANCELLED)

    assert (message.given_up, message.errored) == (CANCELLED, {"jobs": 5})
    assert msgspec.msgpack.decode(zstandard.decompress(message.problems)) == []


def test_empty_batch_makes_nothing() -> None:
    parts = map_rows(compiled("Id|No|Total|Date", INVOICES), [], [[], [], [], []], {}, 0)

    assert (parts.streams, parts.errored, parts.problems) == ([], {}, [])


_cell = st.one_of(
    st.sampled_from(["", " ", "-", "12_34", "Ann Lee", "a@x.co", "b@", "(212) 555-0142", "555", "1 Main St", "\x1f"]),
    st.text(max_size=8),
)


@given(rows=st.lists(st.tuples(_cell, _cell, _cell, _cell, _cell), max_size=12), strict=st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_row_ends_as_a_record_or_an_error(rows: list[tuple[str, ...]], strict: bool) -> None:
    parts = mapped(compiled("J-ID|Name|Mail|Street|Zip", *JOBBER, strict=strict), *rows)

    made = {s.entity: s.count for s in parts.streams}
    errors = {(p.entity, p.record) for p in parts.problems if p.severity == "error"}
    own = [row for row in rows if row[3].strip() or row[4].strip()]
    for entity, expected in (("customers", len(rows)), ("properties", len(own))):
        errored = parts.errored.get(entity, 0)
        assert made.get(entity, 0) + errored == expected
        assert len({e for e in errors if e[0] == entity}) == errored
    for s in parts.streams:
        assert len(bodies(s)) == len(keys(s)) == len(hashes(s.contents)) == len(s.warned) == s.count
        warned = {p.record for p in parts.problems if p.severity == "warning" and p.entity == s.entity}
        assert sum(s.warned) == len(warned)


@given(rows=st.lists(st.tuples(_cell, _cell, _cell, _cell, _cell), min_size=2, max_size=8), cut=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_batch_boundaries_do_not_change_keys_contents_or_bodies(rows: list[tuple[str, ...]], cut: int) -> None:
    plan = compiled("J-ID|Name|Mail|Street|Zip", *JOBBER)

    def made(*batches: list[tuple[str, ...]]) -> list[tuple[str, bytes, int, object]]:
        streams = [s for batch in batches if batch for s in mapped(plan, *batch).streams]
        streams.sort(key=lambda s: s.entity)  # stable: batches stay in order
        return [
            (s.entity, *row)
            for s in streams
            for row in zip(keys(s), hashes(s.contents), map(repr, bodies(s)), strict=True)
        ]

    assert made(rows) == made(rows[:cut], rows[cut:])


def test_a_row_per_child_is_a_copy_of_its_parent_whatever_child_its_id_names() -> None:
    owner = record("customers", field("source_id", 0, part="before", separator="_"), field("name", 1))
    plan = compiled("J-ID|Name", owner)

    made = stream(mapped(plan, ("7_1", "Ann"), ("7_2", "Ann"), ("7_3", "Anna")), "customers")

    first, second, third = (made.contents[8 * i : 8 * i + 8] for i in range(3))
    assert first == second
    assert first != third


def test_a_missing_number_is_told_in_a_sentence_about_one_cell() -> None:
    parts = mapped(compiled("Id|No|Total|Date", INVOICES), ("7", "", "5", ""))

    assert parts.problems[0].message == (
        "The row has no invoice number. The record was not imported. Fill in the cell and import the file again: "
        "rows already imported will not be duplicated."
    )
