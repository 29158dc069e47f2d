"""Small files for tests of detection and mapping."""

from __future__ import annotations

from collections.abc import Sequence

from shared.messages.analysis import SampledFile


def sampled(name: str, headers: Sequence[str], *rows: Sequence[str]) -> SampledFile:
    return SampledFile(file=name, headers=tuple(headers), rows=[list(row) for row in rows], records=len(rows))


JOBBER_CLIENTS = sampled(
    "clients.csv",
    [
        "J-ID", "Created Date", "Is Company?", "Display Name", "Company Name", "First Name", "Last Name",
        "Main Phone #s", "E-mails", "Billing Street 1", "Billing City", "Billing State", "Billing Zip code",
        "CFT[Gate code]",
        "Service Property Name", "Service Street 1", "Service City", "Service State", "Service Zip code", "Archived",
    ],
    ["11_21", "Jan 15, 2026", "false", "Ann Smith", "", "Ann", "Smith", "(602) 555-0101", "ann@example.com",
     "1 Elm St", "Mesa", "AZ", "85201", "", "Home", "1 Elm St", "Mesa", "AZ", "85201", "false"],
    ["12_22", "Jan 16, 2026", "true", "Acme LLC", "Acme LLC", "", "", "(602) 555-0103", "office@example.net",
     "2 Oak Ave", "Tampa", "FL", "33601", "", "", "3 Oak Ave", "Tampa", "FL", "33601", "true"],
    ["13_23", "Jan 17, 2026", "false", "Carl Jones", "", "Carl", "Jones", "(602) 555-0104", "carl@example.org",
     "4 Pine Rd", "Macon", "GA", "31201", "", "", "4 Pine Rd", "Macon", "GA", "31201", "false"],
)  # fmt: skip
JOBBER_JOBS = sampled(
    "jobs.csv",
    ["Job #", "Client name", "Client email", "Client phone", "Property", "Title", "Job status", "Created date",
     "Start date", "Total ($)"],
    ["101", "Ann Smith", "ann@example.com", "(602) 555-0101", "1 Elm St", "AC repair",
     "Late", "01/02/2026", "01/13/2026", "$1,234.50"],
    ["102", "Acme LLC", "office@example.net", "", "3 Oak Ave", "Drain cleaning",
     "Archived", "01/02/2026", "01/03/2026", "$12.50"],
    ["103", "Carl Jones", "carl@example.org", "", "4 Pine Rd", "Tune-up",
     "Active", "01/02/2026", "01/03/2026", "(12.00)"],
)  # fmt: skip
