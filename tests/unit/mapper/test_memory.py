"""What an approved mapping teaches, and how a later file gets it back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from services.analyze.entity_detection import detect
from services.mapper.known_shapes import informed_proposal
from services.mapper.memory import Remembered, for_others, remember
from shared.messages.analysis import SampledFile
from shared.messages.mapping import FieldMapping, FileMapping, RecordMapping
from tests.support.sampled import JOBBER_CLIENTS, sampled
from tests.unit.mapper.builders import field, record

DAY = 1_760_000_000.0
"""9 October 2025"""

HEADERS = ["Ref", "Kunde", "Rufnummer", "Mail", "Stufe", "Farbe"]
ROWS = [
    ["K-1", "Ann Smith", "(602) 555-0101", "ann@example.com", "Gold", "blue"],
    ["K-2", "Bob Hill", "(602) 555-0102", "bob@example.com", "Silver", "green"],
    ["K-3", "Cy Jones", "(602) 555-0103", "cy@example.com", "Gold", "red"],
]
KINDS = ["id", "name", "phone", "email", "text", "text"]
APPROVED = record(
    "customers",
    field("source_id", 0),
    field("name", 1),
    field("mobile_phone", 2),
    field("email", 3),
    field("customer_type", 4, values={"gold": "commercial", "silver": "residential"}),
    field("country", None, default="US"),
)


def learned(*records: RecordMapping, headers: Sequence[str] = HEADERS, kinds: Sequence[str] = KINDS) -> Remembered:
    mapping = FileMapping(file="kunden.csv", sha256="ab" * 32, headers=tuple(headers), records=records or (APPROVED,))
    return remember(mapping, kinds, session="s1", approved_by="ann", approved_at=DAY)


def given(order: Sequence[int], names: dict[int, str] | None = None, name: str = "export.csv") -> SampledFile:
    """The file with its columns in this order, some under other names."""
    headers = [(names or {}).get(at, HEADERS[at]) for at in order]
    return sampled(name, headers, *([row[at] for at in order] for row in ROWS))


def proposed(file: SampledFile, *known: Remembered, entities: dict[str, str | None] | None = None) -> FileMapping:
    [found] = informed_proposal(detect([file]), remembered=known, entities=entities).document.files
    return found


def fields(file: FileMapping) -> dict[str, FieldMapping]:
    return {field.field: field for field in file.records[0].fields}


def headers_by_field(file: FileMapping) -> dict[str, str | None]:
    return {name: field.header for name, field in fields(file).items()}


BACK = {"source_id": "Ref", "name": "Kunde", "mobile_phone": "Rufnummer", "email": "Mail", "customer_type": "Stufe",
        "country": None}  # fmt: skip


def test_the_same_file_gets_its_mapping_back_with_high_confidence() -> None:
    found = proposed(given(range(6)), learned())

    assert found.records[0].entity == "customers"
    assert headers_by_field(found) == BACK
    assert min(f.confidence for f in fields(found).values()) >= 0.9
    assert found.reasons[0] == "Mapped as in your approved mapping of 9 Oct 2025."


def test_columns_in_another_order_are_the_same_columns() -> None:
    assert headers_by_field(proposed(given([5, 3, 1, 0, 4, 2]), learned())) == BACK


def test_a_renamed_column_feeds_what_it_fed_and_that_is_said() -> None:
    found = proposed(given(range(6), {2: "Rufnummer 1"}), learned())

    assert fields(found)["mobile_phone"].header == "Rufnummer 1"
    assert "“Rufnummer” is now called “Rufnummer 1”." in found.reasons
    assert fields(found)["mobile_phone"].confidence < fields(found)["name"].confidence


def test_a_column_that_is_gone_and_one_that_is_new_are_named() -> None:
    file = sampled("export.csv", [*HEADERS[:3], *HEADERS[4:], "Zip"],
                   *([*row[:3], *row[4:], "85201"] for row in ROWS))  # fmt: skip

    found = proposed(file, learned())

    assert "No longer there: “Mail”." in found.reasons
    assert "New, so not remembered: “Zip”." in found.reasons
    assert "email" not in fields(found)
    assert fields(found)["postal_code"].header == "Zip"


def test_what_was_left_out_on_approval_is_left_out_again() -> None:
    without_mail = record("customers", field("name", 1), field("phone", 2))
    assert "email" in fields(proposed(given(range(6)), entities={"export.csv": "customers"}))

    found = proposed(given(range(6)), learned(without_mail))

    assert set(fields(found)) == {"name", "phone"}


def test_value_mappings_and_constants_come_back() -> None:
    found = fields(proposed(given(range(6)), learned()))

    assert found["customer_type"].options.values["gold"] == "commercial"
    assert found["country"].options.default == "US"
    assert [(v.value, v.count, v.proposed) for v in found["customer_type"].source_values] == [
        ("Gold", 2, "commercial"),
        ("Silver", 1, "residential"),
    ]


def test_further_records_of_a_row_come_back_on_their_columns() -> None:
    approved = [
        record("customers", field("name", 1), field("email", 3)),
        record("properties", field("customer", None, by="row"), field("name", 5), primary=False),
    ]

    found = proposed(given([5, 3, 1, 0, 4, 2]), learned(*approved))

    assert [r.entity for r in found.records] == ["customers", "properties"]
    assert [(f.field, f.column, f.by) for f in found.records[1].fields] == [
        ("customer", None, "row"),
        ("name", 0, None),
    ]


def test_properties_that_were_taken_out_are_not_proposed_again() -> None:
    first = proposed(JOBBER_CLIENTS)
    assert [r.entity for r in first.records] == ["customers", "properties"]
    kinds = [profile.type for profile in detect([JOBBER_CLIENTS])[0].columns]

    again = proposed(JOBBER_CLIENTS, learned(first.records[0], headers=first.headers, kinds=kinds))

    assert [r.entity for r in again.records] == ["customers"]


def test_the_type_a_nearly_equal_file_was_approved_as_goes_before_detection() -> None:
    as_leads = learned(record("leads", field("name", 1), field("phone", 2)))

    assert proposed(given(range(6)), as_leads).records[0].entity == "leads"


def test_a_file_with_little_in_common_gets_nothing_back() -> None:
    invoices = sampled("invoices.csv", ["Invoice #", "Kunde", "Total"], ["1", "Ann Smith", "$5.00"])

    found = proposed(invoices, learned())

    assert found.records[0].entity == "invoices"
    assert not any("approved mapping" in reason for reason in found.reasons)


def test_a_type_set_by_hand_is_not_overruled() -> None:
    assert proposed(given(range(6)), learned(), entities={"export.csv": "contacts"}).records[0].entity == "contacts"


def test_a_header_whose_values_are_of_another_kind_is_not_sure() -> None:
    file = sampled("export.csv", HEADERS, *([*row[:2], "01/02/2026", *row[3:]] for row in ROWS))

    found = fields(proposed(file, learned()))

    assert "mobile_phone" not in found or found["mobile_phone"].confidence < 0.8


def test_the_newest_of_two_approved_mappings_of_a_shape_counts() -> None:
    older = learned(record("customers", field("name", 1), field("phone", 2)))
    newer = learned().model_copy(update={"approved_at": DAY + 1})

    assert "mobile_phone" in fields(proposed(given(range(6)), older, newer))


ENGLISH = {0: "Ref", 1: "Client Name", 2: "Phone", 3: "Email", 4: "Grade", 5: "Notes"}
FROM_OTHERS = for_others(learned(headers=list(ENGLISH.values()))).model_copy(update={"from_other_account": True})


def test_an_own_mapping_counts_before_a_newer_one_that_another_account_shares() -> None:
    newer = FROM_OTHERS.model_copy(update={"approved_at": DAY + 9})
    as_leads = learned(record("leads", field("name", 1), field("phone", 2)), headers=list(ENGLISH.values()))

    found = proposed(given(range(6), ENGLISH), newer, as_leads)

    assert (found.records[0].entity, fields(found)["phone"].header) == ("leads", "Phone")


def test_what_another_account_shares_counts_less_than_an_own_mapping_and_more_than_none() -> None:
    file = given(range(6), ENGLISH)
    assert "mobile_phone" not in fields(proposed(file))

    shared, own = proposed(file, FROM_OTHERS), proposed(file, learned(headers=list(ENGLISH.values())))

    assert shared.reasons[0] == "Mapped as in another account's approved mapping of 9 Oct 2025."
    assert fields(shared)["mobile_phone"].confidence < fields(own)["mobile_phone"].confidence


def test_what_others_may_see_holds_no_value_and_no_name() -> None:
    text = FROM_OTHERS.model_dump_json()

    assert not any(word in text for word in ("gold", "US", "ann", "kunden.csv", "s1"))
    assert "Client Name" in text


def test_a_first_record_that_was_taken_for_the_headers_is_not_shared() -> None:
    ann = ["K-1", "Ann Smith", "(602) 555-0101", "ann@example.com", "Gold", "blue"]
    approved = record("customers", field("name", 1, header="Ann Smith"), field("phone", 2, header="(602) 555-0101"))

    text = for_others(learned(approved, headers=ann)).model_dump_json()

    assert not any(value in text for value in ("Ann", "555", "example.com"))


# ---- corrected, left out --------------------------------------------------------------------------------------


def test_the_last_word_on_a_file_counts_and_detection_only_breaks_ties() -> None:
    file = given(range(6), name="kunden.csv")
    customers = learned()
    leads = learned(record("leads", field("name", 1), field("phone", 2)))

    later = leads.model_copy(update={"approved_at": DAY + 1})

    assert proposed(file, customers, later).records[0].entity == "leads"
    assert proposed(file, customers, leads).records[0].entity == "customers"


def test_of_two_kinds_of_file_with_the_same_headers_the_name_tells_which_it_is() -> None:
    customers = learned().model_copy(update={"file": "Kunden.csv"})
    leads = learned(record("leads", field("name", 1))).model_copy(update={"file": "leads.csv", "approved_at": DAY + 1})

    assert proposed(given(range(6), name="kunden_2026.csv"), customers, leads).records[0].entity == "customers"
    assert proposed(given(range(6), name="leads (2).csv"), customers, leads).records[0].entity == "leads"


def left_out() -> Remembered:
    mapping = FileMapping(file="kunden.csv", sha256="ab" * 32, headers=tuple(HEADERS), records=())
    return remember(mapping, KINDS, session="s1", approved_by="ann", approved_at=DAY)


def test_a_file_that_was_left_out_is_left_out_again_and_that_is_said() -> None:
    found = proposed(given(range(6), name="kunden.csv"), left_out())

    assert (found.records, found.reasons) == ((), ("Left out, as you chose on 9 Oct 2025.",))
    assert found.entity_confidence >= 0.9


def test_the_same_content_under_another_name_is_left_out_too() -> None:
    file = msgspec.structs.replace(given(range(6)), sha256="ab" * 32)

    assert proposed(file, left_out()).records == ()


@pytest.mark.parametrize("name", ["kunden_2026.csv", "export.csv"])
def test_another_file_of_the_kind_is_not_left_out_and_that_is_said(name: str) -> None:
    found = proposed(
        given(range(6), name=name), learned().model_copy(update={"file": "kunden_2024.csv"}), left_out_later()
    )

    assert found.records[0].entity == "customers"
    assert headers_by_field(found) == BACK
    assert found.reasons[:2] == (
        "Mapped as in your approved mapping of 9 Oct 2025.",
        "You left out kunden.csv, which has the same columns, on 10 Oct 2025. This file is taken in.",
    )


def test_the_file_itself_stays_left_out_whatever_is_approved_of_others_later() -> None:
    others = learned().model_copy(update={"file": "kunden_2024.csv", "approved_at": DAY + 200_000})

    found = proposed(given(range(6), name="kunden.csv"), others, left_out_later())

    assert (found.records, found.reasons) == ((), ("Left out, as you chose on 10 Oct 2025.",))


def left_out_later() -> Remembered:
    return left_out().model_copy(update={"approved_at": DAY + 86_400})


def test_a_file_that_was_left_out_can_be_taken_in_by_hand() -> None:
    found = proposed(given(range(6), name="kunden.csv"), left_out(), entities={"kunden.csv": "customers"})

    assert found.records[0].entity == "customers"


def test_what_another_account_leaves_out_is_not_left_out_here() -> None:
    theirs = left_out().model_copy(update={"from_other_account": True})

    assert proposed(given(range(6), name="kunden.csv"), theirs).records[0].entity == "customers"


def test_what_another_account_takes_such_a_file_for_does_not_overrule_detection() -> None:
    file = sampled(
        "clients.csv",
        ["Name", "Email", "Phone", "City"],
        *([row[1], row[3], row[2], city] for row, city in zip(ROWS, ("Mesa", "Tampa", "Macon"), strict=True)),
    )
    leads = record("leads", field("name", 0), field("email", 1), field("phone", 2))
    own = learned(leads, headers=file.headers, kinds=["name", "email", "phone", "city"])
    theirs = for_others(own).model_copy(update={"from_other_account": True})

    assert proposed(file, own).records[0].entity == "leads"
    assert proposed(file, theirs) == proposed(file)
    assert proposed(file).records[0].entity == "customers"


# ---- values that no longer fit --------------------------------------------------------------------------------


def test_columns_whose_values_cannot_be_held_are_not_put_back_and_that_is_said() -> None:
    swapped = sampled("export.csv", HEADERS, *([*row[:2], row[3], row[2], *row[4:]] for row in ROWS))

    found = proposed(swapped, learned())

    assert headers_by_field(found).get("email") != "Mail"
    assert headers_by_field(found).get("mobile_phone") != "Rufnummer"
    assert found.reasons[1:3] == (
        "“Rufnummer” now holds e-mail addresses.",
        "“Mail” now holds phone numbers.",
    )


def test_an_amount_with_a_point_is_not_in_cents_whatever_was_approved() -> None:
    approved = record("invoices", field("number", 0), field("total", 2, money_unit="minor"))
    names = ["Invoice #", "Client Name", "Total"]
    before = learned(approved, headers=names, kinds=["id", "name", "integer"])

    whole = sampled("export.csv", names, ["R-1", "Ann Smith", "12050"], ["R-2", "Bob Hill", "9900"])
    pointed = sampled("export.csv", names, ["R-1", "Ann Smith", "120.50"], ["R-2", "Bob Hill", "99.00"])

    assert fields(proposed(whole, before))["total"].options.money_unit == "minor"
    assert fields(proposed(pointed, before))["total"].options.money_unit == "major"


def _visits(header: str, started: Sequence[str], created: Sequence[str], minutes: str = "90") -> SampledFile:
    """Jobs with a date that tells no order beside another one."""
    rows = [[f"J-{at}", "Drain", *dates, minutes] for at, dates in enumerate(zip(started, created, strict=True))]
    return sampled("export.csv", ["Job #", "Title", "Scheduled", "Created", header], *rows)


def _visits_before(**options: str) -> Remembered:
    approved = record(
        "jobs",
        field("number", 0),
        field("title", 1),
        field("scheduled_start", 2, **options),
        field("created_at", 3),
        field("labor_hours", 4, header="Duration", time_unit="minutes"),
    )
    names = ["Job #", "Title", "Scheduled", "Created", "Duration"]
    return learned(approved, headers=names, kinds=["id", "text", "date", "date", "integer"])


def test_an_approved_order_of_dates_counts_where_the_file_does_not_tell_its_own() -> None:
    before, started = _visits_before(date_order="dmy"), ["05/06/2024", "07/04/2024", "06/09/2024"]
    open_ = fields(proposed(_visits("Duration", started, started), before))["scheduled_start"]
    told = fields(proposed(_visits("Duration", started, ["05/14/2024", "03/16/2024", "02/17/2024"]), before))

    assert (open_.options.date_order, open_.reasons[-1]) == ("dmy", "Its values are read as in the approved mapping.")
    assert told["scheduled_start"].options.date_order == "mdy"
    assert told["scheduled_start"].reasons[-1] == (
        "“05/06/2024” is read as month first, like the other dates of the file."
    )


@pytest.mark.parametrize(("header", "unit"), [("Duration", "minutes"), ("Duration (hrs)", "hours")])
def test_an_approved_unit_of_time_counts_where_no_new_header_says_another(header: str, unit: str) -> None:
    dates = ["05/14/2024", "03/16/2024", "02/17/2024"]
    assert fields(proposed(_visits(header, dates, dates), _visits_before()))["labor_hours"].options.time_unit == unit


BILLS = ["id", "job_id", "invoice_number", "status", "amount", "subtotal", "due_amount", "due_at"]
CENTS = record("invoices", field("source_id", 0), field("job", 1), field("number", 2), field("status", 3),
               *(field(name, at, money_unit="minor") for at, name in enumerate(("total", "subtotal", "balance"), 4)),
               field("due_on", 7))  # fmt: skip
BILL_KINDS = ["id", "id", "integer", "text", "integer", "integer", "integer", "date"]


BILL_CELLS = {"id": "{0}{1}", "job_id": "{0}5{1}", "invoice_number": "100{1}", "status": "open",
              "due_at": "2024-01-0{1}", "customer": "Ann Kay"}  # fmt: skip


def bills(names: Sequence[str], prefix: str = "") -> SampledFile:
    """Whole amounts. `prefix`: what ids begin with."""
    rows = [[BILL_CELLS.get(name, "12{1}00").format(prefix, at) for name in names] for at in range(1, 5)]
    return sampled("bills.csv", names, *rows)


def units(file: FileMapping) -> dict[str, str]:
    return {
        name: fields(file)[name].options.money_unit for name in ("total", "subtotal", "balance") if name in fields(file)
    }


def test_the_unit_of_money_comes_back_for_the_same_columns_and_it_is_said() -> None:
    before = learned(CENTS, headers=BILLS, kinds=BILL_KINDS)

    found = proposed(bills(BILLS), before)

    assert units(found) == {"total": "minor", "subtotal": "minor", "balance": "minor"}
    assert fields(found)["total"].reasons[0] == "Its amounts are cents, as you approved: 12100 is read as 121.00."


def test_the_unit_of_money_does_not_come_back_for_other_columns_and_that_is_said() -> None:
    before = learned(CENTS, headers=BILLS, kinds=BILL_KINDS)

    found = proposed(bills([*BILLS[:1], *BILLS[2:6], "due_at", "customer"]), before)

    assert found.reasons[0].startswith("Mapped as in your approved mapping")
    assert units(found) == {"total": "major", "subtotal": "major"}
    assert found.reasons[-1] == (
        "In your approved mapping amounts were cents. "
        "This file has other columns, so its amounts are read as they stand."
    )


def test_another_account_says_nothing_of_the_unit_of_money() -> None:
    before = learned(CENTS, headers=BILLS, kinds=BILL_KINDS)
    stored_by_an_older_hub = before.model_copy(update={"from_other_account": True})
    theirs = for_others(before).model_copy(update={"from_other_account": True})

    assert "minor" not in theirs.mapped
    for shared in (theirs, stored_by_an_older_hub):
        assert units(proposed(bills(BILLS), shared)) == {"total": "major", "subtotal": "major", "balance": "major"}


def test_one_file_is_read_in_one_unit_whatever_was_approved_for_a_part_of_its_columns() -> None:
    dollars = record("invoices", field("source_id", 0), field("number", 2), field("status", 3), field("total", 4))
    names = ["id", "job_id", "invoice_number", "status", "amount", "due_at"]
    before = learned(dollars, headers=names, kinds=["integer", "integer", "integer", "text", "integer", "date"])

    found = proposed(bills(BILLS, prefix="invoice_"), before)

    assert found.reasons[0].startswith("Mapped as in your approved mapping")
    assert units(found) == {"total": "minor", "subtotal": "minor", "balance": "minor"}


# ---- without a header row -------------------------------------------------------------------------------------

PEOPLE = [
    ["Ann Smith", "ann@example.com", "(602) 555-0101", "1 Elm St", "Mesa", "AZ", "85201"],
    ["Bob Hill", "bob@example.com", "(602) 555-0102", "2 Oak Ave", "Tampa", "FL", "33601"],
    ["Cy Jones", "cy@example.com", "(602) 555-0103", "4 Pine Rd", "Macon", "GA", "31201"],
]


def without_headers(rows: Sequence[Sequence[str]], entity: str, *mapped: FieldMapping) -> Remembered:
    bare = sampled("export.csv", [""] * len(rows[0]), *rows)
    kinds = [column.type for column in detect([bare])[0].columns]
    return learned(record(entity, *mapped), headers=bare.headers, kinds=kinds)


def test_a_file_without_headers_is_known_by_the_kinds_of_all_its_columns() -> None:
    before = without_headers(PEOPLE, "customers", field("name", 0), field("email", 1), field("mobile_phone", 2))

    found = proposed(sampled("export.csv", [""] * 7, *PEOPLE), before)

    assert found.reasons[0] == "Mapped as in your approved mapping of 9 Oct 2025."
    assert fields(found)["mobile_phone"].column == 2


def test_a_file_without_headers_and_other_kinds_of_columns_is_another_file() -> None:
    bills = [["1001", "2024-01-02", "120.50", "Ann Smith", "TX", "paid"],
             ["1002", "2024-01-03", "99.00", "Bob Jones", "TX", "open"]]  # fmt: skip
    parts = [["2001", "2024-02-02", "45.00", "Filter 16x20", "EA", "service"],
             ["2002", "2024-02-03", "10.00", "Capacitor", "EA", "material"]]  # fmt: skip
    before = without_headers(bills, "invoices", field("number", 0), field("issued_on", 1), field("total", 2))
    file = sampled("export.csv", [""] * 6, *parts)

    assert proposed(file, before) == proposed(file)


def test_without_headers_detection_is_never_overruled() -> None:
    before = without_headers(PEOPLE, "leads", field("name", 0), field("email", 1))
    file = sampled("export.csv", [""] * 7, *PEOPLE)

    assert proposed(file).records[0].entity == "customers"
    assert proposed(file, before) == proposed(file)


def test_without_headers_text_and_numbers_come_back_less_surely_than_what_is_telling() -> None:
    rows = [[*row, source] for row, source in zip(PEOPLE, ["web, 2nd page", "flyer #7", "web, 1st page"], strict=True)]
    before = without_headers(rows, "customers", field("mobile_phone", 2), field("lead_source", 7))

    found = fields(proposed(sampled("export.csv", [""] * 8, *rows), before))

    assert found["lead_source"].confidence < 0.8 <= found["mobile_phone"].confidence
