"""The invoices of the main benchmark: each belongs to a job and its customer, and its amounts add up."""

from __future__ import annotations

import numpy as np

from benchmarks import trio_vocabulary as words
from benchmarks.trio_customers import Customers
from benchmarks.trio_jobs import Jobs
from benchmarks.trio_table import (
    DATES,
    DAYS,
    UNREADABLE_DATES,
    Expectations,
    Ints,
    Parameters,
    Table,
    money_texts,
    uuids,
)


class Invoices:
    """Each invoice belongs to a good job of a known customer, and names both."""

    def __init__(
        self,
        random: np.random.Generator,
        parameters: Parameters,
        expectations: Expectations,
        customers: Customers,
        jobs: Jobs,
    ) -> None:
        n = parameters.invoices
        self.table = Table("invoices", n, random)
        known = jobs.table.good[~jobs.is_stranger[jobs.table.good]]
        self.job: Ints = known[random.integers(0, known.size, n)]
        self._fill(random, parameters, customers, jobs)
        self._count(expectations)

    def _fill(self, random: np.random.Generator, parameters: Parameters, customers: Customers, jobs: Jobs) -> None:
        n, table, rows = self.table.rows, self.table, self.job.tolist()
        owners = jobs.customer[self.job].tolist()
        statuses = table.pick(words.INVOICE_STATUSES)
        paid_in_full = np.array([status == "Paid" for status in statuses])
        subtotal = jobs.cents[self.job]
        discount: Ints = np.where(random.random(n) < 0.1, subtotal // 20, 0)
        tax: Ints = (subtotal - discount) * 825 // 10_000
        total = subtotal - discount + tax
        paid: Ints = np.where(paid_in_full, total, 0)
        self.cents = {
            "subtotal": subtotal,
            "discount": discount,
            "tax": tax,
            "total": total,
            "amount_paid": paid,
            "balance": total - paid,
        }
        texts = {name: money_texts(cents) for name, cents in self.cents.items()}
        issued: Ints = random.integers(DAYS // 2, DAYS, n)
        days = issued.tolist()
        job_column = "Job ID" if parameters.uuids else "Job Number"
        job_titles = jobs.table.columns["Job Title"]
        table.columns = {
            "Invoice ID": uuids(random, n) if parameters.uuids else [str(5_000_001 + i) for i in range(n)],
            "Invoice Number": [f"INV-{100_001 + i}" for i in range(n)],
            job_column: [jobs.ids[i] for i in rows],
            "Customer ID": [customers.ids[i] for i in owners],
            "Customer Name": [customers.names[i] for i in owners],
            "Subject": [job_titles[i] for i in rows],
            "Status": statuses,
            "Invoice Date": [DATES[d] for d in days],
            "Due Date": [DATES[d + 30] for d in days],
            "Paid Date": [DATES[d + 12] if yes else "" for d, yes in zip(days, paid_in_full.tolist(), strict=True)],
            "Subtotal": texts["subtotal"],
            "Discount": texts["discount"],
            "Tax": texts["tax"],
            "Total": texts["total"],
            "Amount Paid": texts["amount_paid"],
            "Balance": texts["balance"],
            "Payment Method": table.pick(words.PAY_METHODS),
            "PO Number": [f"PO-{i}" if i % 7 == 0 else "" for i in range(n)],
            "Notes": table.pick(words.NOTES),
            "Created Date": [DATES[d] for d in days],
        }

    def _count(self, expectations: Expectations) -> None:
        bad = self.table.bad
        self.table.replace(bad["unreadable_date"], "Due Date", UNREADABLE_DATES)
        self.table.replace(bad["missing_required"], "Invoice Number", [""])
        self.table.replace(bad["unreadable_amount"], "Total", ("see estimate", "1O5.00", "12.34.56"))
        self.table.repeat_rows("PO Number", "PO-CHANGED")
        self.table.count(expectations)
        for name, cents in self.cents.items():
            unreadable = bad["unreadable_amount"] if name == "total" else None
            self.table.count_money(expectations, name, cents, unreadable)
        references = int(self.table.imported.size)
        all_linked = {"references": references, "linked_min": references, "linked_max": references}
        expectations.links["invoices"] = {"customer": all_linked, "job": all_linked}
