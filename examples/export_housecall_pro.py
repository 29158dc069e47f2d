"""Housecall Pro's list exports: customers with numbered groups of address columns, jobs, invoices; no shared ids."""

from __future__ import annotations

from decimal import Decimal

from examples import spellings as say
from examples.book import Address, Book, Customer, Invoice, Job, invent, separate
from examples.sheet import Expected, Row, Sheet

ADDRESS_GROUPS = 4
ADDRESS_PARTS = ("Street Line 1", "Street Line 2", "City", "State", "Postal Code")
CUSTOMER_HEADERS = [
    *("Customer name", "First Name", "Last Name", "Company", "Email", "Mobile Number", "Home Number", "Customer Tags"),
    *("Lead Source", "Notes", "Created at"),
    *(f"Address_{n} {part}" for n in range(1, ADDRESS_GROUPS + 1) for part in ADDRESS_PARTS),
]
JOB_HEADERS = separate(
    """
    Job #|Customer name|Customer email|Customer phone|Job description|Job status|Job created date|
    Job scheduled start date|Job amount|Due amount|Assigned employees|Notes
    """,
    "|",
)
INVOICE_HEADERS = separate(
    """
    Invoice #|Customer name|Invoice amount|Invoice status|Job #|Email|Phone|Created date|Due date|Amount due|
    Payment date|Payment notes
    """,
    "|",
)

JOB_STATUS = {
    "done": (("Complete rated", "Complete unrated", "Completed"), "completed"),
    "booked": (("Scheduled",), "scheduled"),
    "open": (("Needs scheduling",), "unscheduled"),
    "held": (("In progress",), "in_progress"),
    "dropped": (("User canceled", "Pro canceled"), "canceled"),
}
INVOICE_STATUS = {
    "draft": ("Open", "sent"),
    "sent": ("Open", "sent"),
    "overdue": ("Pending payment", "sent"),
    "paid": ("Paid", "paid"),
    "void": ("Voided", "void"),
}
WORKERS = ("Priya Raman", "Otis Grady", "Lena Fischbach")


def sheets() -> list[Sheet]:
    """The three files with everything that is wrong in them."""
    export = _Export()
    export.write_customers()
    export.write_jobs()
    export.write_invoices()
    return [export.customers, export.jobs, export.invoices]


def armoured(number: object) -> str:
    """How the platform keeps spreadsheets from turning a number into something else."""
    return f'="{number}"'


class _Export:
    def __init__(self) -> None:
        self.book: Book = invent(7051, customers=100, jobs=220, invoices=185, workers=WORKERS)
        self.customers = Sheet("customers.csv", CUSTOMER_HEADERS)
        self.jobs = Sheet("jobs.csv", JOB_HEADERS, line_end="\r\n")
        self.invoices = Sheet("invoices.csv", INVOICE_HEADERS)
        self.customer_records: dict[int, Expected] = {}
        self.job_records: dict[int, Expected] = {}
        self.contacts: dict[int, tuple[str, str]] = {}
        """E-mail and telephone number of the customers whose contact cells are spoiled: other files know no better."""

    # ---- customers ----------------------------------------------------------------------------------------------

    def write_customers(self) -> None:
        for i, customer in enumerate(self.book.customers):
            cells, record = self._customer_row(i, customer)
            self.customer_records[customer.number] = record
            self.customers.add(cells, record, *self._places(cells, customer, record))
        self._spoil_customers()

    def _customer_row(self, i: int, customer: Customer) -> tuple[dict[str, str], Expected]:
        extension = str(200 + i) if i % 12 == 5 and customer.phone else ""
        cells = {
            "Customer name": customer.name,
            "First Name": customer.first,
            "Last Name": customer.last,
            "Company": customer.company,
            "Email": customer.email,
            "Mobile Number": say.phone(customer.mobile, 3),
            "Home Number": say.phone(customer.phone, i if extension else 3, extension),
            "Customer Tags": ", ".join(customer.tags),
            "Lead Source": customer.lead_source,
            "Notes": ("", 'Says "call first"', "Dog in yard,\nring twice", "")[i % 4],
            "Created at": say.slash_date(customer.created, padded=True),
        }
        record = Expected(
            "customers",
            {
                "name": customer.name,
                "first_name": customer.first or None,
                "last_name": customer.last or None,
                "company": customer.company or None,
                "email": customer.email or None,
                "phone": say.e164(customer.phone),
                "phone.extension": extension or None,
                "mobile_phone": say.e164(customer.mobile),
                "tags": list(customer.tags) or None,
                "lead_source": customer.lead_source or None,
                "notes": cells["Notes"] or None,
                "created_at": say.iso_moment(customer.created),
            },
        )
        return cells, record

    def _places(self, cells: dict[str, str], customer: Customer, owner: Expected) -> list[Expected]:
        """Fills one group of columns per address and returns the properties that come of it."""
        places = []
        for slot, site in enumerate(customer.sites[:ADDRESS_GROUPS]):
            cells |= _address_cells(slot + 1, site)
            places.append(_place(slot, site, owner))
        return places

    def _spoil_customers(self) -> None:
        rows = self.customers.rows
        columns = {header: at for at, header in enumerate(CUSTOMER_HEADERS)}
        cast = {customer.number for customer in self.book.by_role.values()}
        lone = [
            (row, customer)
            for row, customer in zip(rows, self.book.customers, strict=True)
            if customer.number not in cast and len(customer.sites) == 1 and customer.email and customer.phone
        ]

        row, customer = lone[10]
        row.cells[columns["Home Number"]] = "555-01"
        row.records[0].warn("phone", "unreadable_phone").values |= {"phone": None, "phone.extension": None}
        self.contacts[customer.number] = (customer.email, "")

        row, _ = lone[22]
        row.cells[columns["Created at"]] = "13/32/2020"
        row.records[0].warn("created_at", "unreadable_date").values["created_at"] = None

        row, customer = lone[31]
        for header in ("Email", "Mobile Number", "Home Number"):
            row.cells[columns[header]] = ""
        row.records[0].warn(None, "missing_expected").values |= dict.fromkeys(
            ("email", "phone", "phone.extension", "mobile_phone")
        )
        self.contacts[customer.number] = ("", "")

        # Billing and service address are the same text in two groups: one property, not two.
        row, customer = lone[40]
        for header, cell in _address_cells(2, customer.sites[0]).items():
            row.cells[columns[header]] = cell
        row.records.append(Expected("properties", slot=1).skip("duplicate", row.records[1]))

        self._copy_customer(55, lone[15][0])
        cells = self._copy_customer(90, lone[26][0], "conflict")
        cells[columns["Home Number"]] = "3035550171"  # the same e-mail address with another telephone number

        nameless = [""] * len(CUSTOMER_HEADERS)
        nameless[columns["Email"]] = "front.desk@example.net"
        self.customers.insert(64, nameless, Expected("customers").fail("missing_required"))

    def _copy_customer(self, at: int, row: Row, code: str = "duplicate") -> list[str]:
        customer, *places = row.records
        copies = [Expected("properties", slot=place.slot).skip("duplicate", place) for place in places]
        return self.customers.insert(at, list(row.cells), Expected("customers").skip(code, customer), *copies).cells

    # ---- jobs ---------------------------------------------------------------------------------------------------

    def write_jobs(self) -> None:
        for i, job in enumerate(self.book.jobs):
            cells, record = self._job_row(i, job)
            self.job_records[job.number] = record
            self.jobs.add(cells, record)
        self._spoil_jobs()

    def _job_row(self, i: int, job: Job) -> tuple[dict[str, str], Expected]:
        words, stage = JOB_STATUS[job.stage]
        notes = ("", "", "Parts ordered;\nback on Friday", "")[i % 4]
        name, email, phone = self._called(i, job.customer)
        cells = {
            "Job #": armoured(job.number),
            "Customer name": name,
            "Customer email": email,
            "Customer phone": phone,
            "Job description": job.title,
            "Job status": words[i % len(words)],
            "Job created date": say.slash_date(job.created, padded=True),
            "Job scheduled start date": say.slash_date(job.start, padded=True),
            "Job amount": say.money(job.total),
            "Due amount": say.money(Decimal(0)),
            "Assigned employees": ", ".join(job.workers),
            "Notes": notes,
        }
        record = Expected(
            "jobs",
            {
                "number": str(job.number),
                "description|title": job.title,
                "status": stage,
                "created_at": say.iso_moment(job.created),
                "scheduled_start": say.iso_moment(job.start.date() if job.start else None),
                "total": say.amount(job.total),
                "notes": notes or None,
            },
            # No file of the export holds employees: they stay open until one arrives.
            {"customer": self.customer_records[job.customer.number], "technician": [None] * len(job.workers)},
            money={"total": job.total},
        )
        return cells, record

    def _called(self, i: int, customer: Customer) -> tuple[str, str, str]:
        """Name, e-mail address and telephone number by which a job or invoice knows its customer."""
        email, digits = self.contacts.get(customer.number, (customer.email, customer.phone))
        name, phone = customer.name, say.phone(digits, i)
        if i % 17 == 6 and say.can_have_typo(name) and (email or phone):
            name = say.typo(name, i)
        elif i % 21 == 4 and customer.first and customer.last:
            name = f"{customer.last}, {customer.first}"
        if customer is self.book.by_role["last_name_only"]:
            return "Smith HVAC Repair", "", ""
        return name, "" if i % 8 == 2 and phone else email, phone

    def _spoil_jobs(self) -> None:
        rows = self.jobs.rows
        columns = {header: at for at, header in enumerate(JOB_HEADERS)}
        namesake = self.book.by_role["other_namesake"]
        undecided = next(row for row, job in zip(rows, self.book.jobs, strict=True) if job.customer is namesake)
        undecided.cells[columns["Customer name"]] = namesake.name
        undecided.cells[columns["Customer email"]] = undecided.cells[columns["Customer phone"]] = ""
        undecided.records[0].refs["customer"] = None

        for at, name in ((190, "Tobias Vandermeer"), (204, "Hummingbird Cafe")):
            rows[at].cells[columns["Customer name"]] = name
            rows[at].cells[columns["Customer email"]] = ""
            rows[at].cells[columns["Customer phone"]] = "(720) 555-0110"
            rows[at].records[0].refs["customer"] = None

        rows[52].cells[columns["Job scheduled start date"]] = "TBA"
        rows[52].records[0].warn("scheduled_start", "unreadable_date").values["scheduled_start"] = None
        rows[83].cells[columns["Job amount"]] = "time and material"
        rows[83].records[0].warn("total", "unreadable_amount").values["total"] = None
        rows[83].records[0].money = {}

        self.jobs.insert_copy(150, 47, "duplicate")
        self.jobs.insert_copy(170, 61, "conflict")[columns["Job description"]] = "Second visit"
        empty = ["" if header in ("Job #", "Job description") else rows[20].cells[at] for header, at in columns.items()]
        money = {"total": rows[20].records[0].money["total"]}
        self.jobs.insert(99, empty, Expected("jobs", money=money).fail("missing_required"))

    # ---- invoices -----------------------------------------------------------------------------------------------

    def write_invoices(self) -> None:
        for i, invoice in enumerate(self.book.invoices):
            self.invoices.add(*self._invoice_row(i, invoice))
        self._spoil_invoices()

    def _invoice_row(self, i: int, invoice: Invoice) -> tuple[dict[str, str], Expected]:
        status, state = INVOICE_STATUS[invoice.state]
        number = f"{invoice.job.number}-1" if i % 6 == 0 else str(invoice.job.number)
        name, email, phone = self._called(i + 5, invoice.job.customer)
        cells = {
            "Invoice #": armoured(number),
            "Customer name": name,
            "Invoice amount": say.money(invoice.total),
            "Invoice status": status,
            "Job #": armoured(invoice.job.number),
            "Email": email,
            "Phone": phone,
            "Created date": say.slash_date(invoice.issued, padded=True),
            "Due date": say.slash_date(invoice.due, padded=True),
            "Amount due": say.money(invoice.balance),
            "Payment date": say.slash_date(invoice.paid, padded=True),
            "Payment notes": invoice.method,
        }
        record = Expected(
            "invoices",
            {
                "number": number,
                "status": state,
                "due_on": say.iso_day(invoice.due),
                "paid_on": say.iso_day(invoice.paid),
                "total": say.amount(invoice.total),
                "balance": say.amount(invoice.balance),
            },
            {
                "customer": self.customer_records[invoice.job.customer.number],
                "job": self.job_records[invoice.job.number],
            },
            money={"total": invoice.total, "balance": invoice.balance},
        )
        return cells, record

    def _spoil_invoices(self) -> None:
        rows = self.invoices.rows
        columns = {header: at for at, header in enumerate(INVOICE_HEADERS)}

        credit = Decimal("-85.50")
        for header in ("Invoice amount", "Amount due"):
            rows[17].cells[columns[header]] = say.money(credit)
        rows[17].records[0].values |= {"total": "-85.50", "balance": "-85.50"}
        rows[17].records[0].money = {"total": credit, "balance": credit}

        rows[36].cells[columns["Amount due"]] = "-"
        rows[36].records[0].values["balance"] = None
        del rows[36].records[0].money["balance"]
        rows[45].cells[columns["Payment date"]] = "last week"
        rows[45].records[0].warn("paid_on", "unreadable_date").values["paid_on"] = None
        del rows[70].cells[columns["Payment date"] :]  # a short row: its last cells are empty
        rows[70].records[0].values["paid_on"] = None

        rows[72].cells[columns["Invoice amount"]] = "twelve hundred"
        record = rows[72].records[0].fail("unreadable_amount")
        record.money = {"balance": record.money["balance"]}
        rows[118].cells[columns["Invoice #"]] = ""
        rows[118].records[0].fail("missing_required")

        self.invoices.insert_copy(130, 25, "duplicate")
        self.invoices.insert_copy(160, 33, "conflict")[columns["Payment notes"]] = "Cash, partly"


def _address_cells(group: int, site: Address) -> dict[str, str]:
    values = (site.street, site.street2, site.city, site.state, site.postal_code)
    return {f"Address_{group} {part}": value for part, value in zip(ADDRESS_PARTS, values, strict=True)}


def _place(slot: int, site: Address, owner: Expected) -> Expected:
    values = {
        "street": site.street,
        "street2": site.street2 or None,
        "city": site.city,
        "state": site.state,
        "postal_code": site.postal_code,
    }
    return Expected("properties", values, {"customer": owner}, slot=slot)
