"""The jobs of the main benchmark: they name their customer, some with a typing error, some name a stranger."""

from __future__ import annotations

import numpy as np

from benchmarks import trio_vocabulary as words
from benchmarks.trio_customers import Customers
from benchmarks.trio_table import (
    DATES,
    DAYS,
    UNREADABLE_DATES,
    Expectations,
    Ints,
    Parameters,
    Table,
    money_texts,
    phone,
    typo,
    uuids,
)

STRANGER_SHARE = 0.01
TYPO_SHARE = 0.03
TYPOS_LINKED_MIN = 0.95
"""This share of the misspelt names must still be found: each comes with the e-mail address or telephone number."""


class Jobs:
    """`customer`: row of the customer per job, also where the job is spoilt; `is_stranger`: names somebody else."""

    def __init__(
        self,
        random: np.random.Generator,
        parameters: Parameters,
        expectations: Expectations,
        customers: Customers,
    ) -> None:
        n = parameters.jobs
        self.table = Table("jobs", n, random)
        self.customers = customers
        self.customer: Ints = customers.table.good[random.integers(0, customers.table.good.size, n)]
        self.is_stranger = self.table.flags(STRANGER_SHARE, among=self.table.imported)
        self.is_typo = self.table.flags(TYPO_SHARE, among=self.table.imported) & ~self.is_stranger
        self.numbers = [str(2_000_001 + i) for i in range(n)]
        self.ids = uuids(random, n) if parameters.uuids else self.numbers
        named = self._named_by_id(random, n) if parameters.uuids else self._named_by_name(random, n)
        self._fill(random, n, named, expectations)
        self._spoil(expectations)
        self._count_links(parameters, expectations)

    def _names(self, random: np.random.Generator) -> list[str]:
        known = set(self.customers.names)
        names = [self.customers.names[i] for i in self.customer.tolist()]
        for row, (at, kind) in zip(
            np.flatnonzero(self.is_typo).tolist(),
            random.integers(0, 1_000, (int(self.is_typo.sum()), 2)).tolist(),
            strict=True,
        ):
            # An error that makes another customer's name of it would be no error to see.
            errors = (typo(names[row], at + i, kind + i) for i in range(40))
            names[row] = next(error for error in errors if error != names[row] and error not in known)
        firsts, lasts = words.FIRST_NAMES, words.STRANGER_LAST_NAMES
        for row in np.flatnonzero(self.is_stranger).tolist():
            names[row] = f"{firsts[row % len(firsts)]} {lasts[row // 7 % len(lasts)]}"
        return names

    def _named_by_name(self, random: np.random.Generator, n: int) -> dict[str, list[str]]:
        """Name, and e-mail address or telephone number (now and then both) in columns of their own."""
        kinds = random.integers(0, 10, n).tolist()
        forms = random.integers(0, 5, n).tolist()
        strangers = self.is_stranger.tolist()
        emails = self.customers.emails
        email_cells, phone_cells = [], []
        for row, customer in enumerate(self.customer.tolist()):
            if strangers[row]:
                email_cells.append(f"stranger.{row}@example.net")
                phone_cells.append("")
                continue
            email = emails[customer] if kinds[row] < 6 else ""
            email_cells.append(email)
            phone_cells.append(phone(customer, forms[row]) if not email or kinds[row] == 0 else "")
        return {
            "Job Number": list(self.numbers),
            "Customer Name": self._names(random),
            "Customer Email": email_cells,
            "Customer Phone": phone_cells,
        }

    def _named_by_id(self, random: np.random.Generator, n: int) -> dict[str, list[str]]:
        ids = [self.customers.ids[i] for i in self.customer.tolist()]
        unknown = uuids(random, int(self.is_stranger.sum()))
        for row, stranger in zip(np.flatnonzero(self.is_stranger).tolist(), unknown, strict=True):
            ids[row] = stranger
        return {
            "Job ID": list(self.ids),
            "Job Number": list(self.numbers),
            "Customer ID": ids,
            "Customer Name": self._names(random),
        }

    def _fill(
        self, random: np.random.Generator, n: int, named: dict[str, list[str]], expectations: Expectations
    ) -> None:
        table, customers = self.table, self.customers
        titles = words.TITLES
        day: Ints = random.integers(DAYS // 2, DAYS, n)
        title = self._titles(random, n, day, len(titles))
        hour = random.integers(7, 17, n).tolist()
        statuses = table.pick(words.JOB_STATUSES)
        self.cents: Ints = random.integers(4_500, 1_500_000, n)
        days, rows = day.tolist(), self.customer.tolist()
        table.columns = named | {
            "Job Title": [titles[i] for i in title.tolist()],
            "Description": table.pick(words.DETAILS),
            "Job Type": table.pick(words.JOB_TYPES),
            "Status": statuses,
            "Priority": table.pick(words.PRIORITIES),
            "Scheduled Start": [f"{DATES[d]} {_clock(h)}" for d, h in zip(days, hour, strict=True)],
            "Scheduled End": [f"{DATES[d]} {_clock(h + 2)}" for d, h in zip(days, hour, strict=True)],
            "Completed Date": [
                DATES[d] if status == "Completed" else "" for d, status in zip(days, statuses, strict=True)
            ],
            "Business Unit": table.pick(words.BUSINESS_UNITS),
            "PO Number": [f"PO-{i}" if i % 5 == 0 else "" for i in range(n)],
            "Total": money_texts(self.cents),
            "Labor Hours": table.pick(("0.5", "1", "1.5", "2", "2.25", "3", "4", "6.5", "8")),
            "Service Street": [customers.streets[i] for i in rows],
            "Service City": [words.CITIES[i][0] for i in customers.city[self.customer].tolist()],
            "Service State": [words.CITIES[i][1] for i in customers.city[self.customer].tolist()],
            "Service Zip": [customers.zips[i] for i in rows],
        }
        table.count_money(expectations, "total", self.cents)

    def _titles(self, random: np.random.Generator, n: int, day: Ints, titles: int) -> Ints:
        """Random titles, but never the same one twice on a day for one name, so that no two jobs look the same."""
        title: Ints = random.integers(0, titles, n)
        _, name_of = np.unique(np.array(self.customers.names), return_inverse=True)
        name = name_of[self.customer]
        while True:
            keys = (name * DAYS + day) * titles + title
            _, first = np.unique(keys, return_index=True)
            if first.size == n:
                return title
            again = np.setdiff1d(np.arange(n), first)
            title[again] = (title[again] + 1) % titles

    def _spoil(self, expectations: Expectations) -> None:
        bad = self.table.bad
        self.table.replace(bad["unreadable_date"], "Scheduled Start", UNREADABLE_DATES)
        for column in ("Job Number", "Job Title", "Description"):
            self.table.replace(bad["missing_required"], column, [""])
        self.table.repeat_rows("PO Number", "PO-CHANGED")
        self.table.count(expectations)

    def _count_links(self, parameters: Parameters, expectations: Expectations) -> None:
        imported = self.table.imported
        references, strangers = int(imported.size), int(self.is_stranger[imported].sum())
        typos = int(self.is_typo[imported].sum())
        namesakes = self.customers.is_namesake[self.customer[imported]] & ~self.is_stranger[imported]
        lost_max = 0 if parameters.uuids else int(typos * (1 - TYPOS_LINKED_MIN))
        expectations.links["jobs"] = {
            "customer": {
                "references": references,
                "strangers": strangers,
                "typos": typos,
                "namesakes": int(namesakes.sum()),
                "linked_min": references - strangers - lost_max,
                "linked_max": references - strangers,
            }
        }


def _clock(hour: int) -> str:
    return f"{hour % 12 or 12}:00 {'AM' if hour < 12 else 'PM'}"
