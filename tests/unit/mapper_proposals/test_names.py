"""Which of several columns is the records' name."""

from __future__ import annotations

from services.analyze.entity_detection import detect
from services.mapper.hints import FileHints, Hint
from services.mapper.proposals import propose
from shared.messages.analysis import SampledFile
from shared.messages.mapping import FileMapping
from tests.support.sampled import sampled

FIRMS = [f"{name} {kind}" for name in ("Hillcrest", "Grainger", "Johnstone", "Macon") for kind in ("LLC", "Supply Inc")]
PEOPLE = ["Ann Smith", "Bob Hill", "Cy Jones", "Dora Wells", "Eve Stone", "Fay Lee", "Gus Hall", "Ida Young"]
MIXED = [
    FIRMS[at] if at % 2 else f"Karl {name}" for at, name in enumerate(("Ode", "", "Ash", "", "Ray", "", "Voss", ""))
]


def _customers(first: str, names: list[str], last: str, contacts: list[str]) -> SampledFile:
    rows = ([names[at], f"602555010{at}", f"p{at}@example.com", contacts[at]] for at in range(8))
    return sampled("customers.csv", [first, "Phone", "Email", last], *rows)


def _invoices(names: list[str]) -> SampledFile:
    rows = ([f"{at + 1}", name, "2024-05-01", "55.50", "0.00"] for at, name in enumerate(names))
    return sampled("invoices.csv", ["Num", "Customer", "Date", "Amount", "Open Balance"], *rows)


def _fields(mapping: FileMapping) -> dict[str, int | None]:
    return {field.field: field.column for field in mapping.records[0].fields}


def _mapped(*files: SampledFile, hints: list[FileHints] | None = None) -> dict[str, int | None]:
    return _fields(propose(detect(files), entities={"customers.csv": "customers"}, hints=hints or []).files[0])


def test_the_name_is_the_column_by_which_other_files_name_the_customers() -> None:
    customers = _customers("Customer", MIXED, "Full Name", PEOPLE)

    assert _mapped(customers, _invoices(MIXED))["name"] == 0
    assert _mapped(customers, _invoices(PEOPLE))["name"] == 3


def test_a_firm_that_is_not_the_name_is_the_company() -> None:
    found = _mapped(_customers("Name", FIRMS, "Contact name", PEOPLE), _invoices(PEOPLE))

    assert (found["name"], found["company"]) == (3, 0)


def test_of_two_columns_called_alike_the_first_is_the_name() -> None:
    found = _mapped(_customers("Name", FIRMS, "Name", PEOPLE))

    assert (found["name"], found.get("company")) == (0, None)


def test_a_nearly_empty_first_column_is_not_the_name() -> None:
    assert _mapped(_customers("Name", [FIRMS[0], *[""] * 7], "Name", PEOPLE))["name"] == 3


def test_what_was_approved_for_such_a_file_stays() -> None:
    approved = Hint(
        entity="customers", column=3, field="name", strength=0.97, reason="You approved it.", origin="memory"
    )

    assert _mapped(_customers("Name", FIRMS, "Name", PEOPLE), hints=[FileHints(hints=(approved,))])["name"] == 3
