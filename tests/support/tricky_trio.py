"""A small set of files in which order matters: duplicates over batches and files, conflicts, namesakes, open ends."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hope")
LAST = ("Abbot", "Brand", "Crane", "Dorsey", "Ellis", "Fowler", "Grant", "Hobbs")
CUSTOMERS, JOBS, INVOICES = 60, 90, 60

_CUSTOMER_COLUMNS = ("Customer ID", "Full name", "Email", "Mobile phone", "Street", "City", "State", "Zip")
_JOB_COLUMNS = ("Job ID", "Customer", "Customer email", "Title", "Status", "Scheduled start", "Total")
_INVOICE_COLUMNS = ("Invoice number", "Customer ID", "Job ID", "Issued on", "Due on", "Total", "Balance")


def make_tricky_trio(folder: Path, seed: int) -> list[Path]:
    """Four files: customers twice (the second repeats some of the first), jobs, invoices."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    customers = [_customer(number, chance) for number in range(CUSTOMERS)]
    repeated = [list(row) for row in chance.sample(customers, 12)]
    for row in repeated[:6]:
        row[4] = f"{chance.randint(1, 99)} Other Way"
    # In its own file too, far behind: the first one wins wherever the two batches are handled first.
    first = customers[: CUSTOMERS // 2] + [list(row) for row in chance.sample(customers[:20], 5)]
    second = repeated + customers[CUSTOMERS // 2 :]
    jobs = [_job(number, customers, chance) for number in range(JOBS)]
    jobs += [list(row) for row in chance.sample(jobs[:30], 6)]
    invoices = [_invoice(number, customers, chance) for number in range(INVOICES)]
    return [
        _write(folder / "customers_a.csv", _CUSTOMER_COLUMNS, first),
        _write(folder / "customers_b.csv", _CUSTOMER_COLUMNS, second),
        _write(folder / "invoices.csv", _INVOICE_COLUMNS, invoices),
        _write(folder / "jobs.csv", _JOB_COLUMNS, jobs),
    ]


def _customer(number: int, chance: random.Random) -> list[str]:
    # 64 names for 60 customers: some are namesakes, with an e-mail of their own.
    name = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
    email = f"{name.replace(' ', '.').lower()}{number}@example.com" if number % 7 else ""
    street = f"{100 + number} Main St"
    return [
        f"C-{number:04d}",
        name if number % 19 else "",
        email,
        f"(512) 555-{1000 + number}",
        street,
        "Austin",
        "TX",
        "78701",
    ]


def _job(number: int, customers: Sequence[Sequence[str]], chance: random.Random) -> list[str]:
    customer = chance.choice(customers)
    name = customer[1] if number % 9 else "Nobody Known"
    email = customer[2] if number % 3 else ""
    day = f"2025-{1 + number % 12:02d}-{1 + number % 28:02d}"
    total = f"${chance.randint(50, 5000)}.{number % 100:02d}" if number % 23 else "soon"
    return [f"J-{number:04d}", name, email, f"Repair {number}", "completed", day, total]


def _invoice(number: int, customers: Sequence[Sequence[str]], chance: random.Random) -> list[str]:
    customer = chance.choice(customers)[0] if number % 11 else "C-9999"
    total = f"{chance.randint(50, 5000)}.50"
    day = f"2025-{1 + number % 12:02d}-{1 + number % 28:02d}"
    return [f"INV-{number:04d}", customer, f"J-{chance.randrange(JOBS):04d}", day, day, total, "0.00"]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path
