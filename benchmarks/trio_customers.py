"""The customers of the main benchmark: people and companies, 2 % of whom share their name with another one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks import trio_vocabulary as words
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
    uuids,
)

NAMESAKE_SHARE = 0.02


def last_names() -> list[str]:
    return list(dict.fromkeys(start + end for start in words.LAST_STARTS for end in words.LAST_ENDS))


class Customers:
    """`names`, `emails` and `phones` as the customer has them, before any cell was spoilt; by row."""

    def __init__(self, random: np.random.Generator, parameters: Parameters, expectations: Expectations) -> None:
        n = parameters.customers
        self.table = Table("customers", n, random)
        self.ids = uuids(random, n) if parameters.uuids else [str(100_001 + i) for i in range(n)]
        self.companies = self._companies(n)
        self.names = self._person_names(n)
        for i, company in enumerate(self.companies):
            self.names[i] = company or self.names[i]
        self.city: Ints = random.integers(0, len(words.CITIES), n)
        self.is_namesake = self._share_names()
        self.emails = [
            f"{name.split()[0].lower()}.{i}@example.{('com', 'org', 'net')[i % 3]}" if keep else ""
            for i, (name, keep) in enumerate(zip(self.names, (random.random(n) < 0.97).tolist(), strict=True))
        ]
        self.phones = [phone(i, form) for i, form in enumerate(random.integers(0, 5, n).tolist())]
        self._fill(random, n, expectations)
        self._spoil(expectations)

    def _person_names(self, n: int) -> list[str]:
        last = last_names()
        if n > len(last) * len(words.FIRST_NAMES):
            raise ValueError(f"there are names for {len(last) * len(words.FIRST_NAMES):,} customers only")
        chosen = self.table.random.permutation(len(last) * len(words.FIRST_NAMES))[:n].tolist()
        firsts = words.FIRST_NAMES
        return [f"{firsts[k % len(firsts)]} {last[k // len(firsts)]}" for k in chosen]

    def _companies(self, n: int) -> list[str]:
        """Every eighth customer is a company; no two of them have the same name."""
        last, kinds = last_names(), words.COMPANY_KINDS
        return [
            f"{last[i // 8 % len(last)]} {kinds[i // 8 // len(last) % len(kinds)]}" if i % 8 == 5 else ""
            for i in range(n)
        ]

    def _share_names(self) -> NDArray[np.bool_]:
        """Gives pairs of people one name; both live in different cities and have different addresses."""
        people = np.array([i for i in self.table.good.tolist() if not self.companies[i]])
        pairs = round(self.table.rows * NAMESAKE_SHARE / 2)
        chosen = self.table.random.permutation(people)[: 2 * pairs]
        for one, other in chosen.reshape(2, -1).T.tolist():
            self.names[other] = self.names[one]
            self.city[other] = (self.city[one] + 1) % len(words.CITIES)
        flags = np.zeros(self.table.rows, np.bool_)
        flags[chosen] = True
        return flags

    def _fill(self, random: np.random.Generator, n: int, expectations: Expectations) -> None:
        table = self.table
        cities = [words.CITIES[i] for i in self.city.tolist()]
        last, kinds = last_names(), words.STREET_KINDS
        houses, streets = random.integers(1, 9_900, n).tolist(), random.integers(0, len(last), n).tolist()
        self.streets = [
            f"{house} {last[street]} {kinds[street % len(kinds)]}"
            for house, street in zip(houses, streets, strict=True)
        ]
        self.zips = [
            f"{city[2]}{tail:02d}" for city, tail in zip(cities, random.integers(0, 100, n).tolist(), strict=True)
        ]
        balance: Ints = random.integers(100, 500_000, n) * (random.random(n) < 0.3)
        mobiles = random.random(n) < 0.4
        table.columns = {
            "Customer ID": list(self.ids),
            "Customer Name": list(self.names),
            "Company": list(self.companies),
            "Customer Type": ["Commercial" if company else "Residential" for company in self.companies],
            "Email": list(self.emails),
            "Phone": list(self.phones),
            "Mobile Phone": [phone(700_000 + i, i) if keep else "" for i, keep in enumerate(mobiles.tolist())],
            "Street": list(self.streets),
            "City": [city[0] for city in cities],
            "State": [city[1] for city in cities],
            "Zip Code": list(self.zips),
            "Country": ["USA"] * n,
            "Lead Source": table.pick(words.LEAD_SOURCES),
            "Balance": [text if cents else "" for text, cents in zip(money_texts(balance), balance, strict=True)],
            "Payment Terms": table.pick(words.TERMS),
            "Tax Exempt": table.pick(("No", "No", "No", "Yes")),
            "Active": table.pick(("Yes", "Yes", "Yes", "Yes", "No")),
            "Tags": table.pick(words.TAGS),
            "Notes": table.pick(words.NOTES),
            "Created Date": [DATES[i] for i in random.integers(0, DAYS // 2, n).tolist()],
        }
        table.count_money(expectations, "balance", balance)

    def _spoil(self, expectations: Expectations) -> None:
        bad = self.table.bad
        self.table.replace(bad["unreadable_phone"], "Phone", ("call the office", "12345", "555-01"))
        self.table.replace(bad["unreadable_date"], "Created Date", UNREADABLE_DATES)
        self.table.replace(bad["missing_required"], "Customer Name", [""])
        self.table.replace(bad["missing_required"], "Company", [""])
        self.table.repeat_rows("Phone", "(614) 555-0100")
        self.table.count(expectations)
