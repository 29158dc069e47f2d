"""Values written another way: other people, other companies, other styles of dates, phones, money and ids."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache

from benchmarks.mapping.cases import Case

GIVEN = (
    "Aiden", "Aria", "Beatrice", "Bodhi", "Caleb", "Camille", "Darnell", "Delphine", "Eamon", "Estelle", "Fergus",
    "Fiona", "Gemma", "Gideon", "Hugo", "Ingrid", "Isaac", "Ivy", "Jerome", "Juno", "Kian", "Lila", "Luca", "Maeve",
    "Marcus", "Naomi", "Nolan", "Odette", "Omar", "Pascal", "Quentin", "Rosalind", "Silas", "Tamika", "Trevor",
    "Ursula", "Vera", "Wendell", "Yusuf", "Zelda",
)  # fmt: skip
FAMILY = (
    "Abernathy", "Bergström", "Caldwell", "Dufresne", "Ellsworth", "Fitzgerald", "Gallagher", "Holloway", "Ibarra",
    "Jankowski", "Kowalczyk", "Lindqvist", "MacLeod", "Nakamura", "O'Rourke", "Pemberton", "Quispe", "Rutherford",
    "Szymanski", "Thibodeaux", "Underhill", "Vasquez", "Whitaker", "Yamaguchi", "Zielinski",
)  # fmt: skip
FIRMS = (
    "Harbor Point Dentistry", "Ironwood Logistics", "Kestrel Labs", "Lakeside Montessori", "Northgate Tire & Auto",
    "Old Mill Bistro", "Prairie Vet Care", "Quarry Ridge HOA", "Sable Capital LLC", "Tidewater Marine", "Umber Studios",
    "Vista Oaks Apartments", "Westfield Parish", "Yellow Door Daycare", "Zephyr Airpark Inc",
)  # fmt: skip
TOWNS = (
    "Ashland", "Beloit", "Carmel", "Dubuque", "Eugene", "Flagstaff", "Galena", "Helena", "Ithaca", "Joplin",
    "Kalispell", "Laramie", "Moab", "New Braunfels", "Ocala", "Paducah", "Quincy", "Red Bluff", "St. Joseph",
    "Twin Falls",
)  # fmt: skip
ROADS = ("Alder St", "Bluff Rd", "Canyon Drive", "Dogwood Ln", "Eastgate Blvd", "Foxglove Ct", "Granite Way",
         "Harvest Ave", "Inverness Pl", "Juniper Trail", "County Road 12", "Hwy 9 N", "W 34th Street")  # fmt: skip

_DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%b %d, %Y", "%m-%d-%y", "%Y/%m/%d", "%d-%b-%Y")
_READ_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%b %d, %Y", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S",
                 "%m/%d/%Y %I:%M %p", "%Y%m%d")  # fmt: skip
_MONEY = re.compile(r"[$]?(\d[\d,]*\.\d\d)$")
_PHONE = re.compile(r"\D*1?\D*(\d{3})\D*(\d{3})\D*(\d{4})$")
_WHOLE = re.compile(r"\d{3,9}$")

Write = Callable[[str], str]


def restyled(case: Case, chance: random.Random) -> Case:
    """The case with most of its values in other styles, the same style all down a column and for a kind of value."""
    dates, money, phones = _dates(chance), _money(chance), _phones(chance)
    people = [f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}" for _ in range(6)]
    columns = []
    for column in case.columns:
        field = next((answer for answer in column.accepted if answer), None)
        samples = list(column.samples)
        if (written := _named(field, case.entity, samples, people, chance)) is None:
            write = _styled(samples, dates, money, phones, chance)
            written = [write(sample) if sample else "" for sample in samples]
        columns.append(replace(column, samples=tuple(written)))
    return replace(case, columns=tuple(columns))


def _named(
    field: str | None, entity: str, samples: list[str], people: list[str], chance: random.Random
) -> list[str] | None:
    """Other names where the column holds names, towns or streets; None where it does not."""
    is_name = all(re.fullmatch(r"[^\W\d][\w'’.&\- ,]*", sample) for sample in samples if sample)
    pool: list[str] | None = None
    if field == "first_name":
        pool = [person.split()[0] for person in people]
    elif field == "last_name":
        pool = [person.split(" ", 1)[1] for person in people]
    elif field == "city":
        pool = chance.sample(TOWNS, 6)
    elif field == "street" and any(re.match(r"\d", sample) for sample in samples):
        pool = [f"{chance.randrange(3, 9999)} {chance.choice(ROADS)}" for _ in samples]
    elif field == "company" and is_name:
        pool = chance.sample(FIRMS, 6)
    elif field == "name" and entity in ("customers", "contacts", "employees", "leads") and is_name:
        pool = people if entity != "customers" or chance.random() < 0.6 else people[:3] + chance.sample(FIRMS, 3)
    elif field in ("customer", "technician", "salesperson", "owner", "sold_by", "contact_name") and is_name:
        is_firm = field == "customer" and chance.random() < 0.4
        pool = chance.sample(FIRMS, 6) if is_firm else chance.sample([*people, *people], 6)
        if chance.random() < 0.3 and not is_firm:
            pool = [", ".join(reversed(person.split(" ", 1))) for person in pool]
    if pool is None:
        return None
    return [pool[i % len(pool)] if sample else "" for i, sample in enumerate(samples)]


def _styled(samples: list[str], dates: Write, money: Write, phones: Write, chance: random.Random) -> Write:
    filled = [sample for sample in samples if sample]
    if filled and all(_parsed(sample) for sample in filled):
        return dates
    if filled and all(_MONEY.match(sample) for sample in filled):
        return money
    if filled and all(_PHONE.match(sample) for sample in filled):
        return phones
    if filled and all(_WHOLE.match(sample) for sample in filled) and len(set(filled)) == len(filled):
        return _ids(chance)
    return str


@lru_cache(maxsize=4096)
def _parsed(text: str) -> datetime | None:
    for form in _READ_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _dates(chance: random.Random) -> Write:
    form, with_time = chance.choice(_DATE_FORMATS), chance.random() < 0.4

    def write(text: str) -> str:
        moment = _parsed(text)
        if moment is None:
            return text
        has_time = ":" in text or with_time
        return moment.strftime(f"{form} %H:%M" if has_time else form)

    return write


def _money(chance: random.Random) -> Write:
    style = chance.choice(("${:,.2f}", "{:.2f}", "{:,.2f}", "{:.0f}", "USD {:.2f}", "{:.4f}", "$ {:,.2f}"))
    return lambda text: style.format(float(text.strip("$").replace(",", "")))


def _phones(chance: random.Random) -> Write:
    style = chance.choice(("({}) {}-{}", "{}.{}.{}", "{}{}{}", "+1{}{}{}", "{}-{}-{}", "1-{}-{}-{}", "+1 {} {} {}"))

    def write(text: str) -> str:
        match = _PHONE.match(text)
        return style.format(*match.groups()) if match else text

    return write


def _ids(chance: random.Random) -> Write:
    style = chance.choice(("{}", "A-{}", "{:0>8}", "X{}", "00{}", "{}-01", "K{}Z"))
    return style.format
