"""An invented field-service business: customers, jobs and invoices, the same for every run with the same seed.

All names are made up, e-mail addresses are under example.com, .org and .net, telephone numbers end in 555-01xx.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random


def separate(text: str, mark: str | None = None) -> list[str]:
    """The parts of a list written over several lines, with white space or with `mark` between them."""
    return [part.strip() for part in text.split(mark)]


FIRST_NAMES = separate(
    """
    Adaline Bertrand Camilla Desmond Estelle Fergus Gwendolyn Horatio Imogen Jasper Katarina Leopold Marguerite
    Nathaniel Octavia Percival Rosalind Sebastian Theodora Ulysses Veronica Winston Ximena Yolanda Zachary Beatrix
    Cornelius Delphine Everett Florence
    """
)
LAST_NAMES = separate(
    """
    Abernathy Blackwood Castellano Dombrowski Eisenhart Fairweather Galbraith Hollingsworth Ivanov Jankowski
    Kirkpatrick Lindqvist Montgomery Nakamura Oyelaran Pemberton Quintero Rasmussen Schumacher Thistlewood Underhill
    Villanueva Wainwright Xenakis Yamamoto Zimmerman Ashdown Bellweather Copperfield Drinkwater Elderberry
    Featherstone Greenhalgh Huckleberry Inglewood Jurgensen Kaczmarek Loxworth Merriweather Northcott
    """
)
COMPANIES = separate(
    """
    Bluebonnet Dental Group|Copper Kettle Bakery|Driftwood Apartments|Evergreen Storage LLC|Foxglove Montessori|
    Granite Peak Brewing|Harborlight Hotel|Ironwood Fitness|Juniper Veterinary Clinic|Kingfisher Books|
    Lantern Street Theater|Maplewood Senior Living|Nightingale Pharmacy|Orchard Hill Church|Peña & Sons LLC
    """,
    "|",
)
STREETS = separate(
    """
    Cedar Ave|Juniper Ln|Old Mill Rd|Sycamore St|Prairie Dr|Lakeview Blvd|Magnolia Ct|Foundry St|Heron Way|
    Quarry Rd|Walnut Pl|Bramble Ln
    """,
    "|",
)
PLACES = (
    ("Austin", "TX", "787", "512"),
    ("Denver", "CO", "802", "303"),
    ("Boston", "MA", "021", "617"),
    ("Columbus", "OH", "432", "614"),
    ("Phoenix", "AZ", "850", "602"),
    ("Portland", "OR", "972", "503"),
    ("Nashville", "TN", "372", "615"),
    ("Kansas City", "MO", "641", "816"),
)
WORK = separate(
    """
    Furnace inspection|Drain cleaning|Water heater swap|Thermostat install|Panel upgrade|AC tune-up|Leak repair|
    Gutter cleaning|Boiler service|Outlet repair|Duct sealing|Sump pump check
    """,
    "|",
)
TAGS = ("VIP", "Annual plan", "Gate code", "Do not text", "Landlord")
LEAD_SOURCES = ("Google", "Referral", "Yard sign", "Website", "Repeat customer")
PAY_METHODS = ("Check", "Credit card", "Cash", "Bank transfer")


@dataclass(frozen=True)
class Address:
    street: str
    street2: str
    city: str
    state: str
    postal_code: str


@dataclass(frozen=True)
class Customer:
    """`phone` and `mobile` are ten digits, "" where unknown; `name` is how the other files call the customer."""

    number: int
    first: str
    last: str
    company: str
    email: str
    phone: str
    mobile: str
    billing: Address
    sites: tuple[Address, ...]
    tags: tuple[str, ...]
    lead_source: str
    active: bool
    created: date
    balance: Decimal | None = None

    @property
    def name(self) -> str:
        return self.company or f"{self.first} {self.last}".strip()


@dataclass(frozen=True)
class Job:
    number: int
    customer: Customer
    site: Address
    title: str
    stage: str
    """`done`, `booked`, `open` (no date yet), `held` or `dropped`; each platform has its own words for them."""
    created: date
    start: datetime | None
    completed: date | None
    total: Decimal
    workers: tuple[str, ...]


@dataclass(frozen=True)
class Invoice:
    number: int
    job: Job
    state: str
    """`draft`, `sent`, `overdue`, `paid` or `void`; each platform has its own words for them."""
    issued: date
    due: date
    paid: date | None
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    balance: Decimal
    method: str


@dataclass
class Book:
    """`by_role` names the customers that play a part in the dirt, e.g. the two who share a name."""

    customers: list[Customer] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    by_role: dict[str, Customer] = field(default_factory=dict)


class _Inventor:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.phones_used: dict[str, int] = {}
        self.houses = 100

    def phone(self, area: str) -> str:
        used = self.phones_used.get(area, 0)
        if used >= 100:
            raise ValueError(f"only 100 telephone numbers end in 555-01xx in area {area}")
        self.phones_used[area] = used + 1
        return f"{area}55501{used:02d}"

    def address(self, place: tuple[str, str, str, str]) -> Address:
        city, state, prefix, _ = place
        self.houses += 3 + self.random.randrange(9)  # every house number occurs once: no two addresses are the same
        street = f"{self.houses} {self.random.choice(STREETS)}"
        unit = f"Apt {1 + self.random.randrange(40)}" if self.random.randrange(6) == 0 else ""
        return Address(street, unit, city, state, f"{prefix}{self.random.randrange(100):02d}")

    def customer(self, number: int, first: str, last: str, company: str) -> Customer:
        rng = self.random
        place = PLACES[rng.randrange(len(PLACES))]
        billing = self.address(place)
        sites = [billing]
        if number % 7 == 3:
            sites += [self.address(place) for _ in range(1 + rng.randrange(3))]
        user = ".".join(filter(None, (first, last))).lower() or company.split()[0].lower()
        domain = ("example.com", "example.org", "example.net")[rng.randrange(3)]
        has_email, has_phone = number % 9 != 4, number % 8 != 5
        return Customer(
            number=number,
            first=first,
            last=last,
            company=company,
            email=f"{_ascii(user)}{number % 100:02d}@{domain}" if has_email else "",
            phone=self.phone(place[3]) if has_phone or not has_email else "",
            mobile=self.phone(place[3]) if rng.randrange(3) == 0 else "",
            billing=billing,
            sites=tuple(sites),
            tags=tuple(tag for tag in TAGS if rng.randrange(6) == 0),
            lead_source=rng.choice(LEAD_SOURCES) if rng.randrange(4) else "",
            active=rng.randrange(12) != 0,
            created=date(2016, 1, 1) + timedelta(days=rng.randrange(2500)),
            balance=Decimal(rng.randrange(-5000, 150_000)) / 100 if rng.randrange(3) == 0 else None,
        )

    def job(self, number: int, customer: Customer, workers: tuple[str, ...]) -> Job:
        rng = self.random
        # Every job begins on its own day, so that no two have customer, title and start in common.
        created = date(2022, 1, 3) + timedelta(days=3 * (number % 500))
        stage = rng.choice(("done", "done", "done", "done", "booked", "booked", "open", "held", "dropped"))
        day = created + timedelta(days=2)
        start = datetime(day.year, day.month, day.day, 7 + rng.randrange(10), 30 * rng.randrange(2))
        total = Decimal(rng.randrange(4_500, 640_000)) / 100
        return Job(
            number=number,
            customer=customer,
            site=customer.sites[rng.randrange(len(customer.sites))],
            title=rng.choice(WORK),
            stage=stage,
            created=created,
            start=None if stage == "open" else start,
            completed=day + timedelta(days=rng.randrange(4)) if stage == "done" else None,
            total=total,
            workers=tuple(w for w in workers if rng.randrange(2)) or workers[:1],
        )

    def invoice(self, number: int, job: Job) -> Invoice:
        rng = self.random
        issued = (job.completed or job.created) + timedelta(days=1)
        due = issued + timedelta(days=(14, 30)[rng.randrange(2)])
        state = rng.choice(("paid", "paid", "paid", "paid", "sent", "overdue", "draft", "void"))
        tax = (job.total * Decimal("0.0825")).quantize(Decimal("0.01"))
        total = job.total + tax
        return Invoice(
            number=number,
            job=job,
            state=state,
            issued=issued,
            due=due,
            paid=issued + timedelta(days=rng.randrange(25)) if state == "paid" else None,
            subtotal=job.total,
            tax=tax,
            total=total,
            balance=Decimal("0.00") if state in ("paid", "void") else total,
            method=rng.choice(PAY_METHODS) if state == "paid" else "",
        )


def _ascii(text: str) -> str:
    plain = {"ü": "ue", "ö": "oe", "é": "e", "è": "e", "ñ": "n", "ç": "c", "ø": "oe", "å": "aa", "ë": "e"}
    return "".join(plain.get(c, c) for c in text if c.isalnum() or c in "._")


# Customers who play a part in the dirt: role -> first name, last name, company.
_CAST = {
    "namesake": ("Walter", "Bronkowski", ""),
    "other_namesake": ("Walter", "Bronkowski", ""),
    "last_name_only": ("", "Smith", ""),
    "umlaut": ("Jürgen", "Möllendorf", ""),
    "accents": ("Zoë", "Lefèvre", ""),
    "trade": ("", "", "Delacroix Plumbing"),
}


def _names(count: int) -> list[tuple[str, str, str]]:
    people = [
        # 7 and 40 walk both lists so that names are spread and no pair comes twice
        (FIRST_NAMES[(i * 7 + i // len(LAST_NAMES)) % len(FIRST_NAMES)], LAST_NAMES[i % len(LAST_NAMES)], "")
        for i in range(count - len(_CAST) - len(COMPANIES))
    ]
    if len(set(people)) != len(people):
        raise ValueError("two invented customers have the same name by accident")
    named = [*_CAST.values(), *people]
    for i, company in enumerate(COMPANIES):
        named.insert(8 + i * 6, ("", "", company))
    return named


def invent(seed: int, customers: int, jobs: int, invoices: int, workers: tuple[str, ...]) -> Book:
    """A business with that many customers, jobs and invoices; every customer has jobs, a job at most one invoice."""
    inventor = _Inventor(seed)
    book = Book()
    for i, (first, last, company) in enumerate(_names(customers)):
        book.customers.append(inventor.customer(4001 + i, first, last, company))
    book.by_role = dict(zip(_CAST, book.customers, strict=False))
    _tell_namesakes_apart(book)
    for i in range(jobs):
        book.jobs.append(inventor.job(1001 + i, book.customers[(i * 31) % customers], workers))
    for i in range(invoices):
        book.invoices.append(inventor.invoice(7001 + i, book.jobs[i]))
    return book


def _tell_namesakes_apart(book: Book) -> None:
    """Both have an e-mail address and a telephone number of their own, and live in different places."""
    for role, place, user in (("namesake", PLACES[0], "walter"), ("other_namesake", PLACES[1], "wbronkowski")):
        old = book.by_role[role]
        phone = f"{place[3]}55501{90 + len(user) % 10}"
        billing = Address(f"{old.number} Heron Way", "", place[0], place[1], f"{place[2]}44")
        new = replace(old, email=f"{user}@example.org", phone=phone, billing=billing, sites=(billing,))
        book.by_role[role] = book.customers[book.customers.index(old)] = new
