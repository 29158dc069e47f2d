"""Variants of labelled files: the same columns as other businesses and programs would have written them.

Deterministic: a variant depends on its case and kind alone. Headers are written anew (cases, abbreviations, units,
none at all, words that say nothing), columns are shuffled, values come in other styles and with other names.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from benchmarks.mapping.cases import NOTHING, Case, LabelledColumn
from benchmarks.mapping.other_values import FAMILY, GIVEN, restyled

FILE_NAMES = (
    "export.csv", "data.csv", "Book1.xlsx", "report (3).csv", "untitled.csv", "download.csv", "Sheet1.csv", "file.csv",
    "2024-06-30.csv", "backup_final.csv", "output.txt", "results-7.csv", "copy of export.xlsx", "table.csv",
)  # fmt: skip
VAGUE = ("Info", "Detail", "Other", "Field", "Data", "Item 1", "Misc", "Text", "Extra", "Col", "X", "Entry",
         "Custom 1", "Which", "What", "Kolumne", "Spalte", "UDF", "Attribute", "Feld")  # fmt: skip
UNITS = ("($)", "(USD)", "[USD]", "- USD", "$", "(CAD)", "in $", "(dollars)")

OWN_HEADERS = ("Xq77", "T-shirt", "Zone color", "UDF_4", "custom_field_12", "Gift", "Feld 9", "Mascot", "Qual",
               "LegacyX", "Kdx", "Blue card", "Pets", "Flag7", "zz_temp", "Column1", "Unnamed: 4", "Aux", "Hobby",
               "QZ")  # fmt: skip
OWN_VALUES: dict[str, Callable[[random.Random], str]] = {
    "color": lambda chance: chance.choice(("red", "green", "blue", "grey", "Orange", "Yellow", "pink", "white")),
    "animal": lambda chance: chance.choice(("Dog", "Cat", "None", "Parrot", "two dogs", "Fish", "Horse")),
    "size": lambda chance: chance.choice(("S", "M", "L", "XL", "XXL")),
    "grade": lambda chance: chance.choice(("A", "B", "C", "A+", "B-")),
    "small": lambda chance: str(chance.randrange(0, 10)),
    "number": lambda chance: str(chance.randrange(100, 99_999)),
    "code": lambda chance: f"{chance.choice('ABCDEFGH')}{chance.randrange(10, 999)}",
    "hash": lambda chance: f"{chance.randrange(16**8):08x}",
    "flag": lambda chance: chance.choice(("Y", "N", "", "Y")),
    "truth": lambda chance: chance.choice(("TRUE", "FALSE")),
    "share": lambda chance: f"{chance.randrange(0, 101)}%",
    "day": lambda chance: f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
    "amount": lambda chance: f"{chance.randrange(100, 90_000) / 100:.2f}",
    "remark": lambda chance: chance.choice(("likes tea", "see folder", "moved twice", "ask again", "", "left side")),
    "word": lambda chance: chance.choice(("alpha", "Delta", "Basic", "other", "n/a", "misc", "Standard", "Prime")),
    "person": lambda chance: f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}",
    "nothing": lambda chance: "",
}

Maker = Callable[[Case, random.Random], Case]


def _headers(case: Case, write: Callable[[LabelledColumn], str]) -> Case:
    return replace(case, columns=tuple(replace(column, header=write(column)) for column in case.columns))


def _words(header: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    return [word for word in re.split(r"[^0-9A-Za-z\u00c0-\u024f#]+", spaced) if word]


def _spelled(case: Case, chance: random.Random) -> Case:
    """One way of writing for the whole file."""
    style = chance.choice(("snake", "caps", "camel", "title", "tight"))

    def write(column: LabelledColumn) -> str:
        words = [word.lower() for word in _words(column.header)]
        if not words:
            return column.header
        if style == "camel":
            return words[0] + "".join(word.capitalize() for word in words[1:])
        if style == "tight":
            return "".join(word.capitalize() for word in words)
        joined = {"snake": "_", "caps": "_", "title": " "}[style].join(words)
        return joined.upper() if style == "caps" else joined.title() if style == "title" else joined

    return _headers(case, write)


def _abbreviated(case: Case, chance: random.Random) -> Case:
    """Long words lose their vowels or their ends."""

    def shorten(word: str) -> str:
        if len(word) < 5 or chance.random() < 0.3:
            return word
        if chance.random() < 0.5:
            return word[:4]
        return word[0] + re.sub(r"[aeiou]", "", word[1:])

    return _headers(case, lambda c: "_".join(shorten(word.lower()) for word in _words(c.header)) or c.header)


def _headless(case: Case, chance: random.Random) -> Case:
    return _headers(case, lambda _: "")


def _vague(case: Case, chance: random.Random) -> Case:
    """A third of the headers say nothing, or something else than they hold."""
    others = [column.header for column in case.columns]

    def write(column: LabelledColumn) -> str:
        dice = chance.random()
        if dice < 0.3:
            return f"{chance.choice(VAGUE)} {chance.randrange(1, 9)}" if dice < 0.15 else chance.choice(VAGUE)
        return chance.choice(others) if dice < 0.33 else column.header

    return _headers(case, write)


def _with_extras(case: Case, chance: random.Random) -> Case:
    """One to three columns more, which no field holds: every business keeps something of its own."""
    rows = len(case.columns[0].samples)
    has_headers = any(column.header for column in case.columns)
    columns = list(case.columns)
    for _ in range(chance.randrange(1, 4)):
        header = chance.choice(OWN_HEADERS) if has_headers else ""
        kind = chance.choice(tuple(OWN_VALUES))
        samples = tuple(OWN_VALUES[kind](chance) for _ in range(rows))
        columns.insert(chance.randrange(len(columns) + 1), LabelledColumn(header, (None,), samples))
    return replace(case, columns=tuple(columns))


def _with_units(case: Case, chance: random.Random) -> Case:
    unit = chance.choice(UNITS)

    def write(column: LabelledColumn) -> str:
        looks_like_money = any(re.fullmatch(r"[$]?\d[\d,]*\.\d\d", sample) for sample in column.samples)
        return f"{column.header} {unit}" if looks_like_money and column.header else column.header

    return _headers(case, write)


def _shuffled(case: Case, chance: random.Random) -> Case:
    columns = list(case.columns)
    chance.shuffle(columns)
    return replace(case, columns=tuple(columns))


def _fewer(case: Case, chance: random.Random) -> Case:
    """A file with fewer columns: reports are cut down to what their reader needs."""
    kept = [column for column in case.columns if chance.random() < 0.65]
    return replace(case, columns=tuple(kept)) if len(kept) >= 4 else case


def _plain(case: Case, chance: random.Random) -> Case:
    return case


OTHER_PARTIES = ("Vendor", "Supplier", "Payee", "Subcontractor", "Contractor")
OTHER_PARTY = "other_party"
"""The kind of variant in which the party is another one: it holds none of the entity types."""
PAPERS = frozenset({"estimates", "invoices"})
_PAPER_WORDS = ((re.compile(r"(?i:invoice)"), "Bill"), (re.compile(r"(?i:estimate|quote|proposal)"), "PO"))
_CUSTOMER = re.compile(r"(?i:customer|client|cust)(?=s?(?:[^a-z]|$))")


def has_other_party(case: Case) -> bool:
    """Whether another party can take the customer's place in the case's headers."""
    if case.entity == "customers":
        return any(_CUSTOMER.search(column.header) for column in case.columns[:3])
    is_paper = case.entity in PAPERS
    return is_paper and any(_CUSTOMER.search(c.header) for c in case.columns if "customer" in c.accepted)


def _of_other_party(case: Case, chance: random.Random) -> Case:
    """A list, a bill or an order of somebody who is no customer: nothing to import."""
    party = chance.choice(OTHER_PARTIES)

    def write(header: str) -> str:
        for word, other in ((_CUSTOMER, party), *(_PAPER_WORDS if case.entity in PAPERS else ())):
            header = word.sub(other, header)
        return header

    columns = tuple(LabelledColumn(write(column.header), (None,), column.samples) for column in case.columns)
    name = chance.choice((f"{party.lower()}s.csv", f"{party} list.xlsx", *FILE_NAMES[:3]))
    return replace(case.named(name), columns=columns, entity=NOTHING, entities_accepted=frozenset({NOTHING}))


KINDS: dict[str, tuple[Maker, ...]] = {
    "plain": (_plain,),
    "restyled": (restyled, _spelled),
    "abbreviated": (_abbreviated, _with_extras),
    "headless": (restyled, _headless),
    "vague": (restyled, _vague, _with_extras),
    "units": (_with_units, _fewer),
    "shuffled": (restyled, _shuffled, _with_extras),
    "fewer": (_fewer, _vague),
    OTHER_PARTY: (_of_other_party,),
}
NAME_KEPT = frozenset({"plain", "units", OTHER_PARTY})
"""Kinds of variants that keep the file's own name or bring one; the others are called anything."""


def variant(case: Case, kind: str) -> Case:
    """The variant of a case; the same each time."""
    chance = random.Random(f"{case.id}/{kind}")
    for make in KINDS[kind]:
        case = make(case, chance)
    return case if kind in NAME_KEPT else case.named(chance.choice(FILE_NAMES))


def scrambled_name(case: Case) -> Case:
    """The case under a file name that says nothing."""
    return case.named(random.Random(f"{case.id}/name").choice(FILE_NAMES))
