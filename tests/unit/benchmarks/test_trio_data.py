"""The benchmark's generator: same bytes for the same parameters, and expectations that the files bear out."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import phonenumbers
import pytest

from benchmarks.trio_data import Trio, generate, scaled

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return scaled(tmp_path_factory.mktemp("trio"), 14_000)


@pytest.fixture(scope="module")
def by_id(tmp_path_factory: pytest.TempPathFactory) -> Trio:
    return scaled(tmp_path_factory.mktemp("trio"), 14_000, uuids=True)


def _rows(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def _first_of_each(rows: Rows, key: str) -> dict[str, dict[str, str]]:
    first: dict[str, dict[str, str]] = {}
    for row in rows:
        first.setdefault(row[key], row)
    return first


def test_same_parameters_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (generate(tmp_path / name, 200, 600, 600) for name in ("one", "other"))

    assert [p.read_bytes() for p in one.paths] == [p.read_bytes() for p in other.paths]
    assert one.expectations == other.expectations


def test_a_set_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    made = generate(tmp_path, 200, 600, 600).jobs.stat().st_mtime_ns

    assert generate(tmp_path, 200, 600, 600).jobs.stat().st_mtime_ns == made


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 100 rows"):
        generate(tmp_path, 99, 600, 600)


def test_every_file_has_twenty_columns_and_the_rows_asked_for(named: Trio, by_id: Trio) -> None:
    for trio in (named, by_id):
        files = [_rows(path) for path in trio.paths]

        assert [len(rows) for rows in files] == [2_000, 6_000, 6_000]
        assert {len(row) for rows in files for row in rows} == {20}
        assert all(None not in row and None not in row.values() for rows in files for row in rows)


@pytest.mark.parametrize(
    ("entity", "key", "required"),
    [
        ("customers", "Customer ID", ("Customer Name", "Company")),
        ("jobs", "Job Number", ("Job Number", "Job Title", "Description")),
        ("invoices", "Invoice ID", ("Invoice Number",)),
    ],
)
def test_counts_can_be_found_again_in_the_files(named: Trio, entity: str, key: str, required: tuple[str, ...]) -> None:
    rows = _rows(named.directory / f"{entity}.csv")
    bad = named.expectations["bad"][entity]

    empty = [row for row in rows if not any(row[column] for column in required)]
    kept = [row for row in rows if any(row[column] for column in required)]
    copies = Counter(row[key] for row in kept)
    exact = Counter(tuple(row.values()) for row in kept)

    assert len(empty) == bad["missing_required"]
    assert sum(n - 1 for n in copies.values()) == bad["duplicate"] + bad["conflict"]
    assert sum(n - 1 for n in exact.values()) >= bad["duplicate"]
    counts = named.expectations["entities"][entity]
    assert counts["extracted"] == counts["imported"] + counts["skipped"] + counts["errored"] == len(rows)


def test_money_sums_can_be_found_again_in_the_files(named: Trio) -> None:
    rows = _rows(named.invoices)

    readable = [row["Total"].lstrip("$").replace(",", "") for row in rows if row["Total"][-3:-2] == "."]
    amounts = [Decimal(text) for text in readable if text.count(".") == 1 and text.replace(".", "").isdigit()]

    assert f"{sum(amounts):.2f}" == named.expectations["money"]["invoices.total"]["source"]
    for sums in named.expectations["money"].values():
        assert Decimal(sums["source"]) == Decimal(sums["destination"]) + Decimal(sums["left_out"])


def test_jobs_name_their_customer_by_name_with_email_or_phone(named: Trio) -> None:
    customers = [row for row in _rows(named.customers) if row["Customer Name"]]
    jobs = list(_first_of_each([row for row in _rows(named.jobs) if row["Job Number"]], "Job Number").values())
    names = {row["Customer Name"] for row in customers}
    emails = {row["Email"] for row in customers}
    expected = named.expectations["links"]["jobs"]["customer"]

    assert all(job["Customer Email"] or job["Customer Phone"] for job in jobs)
    strangers = [job for job in jobs if job["Customer Email"].startswith("stranger.")]
    misspelt = [job for job in jobs if job["Customer Name"] not in names and job not in strangers]
    assert len(jobs) == expected["references"]
    assert len(strangers) == expected["strangers"]
    assert not {job["Customer Name"] for job in strangers} & names
    assert len(misspelt) == expected["typos"]
    assert all(job["Customer Email"] in emails for job in misspelt if job["Customer Email"])


def test_two_percent_of_the_customers_are_namesakes_told_apart_by_email_phone_and_place(named: Trio) -> None:
    people = list(_first_of_each(_rows(named.customers), "Customer ID").values())
    shared = Counter(row["Customer Name"] for row in people if row["Customer Name"])
    namesakes = [row for row in people if shared[row["Customer Name"]] > 1]

    assert len(namesakes) == 40
    for facts in (("Phone",), ("Customer Name", "Zip Code")):
        assert len({tuple(row[fact] for fact in facts) for row in namesakes}) == 40


def test_no_two_good_jobs_look_the_same(named: Trio) -> None:
    jobs = _first_of_each([row for row in _rows(named.jobs) if row["Job Number"]], "Job Number").values()

    looks = Counter((job["Customer Name"], job["Job Title"], job["Scheduled Start"]) for job in jobs)

    assert max(looks.values()) == 1


def test_telephone_numbers_are_valid(named: Trio) -> None:
    phones = [row["Phone"] for row in _rows(named.customers)]

    valid = [text for text in phones if len(text) >= 10 and text[-4:].isdigit()]

    assert len(valid) == 2_000 - named.expectations["bad"]["customers"]["unreadable_phone"]
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(text, "US")) for text in valid)


def test_invoices_refer_to_imported_jobs_and_customers(named: Trio) -> None:
    customers = {row["Customer ID"] for row in _rows(named.customers) if row["Customer Name"]}
    jobs = {row["Job Number"] for row in _rows(named.jobs) if row["Job Number"]}

    invoices = _rows(named.invoices)

    assert {row["Customer ID"] for row in invoices} <= customers
    assert {row["Job Number"] for row in invoices} <= jobs


def test_with_uuids_jobs_and_invoices_refer_by_id(by_id: Trio) -> None:
    customers = {row["Customer ID"] for row in _rows(by_id.customers) if row["Customer Name"]}
    jobs = _first_of_each([row for row in _rows(by_id.jobs) if row["Job Title"]], "Job ID")
    invoices = _rows(by_id.invoices)

    unknown = [job for job in jobs.values() if job["Customer ID"] not in customers]

    assert len(unknown) == by_id.expectations["links"]["jobs"]["customer"]["strangers"]
    assert {row["Job ID"] for row in invoices} <= jobs.keys()
    assert {len(row["Invoice ID"]) for row in invoices} == {36}
