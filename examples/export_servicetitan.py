"""ServiceTitan reports saved as CSV: customers, jobs and invoices that know each other by id."""

from __future__ import annotations

from decimal import Decimal

from examples import spellings as say
from examples.book import Book, Customer, Invoice, Job, invent, separate
from examples.sheet import Expected, Sheet

CUSTOMER_HEADERS = separate(
    """
    Customer ID|Customer Name|Customer Type|Phone|Email|Street|Unit|City|State|Zip|Country|Balance|Active|Tags|
    Created On
    """,
    "|",
)
JOB_HEADERS = separate(
    """
    Job ID|Job #|Customer ID|Customer Name|Job Type|Business Unit|Status|Scheduled Start|Completed On|Summary|
    Priority|Total|Created On
    """,
    "|",
)
INVOICE_HEADERS = separate(
    """
    Invoice ID|Invoice #|Job ID|Customer ID|Invoice Date|Due Date|Subtotal|Sales Tax|Total|Balance
    """,
    "|",
)

JOB_STATUS = {
    "done": (("Completed",), "completed"),
    "booked": (("Scheduled",), "scheduled"),
    "open": (("Scheduled",), "scheduled"),
    "held": (("Hold", "On Hold"), "on_hold"),
    "dropped": (("Canceled",), "canceled"),
}
UNITS = ("HVAC Service", "Plumbing Install", "Electrical")
PRIORITIES = (("Normal", "normal"), ("High", "high"), ("Low", "low"), ("Urgent", "urgent"))


def sheets() -> list[Sheet]:
    """The three files with everything that is wrong in them."""
    export = _Export()
    export.write_customers()
    export.write_jobs()
    export.write_invoices()
    return [export.customers, export.jobs, export.invoices]


def job_id(job: Job) -> str:
    return str(52_000_000 + job.number * 17)


def customer_id(customer: Customer) -> str:
    return str(31_000_000 + customer.number * 13)


class _Export:
    def __init__(self) -> None:
        self.book: Book = invent(990_211, customers=90, jobs=240, invoices=200, workers=())
        self.customers = Sheet("customers.csv", CUSTOMER_HEADERS, encoding="cp1252", line_end="\r\n")
        self.jobs = Sheet("jobs.csv", JOB_HEADERS)
        self.invoices = Sheet("invoices.csv", INVOICE_HEADERS, titles=("Invoices Report 01/01/2022 - 12/31/2026",))
        self.customer_records: dict[int, Expected] = {}
        self.job_records: dict[int, Expected] = {}

    # ---- customers ----------------------------------------------------------------------------------------------

    def write_customers(self) -> None:
        for i, customer in enumerate(self.book.customers):
            cells, record = self._customer_row(i, customer)
            self.customer_records[customer.number] = record
            self.customers.add(cells, record)
        self._spoil_customers()

    def _customer_row(self, i: int, customer: Customer) -> tuple[dict[str, str], Expected]:
        home = customer.billing
        extension = str(30 + i) if i % 15 == 8 and customer.phone else ""
        kind = "Commercial" if customer.company else "Residential"
        cells = {
            "Customer ID": customer_id(customer),
            "Customer Name": customer.name,
            "Customer Type": kind,
            "Phone": say.phone(customer.phone, i, extension),
            "Email": customer.email,
            "Street": home.street,
            "Unit": home.street2,
            "City": home.city,
            "State": home.state,
            "Zip": home.postal_code,
            "Country": "USA",
            "Balance": "" if customer.balance is None else say.money(customer.balance, i),
            "Active": "True" if customer.active else "False",
            "Tags": ", ".join(customer.tags),
            "Created On": say.slash_date(customer.created),
        }
        record = Expected(
            "customers",
            {
                "source_id": cells["Customer ID"],
                "name": customer.name,
                "customer_type": kind.lower(),
                "email": customer.email or None,
                "phone": say.e164(customer.phone),
                "phone.extension": extension or None,
                "street": home.street,
                "street2": home.street2 or None,
                "city": home.city,
                "state": home.state,
                "postal_code": home.postal_code,
                "country": "USA",
                "balance": say.amount(customer.balance),
                "active": customer.active,
                "tags": list(customer.tags) or None,
                "created_at": say.iso_moment(customer.created),
            },
            money={} if customer.balance is None else {"balance": customer.balance},
        )
        return cells, record

    def _spoil_customers(self) -> None:
        rows = self.customers.rows
        columns = {header: at for at, header in enumerate(CUSTOMER_HEADERS)}
        with_email = [row for row in rows[12:] if row.records[0].values["email"]]
        without_balance = next(row for row in rows[50:] if not row.cells[columns["Balance"]])

        with_email[3].cells[columns["Phone"]] = "no phone on file"
        with_email[3].records[0].warn("phone", "unreadable_phone").values |= {"phone": None, "phone.extension": None}
        with_email[9].cells[columns["Created On"]] = "2/30/2018"
        with_email[9].records[0].warn("created_at", "unreadable_date").values["created_at"] = None
        with_email[14].cells[columns["Balance"]] = "n.n."
        with_email[14].records[0].warn("balance", "unreadable_amount").values["balance"] = None
        with_email[14].records[0].money = {}
        without_balance.cells[columns["Balance"]] = "-"

        silent = rows[44]
        silent.cells[columns["Phone"]] = silent.cells[columns["Email"]] = ""
        silent.records[0].warn(None, "missing_expected").values |= dict.fromkeys(("phone", "phone.extension", "email"))

        self.customers.insert_copy(70, 21, "duplicate")
        self.customers.insert_copy(80, 33, "conflict")[columns["City"]] = "Springfield"
        nameless = ["31999999", "", "Residential", "(615) 555-0190", *[""] * (len(CUSTOMER_HEADERS) - 4)]
        self.customers.insert(60, nameless, Expected("customers").fail("missing_required"))

    # ---- jobs ---------------------------------------------------------------------------------------------------

    def write_jobs(self) -> None:
        for i, job in enumerate(self.book.jobs):
            cells, record = self._job_row(i, job)
            self.job_records[job.number] = record
            self.jobs.add(cells, record)
        self._spoil_jobs()

    def _job_row(self, i: int, job: Job) -> tuple[dict[str, str], Expected]:
        words, stage = JOB_STATUS[job.stage]
        word, priority = PRIORITIES[i % len(PRIORITIES)]
        number = f"J{job.number}" if i % 9 == 0 else str(job.number)
        summary = f'{job.title}, {job.site.city}\nCustomer said: "no rush"' if i % 5 == 0 else job.title
        name = job.customer.name
        if i % 16 == 9 and say.can_have_typo(name):
            name = say.typo(name, i)  # harmless: the id decides
        cells = {
            "Job ID": job_id(job),
            "Job #": number,
            "Customer ID": customer_id(job.customer),
            "Customer Name": name,
            "Job Type": job.title,
            "Business Unit": UNITS[i % 3],
            "Status": words[i % len(words)],
            "Scheduled Start": say.slash_time(job.start),
            "Completed On": say.slash_date(job.completed),
            "Summary": summary,
            "Priority": word,
            "Total": say.money(job.total, i),
            "Created On": say.slash_date(job.created),
        }
        record = Expected(
            "jobs",
            {
                "source_id": cells["Job ID"],
                "number": number,
                "job_type": job.title,
                "business_unit": UNITS[i % 3],
                "status": stage,
                "scheduled_start": say.iso_moment(job.start),
                "completed_at": say.iso_moment(job.completed),
                "description|title": summary,
                "priority": priority,
                "total": say.amount(job.total),
                "created_at": say.iso_moment(job.created),
            },
            {"customer": self.customer_records[job.customer.number]},
            money={"total": job.total},
        )
        return cells, record

    def _spoil_jobs(self) -> None:
        rows = self.jobs.rows
        columns = {header: at for at, header in enumerate(JOB_HEADERS)}

        for at in (215, 228):  # customers that the customers report does not hold
            rows[at].cells[columns["Customer ID"]] = str(39_000_000 + at)
            rows[at].cells[columns["Customer Name"]] = "Tobias Vandermeer"
            rows[at].records[0].refs["customer"] = None
        rows[57].cells[columns["Created On"]] = "0/45/2023"
        rows[57].records[0].warn("created_at", "unreadable_date").values["created_at"] = None
        rows[112].cells[columns["Total"]] = "-"
        rows[112].records[0].values["total"] = None
        rows[112].records[0].money = {}

        shifted = [*rows[35].cells, "see notes"]  # a cell more than there are columns
        shifted[columns["Job ID"]], shifted[columns["Job #"]], shifted[columns["Total"]] = "52999001", "J9001", ""
        empty = ["" if header in ("Job #", "Summary") else rows[30].cells[at] for header, at in columns.items()]
        empty[columns["Job ID"]], empty[columns["Total"]] = "52999002", "$90.00"
        self.jobs.insert_copy(160, 40, "duplicate")
        self.jobs.insert_copy(180, 64, "conflict")[columns["Business Unit"]] = "Warranty"
        self.jobs.insert(90, shifted, Expected("jobs").fail("extra_cells"))
        self.jobs.insert(130, empty, Expected("jobs", money={"total": Decimal("90.00")}).fail("missing_required"))
        # One export per year, put behind each other: the header row comes again.
        self.jobs.leave_out(125, list(JOB_HEADERS), "repeated_header")
        self.jobs.blank_line(125)

    # ---- invoices -----------------------------------------------------------------------------------------------

    def write_invoices(self) -> None:
        for i, invoice in enumerate(self.book.invoices):
            self.invoices.add(*self._invoice_row(i, invoice))
        self._spoil_invoices()

    def _invoice_row(self, i: int, invoice: Invoice) -> tuple[dict[str, str], Expected]:
        cells = {
            "Invoice ID": str(64_000_000 + invoice.number * 7),
            "Invoice #": str(invoice.number),
            "Job ID": job_id(invoice.job),
            "Customer ID": customer_id(invoice.job.customer),
            "Invoice Date": say.slash_date(invoice.issued),
            "Due Date": say.slash_date(invoice.due),
            "Subtotal": say.money(invoice.subtotal, i),
            "Sales Tax": say.money(invoice.tax, i),
            "Total": say.money(invoice.total, i),
            "Balance": say.money(invoice.balance, i),
        }
        amounts = {
            "subtotal": invoice.subtotal,
            "tax": invoice.tax,
            "total": invoice.total,
            "balance": invoice.balance,
        }
        record = Expected(
            "invoices",
            {
                "source_id": cells["Invoice ID"],
                "number": str(invoice.number),
                "issued_on": say.iso_day(invoice.issued),
                "due_on": say.iso_day(invoice.due),
                **{name: say.amount(value) for name, value in amounts.items()},
            },
            {
                "customer": self.customer_records[invoice.job.customer.number],
                "job": self.job_records[invoice.job.number],
            },
            money=amounts,
        )
        return cells, record

    def _spoil_invoices(self) -> None:
        rows = self.invoices.rows
        columns = {header: at for at, header in enumerate(INVOICE_HEADERS)}

        rows[27].cells[columns["Due Date"]] = "net 30"
        rows[27].records[0].warn("due_on", "unreadable_date").values["due_on"] = None
        rows[58].cells[columns["Job ID"]] = "52888888"
        rows[58].records[0].refs["job"] = None
        rows[86].cells[columns["Total"]] = "#REF!"
        del rows[86].records[0].fail("unreadable_amount").money["total"]
        rows[101].cells[columns["Invoice #"]] = ""
        rows[101].records[0].fail("missing_required")

        self.invoices.insert_copy(150, 12, "duplicate")
        self.invoices.insert_copy(170, 24, "conflict")[columns["Due Date"]] = "1/1/2027"
        footer = ["Total", *[""] * (len(INVOICE_HEADERS) - 1)]
        for header, name in (("Subtotal", "subtotal"), ("Sales Tax", "tax"), ("Total", "total")):
            values = (row.records[0].money.get(name, Decimal(0)) for row in rows)
            footer[columns[header]] = say.money(sum(values, Decimal(0)))
        self.invoices.leave_out(len(rows), footer, "total")
