from __future__ import annotations

from typing import Any

import pytest

from shared.catalog.identity import LinkKind, link_keys, normalise_name, normalise_street
from shared.messages.batches import ReferenceColumn
from tests.unit.mapper.builders import compiled, entries, field, hashes, keys, mapped, record, references, stream


def key(entity: str, kind: LinkKind, text: str, label: str = "files") -> int:
    return int(link_keys(entity, kind, [text], label)[0])


def job_reference(name: str, cells: tuple[str, ...], **given: Any) -> ReferenceColumn:
    """The references of one job whose first cell is its number."""
    headers = "|".join("ABCDEFGH"[: len(cells) + 1])
    plan = compiled(headers, record("jobs", field("number", 0), field(name, 1, **given)))
    return references(stream(mapped(plan, ("J1", *cells)), "jobs"))[name]


def test_parent_named_by_source_id() -> None:
    column = job_reference("customer", (" C-7 ",), by="source_id")

    assert (column.texts, column.by, column.parent) == (["C-7"], b"\0", "customers")
    assert hashes(column.exact) == [key("customers", LinkKind.SOURCE_ID, "C-7")]
    assert hashes(column.names) == [0]


def test_parent_named_by_name_with_evidence() -> None:
    evidence = {"email": 2, "phone": 3}

    column = job_reference("customer", ("Smith, John", "J@X.co", "(212) 555-0142"), by="name", evidence=evidence)

    name = normalise_name("John Smith")
    assert column.by == b"\2"
    assert column.normalised == [name]
    assert hashes(column.exact) == hashes(column.names) == [key("customers", LinkKind.NAME, name)]
    assert set(column.evidence[0]) == {
        key("customers", LinkKind.NAME_EMAIL, f"{name}\x1fj@x.co"),
        key("customers", LinkKind.EMAIL, "j@x.co"),
        key("customers", LinkKind.NAME_PHONE, f"{name}\x1f+12125550142"),
        key("customers", LinkKind.PHONE, "+12125550142"),
    }


def test_row_that_names_no_parent_falls_back_to_what_it_knows() -> None:
    column = job_reference("customer", ("", "J@X.co", "555"), by="name", evidence={"email": 2, "phone": 3})

    assert (column.texts, column.by) == (["J@X.co"], b"\3")
    assert hashes(column.exact) == [key("customers", LinkKind.EMAIL, "j@x.co")]


def test_unreadable_phone_names_nobody_but_is_kept() -> None:
    column = job_reference("customer", ("555",), by="phone")

    assert (column.texts, hashes(column.exact)) == (["555"], [0])


def test_rows_without_a_parent_have_no_entry() -> None:
    plan = compiled("A|B", record("jobs", field("number", 0), field("customer", 1, by="source_id")))

    column = references(stream(mapped(plan, ("1", "-"), ("2", "C"), ("3", "N/A")), "jobs"))["customer"]

    assert column.owner == (1).to_bytes(4, "little")


def test_owners_count_only_records_that_are_not_rejected() -> None:
    plan = compiled("A|B", record("jobs", field("number", 0), field("customer", 1, by="source_id")))

    column = references(stream(mapped(plan, ("", "C1"), ("2", "C2")), "jobs"))["customer"]

    assert (column.texts, column.owner) == (["C2"], (0).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("Ann Lee, Bo Park", ["Ann Lee", "Bo Park"]),
        ("Ann Lee & Bo Park", ["Ann Lee", "Bo Park"]),
        ("Ann Lee and Bo Park", ["Ann Lee", "Bo Park"]),
        ("Lee, Ann", ["Lee, Ann"]),
        ("Lee, Ann; Park, Bo", ["Lee, Ann", "Park, Bo"]),
        ("Ann; Bo; Ann", ["Ann", "Bo"]),
        ("Sandy Anders", ["Sandy Anders"]),
    ],
)
def test_several_parents_in_one_cell(cell: str, names: list[str]) -> None:
    assert job_reference("technician", (cell,), by="name").texts == names


def test_given_separators_always_separate() -> None:
    assert job_reference("technician", ("Lee, Ann",), by="name", split=",").texts == ["Lee", "Ann"]


def test_evidence_belongs_to_a_parent_named_alone() -> None:
    column = job_reference("technician", ("Ann Lee; Bo Park", "a@x.co"), by="name", evidence={"email": 2})

    assert column.evidence == [[], []]


def test_first_of_several_numbers_where_only_one_parent_is_possible() -> None:
    plan = compiled("A|B", record("invoices", field("number", 0), field("job", 1, by="number", split=",")))

    column = references(stream(mapped(plan, ("1", "#2002, 1998")), "invoices"))["job"]

    assert column.texts == ["#2002"]
    assert hashes(column.exact) == [key("jobs", LinkKind.NUMBER, "2002")]


def test_reference_by_row_meets_the_row_key_of_its_parent() -> None:
    plan = compiled(
        "Id|Name|Street",
        record("customers", field("source_id", 0), field("name", 1)),
        record("properties", field("street", 2), field("customer", None, by="row"), primary=False),
    )

    parts = mapped(plan, ("1", "Ann", ""), ("2", "Bo", "1 Main St"))

    customers = stream(parts, "customers")
    column = references(stream(parts, "properties"))["customer"]
    expected = key("customers", LinkKind.ROW, keys(customers)[1].hex())
    assert (column.texts, hashes(column.exact)) == (["2"], [expected])
    assert (expected, 1) in entries(customers.link_keys)


def test_customer_can_be_found_by_all_it_is_called_and_reached_by() -> None:
    plan = compiled(
        "I|N|F|L|C|E|P|M|S",
        record(
            "customers",
            *(
                field(name, column)
                for column, name in enumerate(
                    (
                        "source_id",
                        "name",
                        "first_name",
                        "last_name",
                        "company",
                        "email",
                        "phone",
                        "mobile_phone",
                        "street",
                    )
                )
            ),
        ),
        source_label="jobber",
    )

    made = stream(
        mapped(
            plan,
            (
                "7",
                "Ann Lee",
                "Ann",
                "Lee",
                "Lee Plumbing LLC",
                "A@x.co",
                "212-555-0142",
                "(212) 555-0142",
                "1 N. Main St",
            ),
        ),
        "customers",
    )

    names = ["ann lee", "lee plumbing"]
    facts = {
        LinkKind.NAME_EMAIL: "a@x.co",
        LinkKind.NAME_PHONE: "+12125550142",
        LinkKind.NAME_STREET: "1 n main st",
    }
    expected = {key("customers", LinkKind.SOURCE_ID, "7", "jobber"), key("customers", LinkKind.CORE_NAME, "lee")}
    expected |= {key("customers", LinkKind.NAME, name) for name in names}
    expected |= {key("customers", kind, f"{name}\x1f{fact}") for kind, fact in facts.items() for name in names}
    expected |= {key("customers", LinkKind.EMAIL, "a@x.co"), key("customers", LinkKind.PHONE, "+12125550142")}
    expected |= {key("customers", LinkKind.STREET, "1 n main st")}
    expected |= {key("customers", LinkKind.NAME_WORD, word) for word in ("ann", "lee", "plumbing")}
    found = entries(made.link_keys)
    assert found == {(hash_, 0) for hash_ in expected}
    assert len(made.link_keys) == 12 * len(expected)


def test_customer_can_be_found_by_parts_of_its_name() -> None:
    plan = compiled("I|N", record("customers", field("source_id", 0), field("name", 1)))

    made = stream(mapped(plan, ("7", "Acme Drain Cleaning S.A. de C.V."), ("8", "Ann Lee")), "customers")

    shorter = [(key("customers", LinkKind.CORE_NAME, text), 0) for text in ("acme", "acme drain")]
    plain = (key("customers", LinkKind.NAME, "acme cleaning drain"), 0)
    assert entries(made.link_keys).issuperset([*shorter, plain])


def test_street_is_told_by_itself_too() -> None:
    column = job_reference("customer", ("Ann Lee", "1 Main Street"), by="name", evidence={"street": 2})

    assert hashes(column.streets) == [key("customers", LinkKind.STREET, "1 main st")]


def test_property_is_called_by_street_name_or_whole_address() -> None:
    fields = ("street", "city", "state", "postal_code", "name")
    plan = compiled("S|C|T|Z|N", record("properties", *(field(name, i) for i, name in enumerate(fields))))

    found = entries(
        stream(mapped(plan, ("12 Oak Street", "Erie", "PA", "16501", "Lake House")), "properties").link_keys
    )

    for text in ("12 Oak St", "Lake House", "12 Oak Street, Erie, PA 16501"):
        assert (key("properties", LinkKind.NAME, normalise_street(text)), 0) in found


def test_long_runs_of_blanks_between_several_names_are_read_once() -> None:
    """Read again from each blank on, this would take hours."""
    column = job_reference("technician", (f"Ada{' ' * 300_000}Abbot; Ben Brand and Cleo",), by="name")

    assert [" ".join(text.split()) for text in column.texts] == ["Ada Abbot", "Ben Brand", "Cleo"]


def test_entity_types_nobody_points_to_have_no_link_keys() -> None:
    plan = compiled("A", record("invoices", field("number", 0)))

    assert stream(mapped(plan, ("1",)), "invoices").link_keys == b""


def test_job_is_found_by_number_and_source_id_only() -> None:
    plan = compiled("A|B|C", record("jobs", field("source_id", 0), field("number", 1), field("title", 2)))

    found = entries(stream(mapped(plan, ("x1", "#J 1", "Fix")), "jobs").link_keys)

    assert found == {(key("jobs", LinkKind.SOURCE_ID, "x1"), 0), (key("jobs", LinkKind.NUMBER, "j1"), 0)}


def test_contacts_are_counted_apart_from_other_facts() -> None:
    evidence = {"email": 2, "phone": 3, "number": 4, "street": 5}
    told = ("Ann Lee", "a@x.co", "(212) 555-0142", "17", "1 Main St")

    assert job_reference("customer", told, by="name", evidence=evidence).contacts == b"\2"
    some = ("Ann Lee", "a@x.co", "none", "17", "")
    assert job_reference("customer", some, by="name", evidence=evidence).contacts == b"\1"
    assert job_reference("customer", ("Ann Lee", "17"), by="name", evidence={"number": 2}).contacts == b"\0"
