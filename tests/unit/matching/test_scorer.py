from __future__ import annotations

import numpy as np
import pytest

from services.analyze.profiles import profile_columns
from shared.matching.scorer import load_scorer
from shared.messages.analysis import SampledFile
from tests.support.sampled import JOBBER_CLIENTS, JOBBER_JOBS, sampled


def _best(file: SampledFile, entity: str) -> list[str | None]:
    scores = load_scorer().read(profile_columns(file.headers, file.rows, file.records))
    found = [scores.field_scores(entity, at) for at in range(len(file.headers))]
    return [options[0].field if options and options[0].score >= 0.5 else None for options in found]


def test_the_same_file_gets_the_same_chances() -> None:
    columns = profile_columns(JOBBER_CLIENTS.headers, JOBBER_CLIENTS.rows, 3)
    first, second = load_scorer().read(columns), load_scorer().read(columns)

    assert np.array_equal(first.chances, second.chances)


def test_a_file_read_after_another_gets_what_it_would_get_alone() -> None:
    jobs = profile_columns(JOBBER_JOBS.headers, JOBBER_JOBS.rows, 3)
    alone = load_scorer().read(jobs).chances
    load_scorer().read(profile_columns(JOBBER_CLIENTS.headers, JOBBER_CLIENTS.rows, 3))

    assert np.array_equal(load_scorer().read(jobs).chances, alone)


def test_no_columns_have_no_chances() -> None:
    assert load_scorer().read([]).chances.shape[0] == 0


@pytest.mark.parametrize(
    ("header", "entity", "field"),
    [
        ("CUST_EMAIL_ADDR", "customers", "email"),
        ("custPhone", "customers", "phone"),
        ("Total (USD)", "invoices", "total"),
        ("Numéro de série", "equipment", "serial_number"),
        ("Fecha de vencimiento", "invoices", "due_on"),
        ("Date of hire", "employees", "hired_on"),
    ],
)
def test_headers_are_read_however_they_are_written(header: str, entity: str, field: str) -> None:
    assert _best(sampled("x.csv", [header]), entity) == [field]


def test_values_tell_where_headers_are_missing() -> None:
    rows = [
        ["Ann Smith", "ann@example.com", "(602) 555-0101", "1 Elm St", "Mesa", "AZ", "85201"],
        ["Bob Hill", "bob@example.com", "(602) 555-0102", "2 Oak Ave", "Tampa", "FL", "33601"],
        ["Cy Jones", "cy@example.com", "(602) 555-0103", "3 Pine Rd", "Macon", "GA", "31201"],
    ]
    fields = _best(sampled("x.csv", [""] * 7, *rows), "customers")

    assert fields == ["name", "email", "phone", "street", "city", "state", "postal_code"]
