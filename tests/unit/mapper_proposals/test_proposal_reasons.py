from __future__ import annotations

from services.analyze.entity_detection import detect
from services.mapper.proposals import propose
from shared.messages.analysis import SampledFile
from tests.support.sampled import sampled


def _reasons(file: SampledFile, entity: str, field: str) -> tuple[str, ...]:
    mapping = propose(detect([file]), entities={file.file: entity}).files[0]
    return next(found.reasons for found in mapping.records[0].fields if found.field == field)


def test_values_that_speak_for_several_fields_alike_only_fit() -> None:
    rows = [[f"INV-{at}", f"Ann Smith {at}", f"2024-05-{at + 1:02}", "$5.00"] for at in range(9)]
    file = sampled("invoices.csv", ["Invoice #", "Customer", "Created", "Total"], *rows)

    assert _reasons(file, "invoices", "created_at") == (
        "“Created” is a usual header for created.",
        "Its values, dates, fit.",
    )


def test_values_that_only_one_field_holds_speak_for_it() -> None:
    rows = [[f"Ann Smith {at}", f"ann{at}@example.com"] for at in range(9)]
    file = sampled("customers.csv", ["Name", "Email"], *rows)

    assert "Its values, e-mail addresses, speak for email." in _reasons(file, "customers", "email")


def test_numbers_that_are_nobodys_ids_do_not_fit_a_person() -> None:
    rows = [[f"J-{at}", "AC repair", f"2024-05-{at + 1:02}", str(at % 3 + 1)] for at in range(9)]
    file = sampled("jobs.csv", ["Job #", "Title", "Scheduled", "Technician"], *rows)

    assert _reasons(file, "jobs", "technician") == ("“Technician” is a usual header for technician.",)
