"""The Jobber trio: clients in the wide form (a row per client and property), Jobs Report, Invoices Report."""

from __future__ import annotations

from copy import copy
from decimal import Decimal

from examples import spellings as say
from examples.book import Book, Customer, Job, invent, separate
from examples.sheet import Expected, Row, Sheet

CLIENT_HEADERS = separate(
    """
    J-ID|Created Date|Is Company?|Display Name|Company Name|Title|First Name|Last Name|Main Phone #s|E-mails|Tags|
    Billing Street 1|Billing Street 2|Billing City|Billing State|Billing Country|Billing Zip code|CFT[Filter size ]|
    Work Phone #s|Mobile Phone #s|Home Phone #s|Fax Phone #s|Other Phone #s|Service Property Name|Service Street 1|
    Service Street 2|Service City|Service State|Service Country|Service Zip code|Text Message Enabled Phone #|
    Receives automatic visit reminders?|Receives automatic job follow-ups?|Receives automatic quote follow-ups?|
    Receives automatic invoice follow-ups?|Archived|Lead Source|PFT[Panel location]
    """,
    "|",
)
JOB_HEADERS = separate(
    """
    Job #|Client name|Client email|Client phone|Property|Title|Job status|Job type|Created date|Start date|
    Completed date|Total ($)|Quote #
    """,
    "|",
)
INVOICE_HEADERS = separate(
    """
    Invoice #|Client name|Client email|Subject|Status|Issued date|Due date|Paid date|Total ($)|Balance ($)|Job #
    """,
    "|",
)

JOB_STATUS = {
    "done": ("Requires invoicing", "completed"),
    "booked": ("Upcoming", "scheduled"),
    "open": ("Unscheduled", "unscheduled"),
    "held": ("On hold", "on_hold"),
    "dropped": ("Late", "scheduled"),
}
INVOICE_STATUS = {
    "draft": ("Draft", "draft"),
    "sent": ("Awaiting payment", "sent"),
    "overdue": ("Past due", "overdue"),
    "paid": ("Paid", "paid"),
    "void": ("Bad debt", "void"),
}


def sheets() -> list[Sheet]:
    """The three files with everything that is wrong in them."""
    export = _Export()
    export.write_clients()
    export.write_jobs()
    export.write_invoices()
    return [export.clients, export.jobs, export.invoices]


class _Export:
    def __init__(self) -> None:
        self.book: Book = invent(20260115, customers=120, jobs=296, invoices=255, workers=())
        self.clients = Sheet("clients.csv", CLIENT_HEADERS, encoding="utf-8-sig")
        self.jobs = Sheet("jobs.csv", JOB_HEADERS)
        self.invoices = Sheet("invoices.csv", INVOICE_HEADERS, line_end="\r\n")
        self.client_records: dict[int, Expected] = {}
        self.property_records: dict[str, Expected] = {}
        self.job_records: dict[int, Expected] = {}
        self.contacts: dict[int, tuple[str, str]] = {}
        """E-mail and telephone number of the clients whose contact cells are spoiled: other files know no better."""

    # ---- clients ------------------------------------------------------------------------------------------------

    def write_clients(self) -> None:
        property_id = 88001
        for i, customer in enumerate(self.book.customers):
            for site in range(len(customer.sites)):
                cells, client, place = self._client_row(i, customer, site, property_id)
                property_id += 1
                if site == 0:
                    self.client_records[customer.number] = client
                else:  # the same client once more, for his next property
                    client.skip("duplicate", self.client_records[customer.number])
                self.clients.add(cells, client, place)
        self._spoil_clients()

    def _client_row(
        self, i: int, customer: Customer, site: int, property_id: int
    ) -> tuple[dict[str, str], Expected, Expected]:
        billing, service = customer.billing, customer.sites[site]
        extension = str(10 + i) if i % 11 == 6 and customer.phone else ""
        phones = say.phone(customer.phone, i, extension)
        if i % 17 == 3 and customer.phone and customer.mobile:
            phones += f"; {say.phone(customer.mobile, i + 1)}"  # several telephone numbers in one cell
        emails = customer.email
        if i % 13 == 8 and emails:
            emails += f", office{customer.number}@example.org"
        country = "United States"
        cells = {
            "J-ID": f"{customer.number}_{property_id}",
            "Created Date": say.long_date(customer.created),
            "Is Company?": "true" if customer.company else "false",
            "Display Name": customer.name,
            "Company Name": customer.company,
            "First Name": customer.first,
            "Last Name": customer.last,
            "Main Phone #s": phones,
            "E-mails": emails,
            "Tags": ", ".join(customer.tags),
            "Billing Street 1": billing.street,
            "Billing Street 2": billing.street2,
            "Billing City": billing.city,
            "Billing State": billing.state,
            "Billing Country": country,
            "Billing Zip code": billing.postal_code,
            "CFT[Filter size ]": ("16x20x1", "", "20x25x4\nspare in garage")[i % 3],
            "Mobile Phone #s": say.phone(customer.mobile, i + 3),
            "Service Street 1": service.street,
            "Service Street 2": service.street2,
            "Service City": service.city,
            "Service State": service.state,
            "Service Country": country,
            "Service Zip code": service.postal_code,
            "Receives automatic visit reminders?": "true",
            "Receives automatic job follow-ups?": "false",
            "Receives automatic quote follow-ups?": "true",
            "Receives automatic invoice follow-ups?": "true",
            "Archived": "false" if customer.active else "true",
            "Lead Source": customer.lead_source,
            "PFT[Panel location]": ("", "basement", "")[i % 3],
        }
        client = Expected(
            "customers",
            {
                "source_id": str(customer.number),
                "name": customer.name,
                "first_name": customer.first or None,
                "last_name": customer.last or None,
                "company": customer.company or None,
                "email": customer.email or None,
                "phone": say.e164(customer.phone),
                "phone.extension": extension or None,
                "mobile_phone": say.e164(customer.mobile),
                "street": billing.street,
                "street2": billing.street2 or None,
                "city": billing.city,
                "state": billing.state,
                "postal_code": billing.postal_code,
                "country": country,
                "tags": list(customer.tags) or None,
                "lead_source": customer.lead_source or None,
                "active": customer.active,
                "created_at": say.iso_moment(customer.created),
            },
        )
        place = Expected(
            "properties",
            {
                "source_id": cells["J-ID"],
                "street": service.street,
                "street2": service.street2 or None,
                "city": service.city,
                "state": service.state,
                "postal_code": service.postal_code,
                "country": country,
            },
            {"customer": self.client_records.get(customer.number, client)},
        )
        self.property_records[service.street] = place
        return cells, client, place

    def _spoil_clients(self) -> None:
        rows = self.clients.rows
        columns = {header: at for at, header in enumerate(CLIENT_HEADERS)}
        lone = [row for row in rows if self._is_only_row(row.records[0])]

        unreadable_phone, unreadable_date, silent, unreadable_mail = lone[20], lone[33], lone[47], lone[61]
        unreadable_phone.cells[columns["Main Phone #s"]] = "ask the neighbor"
        client = unreadable_phone.records[0].warn("phone", "unreadable_phone")
        self.contacts[int(client.values["source_id"])] = (client.values["email"] or "", "")
        client.values |= {"phone": None, "phone.extension": None}

        unreadable_date.cells[columns["Created Date"]] = "Feb 31, 2019"
        unreadable_date.records[0].warn("created_at", "unreadable_date").values["created_at"] = None

        for header in ("Main Phone #s", "Mobile Phone #s", "E-mails"):
            silent.cells[columns[header]] = ""
        client = silent.records[0].warn(None, "missing_expected")
        self.contacts[int(client.values["source_id"])] = ("", "")
        client.values |= {"phone": None, "phone.extension": None, "mobile_phone": None, "email": None}

        unreadable_mail.cells[columns["E-mails"]] = "none at example dot com"
        unreadable_mail.cells[columns["Main Phone #s"]] = "(512) 555-0188"
        client = unreadable_mail.records[0].warn("email", "unreadable_email")
        self.contacts[int(client.values["source_id"])] = ("", "5125550188")
        client.values |= {"email": None, "phone": "+15125550188", "phone.extension": None}

        self._copy_client(len(rows) - 9, lone[12])
        cells = self._copy_client(len(rows) - 3, lone[29], "conflict")
        cells[columns["Main Phone #s"]] = "303-555-0177"  # the same client with another telephone number

        # A client without any name: his property is imported, and its owner stays open.
        nobody = list(lone[50].cells)
        for header in ("Display Name", "Company Name", "First Name", "Last Name", "E-mails", "Mobile Phone #s"):
            nobody[columns[header]] = ""
        street = "9 Unnamed Alley"
        nobody[columns["J-ID"]], nobody[columns["Main Phone #s"]] = "4990_89990", "614-555-0199"
        nobody[columns["Billing Street 1"]] = nobody[columns["Service Street 1"]] = street
        values = lone[50].records[1].values | {"source_id": "4990_89990", "street": street}
        place = Expected("properties", values, {"customer": None})
        self.clients.insert(70, nobody, Expected("customers").fail("missing_required"), place)

        # A client who has no property yet.
        homeless = ["4991", "Mar 4, 2021", "false", "Isadora Quillfeather", "", "", "Isadora", "Quillfeather"]
        homeless += ["614-555-0198", *[""] * (len(CLIENT_HEADERS) - 9)]
        homeless[columns["Archived"]] = "false"
        values = dict.fromkeys(lone[50].records[0].values) | {
            "source_id": "4991",
            "name": "Isadora Quillfeather",
            "first_name": "Isadora",
            "last_name": "Quillfeather",
            "phone": "+16145550198",
            "active": True,
            "created_at": "2021-03-04T00:00:00",
        }
        self.clients.insert(95, homeless, Expected("customers", values))

    def _is_only_row(self, client: Expected) -> bool:
        """True for an ordinary client with one property, whose jobs and invoices nothing special is said about."""
        number = int(client.values.get("source_id", 0)) if client.outcome == "imported" else 0
        cast = {customer.number for customer in self.book.by_role.values()}
        found = next((customer for customer in self.book.customers if customer.number == number), None)
        return found is not None and number not in cast and len(found.sites) == 1

    def _copy_client(self, at: int, row: Row, code: str = "duplicate") -> list[str]:
        client, place = row.records
        copies = [Expected("customers").skip(code, client), Expected("properties").skip("duplicate", place)]
        return self.clients.insert(at, list(row.cells), *copies).cells

    # ---- jobs ---------------------------------------------------------------------------------------------------

    def write_jobs(self) -> None:
        for i, job in enumerate(self.book.jobs):
            cells, record = self._job_row(i, job)
            self.job_records[job.number] = record
            self.jobs.add(cells, record)
        self._spoil_jobs()

    def _job_row(self, i: int, job: Job) -> tuple[dict[str, str], Expected]:
        status, stage = JOB_STATUS[job.stage]
        kind = ("One-off job", "Recurring job")[i % 2]
        title = f"{job.title}\nbring the long ladder" if i % 43 == 4 else job.title
        cells = {
            "Job #": str(job.number),
            "Property": job.site.street.replace(" Ave", " Avenue") if i % 6 == 1 else job.site.street,
            "Title": title,
            "Job status": status,
            "Job type": kind,
            "Created date": say.long_date(job.created),
            "Start date": say.long_date(job.start),
            "Completed date": say.long_date(job.completed) or "-",
            "Total ($)": say.money(job.total, i),
            "Quote #": str(500 + i) if i % 4 == 0 else "-",
        }
        record = Expected(
            "jobs",
            {
                "number": str(job.number),
                "title": title,
                "status": stage,
                "job_type": kind,
                "created_at": say.iso_moment(job.created),
                "scheduled_start": say.iso_moment(job.start.date() if job.start else None),
                "completed_at": say.iso_moment(job.completed),
                "total": say.amount(job.total),
            },
            {"customer": self.client_records[job.customer.number], "property": self.property_records[job.site.street]},
            money={"total": job.total},
        )
        cells |= self._client_cells(i, job.customer)
        return cells, record

    def _client_cells(self, i: int, customer: Customer) -> dict[str, str]:
        """How a job names its client: mostly as he is called, sometimes with an error or the other way round."""
        email, digits = self.contacts.get(customer.number, (customer.email, customer.phone))
        name, phone = customer.name, say.phone(digits, i + 2)
        if i % 19 == 7 and say.can_have_typo(name) and (email or phone):
            name = say.typo(name, i)
        elif i % 23 == 5 and customer.first and customer.last:
            name = f"{customer.last}, {customer.first}"
        elif i % 29 == 11:
            name = name.upper()
        if customer is self.book.by_role["last_name_only"]:
            name, email, phone = "Smith HVAC Repair", "", ""
        elif customer is self.book.by_role["trade"]:
            name = "Delacroix"
        elif i % 10 == 3 and email and phone:
            email = ""
        return {"Client name": name, "Client email": email.upper() if i % 31 == 2 else email, "Client phone": phone}

    def _spoil_jobs(self) -> None:
        rows = self.jobs.rows
        columns = {header: at for at, header in enumerate(JOB_HEADERS)}
        namesake = self.book.by_role["namesake"]
        undecided = next(
            row for row, job in zip(rows, self.book.jobs, strict=True) if job.customer is namesake
        )  # neither e-mail nor telephone number tells which of the two is meant; nor does the property
        undecided.cells[columns["Client name"]] = namesake.name
        for header in ("Client email", "Client phone", "Property"):
            undecided.cells[columns[header]] = ""
        undecided.records[0].refs = {"customer": None}

        for at in (260, 281):
            row = rows[at]
            row.cells[columns["Client name"]] = ("Tobias Vandermeer", "Hummingbird Cafe")[at % 2]
            row.cells[columns["Client email"]] = ("tobias@example.net", "")[at % 2]
            row.cells[columns["Client phone"]] = ("(720) 555-0110", "720-555-0111")[at % 2]
            row.cells[columns["Property"]] = ""
            row.records[0].refs = {"customer": None}

        rows[101].cells[columns["Start date"]] = "sometime in May"
        rows[101].records[0].warn("scheduled_start", "unreadable_date").values["scheduled_start"] = None
        rows[140].cells[columns["Total ($)"]] = "about 300"
        rows[140].records[0].warn("total", "unreadable_amount").values["total"] = None
        rows[140].records[0].money = {}
        rows[152].cells[columns["Total ($)"]] = "-"
        rows[152].records[0].values["total"] = None
        rows[152].records[0].money = {}
        rows[170].cells[columns["Property"]] = "-"
        del rows[170].records[0].refs["property"]

        self.jobs.insert_copy(210, 60, "duplicate")
        self.jobs.insert_copy(230, 75, "conflict")[columns["Job type"]] = "Warranty visit"
        cells = ["", *rows[44].cells[1:]]
        cells[columns["Title"]] = ""
        money = {"total": Decimal(125)}
        cells[columns["Total ($)"]] = "$125.00"
        self.jobs.insert(120, cells, Expected("jobs", money=money).fail("missing_required"))

    # ---- invoices -----------------------------------------------------------------------------------------------

    def write_invoices(self) -> None:
        for i, invoice in enumerate(self.book.invoices):
            job_record = self.job_records[invoice.job.number]
            status, state = INVOICE_STATUS[invoice.state]
            client = self._invoice_client(i, invoice.job.customer)
            customer_record = self.client_records[invoice.job.customer.number]
            self.invoices.add(
                {
                    "Invoice #": str(invoice.number),
                    **client,
                    "Subject": f"For services rendered: {invoice.job.title}",
                    "Status": status,
                    "Issued date": say.long_date(invoice.issued),
                    "Due date": say.long_date(invoice.due),
                    "Paid date": say.long_date(invoice.paid) or "-",
                    "Total ($)": say.money(invoice.total, i),
                    "Balance ($)": say.money(invoice.balance, i),
                    "Job #": str(invoice.job.number),
                },
                Expected(
                    "invoices",
                    {
                        "number": str(invoice.number),
                        "title": f"For services rendered: {invoice.job.title}",
                        "status": state,
                        "issued_on": say.iso_day(invoice.issued),
                        "due_on": say.iso_day(invoice.due),
                        "paid_on": say.iso_day(invoice.paid),
                        "total": say.amount(invoice.total),
                        "balance": say.amount(invoice.balance),
                    },
                    {"customer": customer_record, "job": job_record},
                    money={"total": invoice.total, "balance": invoice.balance},
                ),
            )
        self._spoil_invoices()

    def _invoice_client(self, i: int, customer: Customer) -> dict[str, str]:
        """Invoices know no telephone number: without an e-mail address the client is called by his right name."""
        cells = self._client_cells(i, customer)
        email, _ = self.contacts.get(customer.number, (customer.email, ""))
        if not cells["Client email"]:
            return {"Client name": customer.name, "Client email": email}
        return {"Client name": cells["Client name"], "Client email": cells["Client email"]}

    def _spoil_invoices(self) -> None:
        rows = self.invoices.rows
        columns = {header: at for at, header in enumerate(INVOICE_HEADERS)}

        self._set_amounts(30, "(12.00)", Decimal("-12.00"))
        self._set_amounts(31, "-$5", Decimal("-5.00"))
        rows[66].cells[columns["Due date"]] = "on receipt"
        rows[66].records[0].warn("due_on", "unreadable_date").values["due_on"] = None
        rows[77].cells[columns["Job #"]] = "99999"  # no such job in the export
        rows[77].records[0].refs["job"] = None
        rows[90].cells[columns["Job #"]] = ""
        del rows[90].records[0].refs["job"]

        corrected = list(rows[133].cells), copy(rows[133].records[0])
        for at, text in ((54, "see estimate"), (133, "1,2x4.50")):
            rows[at].cells[columns["Total ($)"]] = text
            record = rows[at].records[0].fail("unreadable_amount")
            record.money = {"balance": record.money["balance"]}
        rows[161].cells[columns["Invoice #"]] = ""
        rows[161].records[0].fail("missing_required")

        self.invoices.insert_copy(140, 20, "duplicate")
        self.invoices.insert(190, corrected[0], corrected[1])  # the first row of this number failed: this one counts
        conflict = self.invoices.insert_copy(200, 41, "conflict")
        conflict[columns["Subject"]] = "For services rendered: second visit"
        total = sum((row.records[0].money.get("total", Decimal(0)) for row in rows), Decimal(0))
        footer = ["Total", *[""] * (len(INVOICE_HEADERS) - 1)]
        footer[columns["Total ($)"]] = say.money(total)
        self.invoices.leave_out(len(rows), footer, "total")

    def _set_amounts(self, at: int, text: str, value: Decimal) -> None:
        row = self.invoices.rows[at]
        row.cells[INVOICE_HEADERS.index("Total ($)")] = row.cells[INVOICE_HEADERS.index("Balance ($)")] = text
        row.records[0].values |= {"total": say.amount(value), "balance": say.amount(value)}
        row.records[0].money = {"total": value, "balance": value}
