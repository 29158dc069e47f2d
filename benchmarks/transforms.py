"""CPU time of mapping: reading, converting, hashing and encoding, per record and by file of the main benchmark.

`python -m benchmarks.transforms [DIRECTORY] [--records N] [--profile FILE]`. The mappings are written out here, so that
the figure does not move when proposals do. Target: at most 16 microseconds a record of 20 columns.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import pstats
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.trio_data import generate
from services.mapper.mapping_plan import MappingSettings, compile_file
from services.mapper.mapping_work import map_span
from services.mapper.transforms.phones import area_codes
from shared.connectors.delimited import land
from shared.messages.batches import RawBatch
from shared.messages.landing import LandedFile
from shared.messages.mapping import FieldMapping, FileMapping, Options, RecordMapping

_US = Options(date_order="mdy", decimal_mark=".")

FIELDS = {
    "customers": {
        "Customer ID": "source_id", "Customer Name": "name", "Company": "company", "Customer Type": "customer_type",
        "Email": "email", "Phone": "phone", "Mobile Phone": "mobile_phone", "Street": "street", "City": "city",
        "State": "state", "Zip Code": "postal_code", "Country": "country", "Lead Source": "lead_source",
        "Balance": "balance", "Payment Terms": "payment_terms", "Tax Exempt": "tax_exempt", "Active": "active",
        "Tags": "tags", "Notes": "notes", "Created Date": "created_at",
    },
    "jobs": {
        "Job Number": "number", "Job Title": "title", "Description": "description", "Job Type": "job_type",
        "Status": "status", "Priority": "priority", "Scheduled Start": "scheduled_start",
        "Scheduled End": "scheduled_end", "Completed Date": "completed_at", "Business Unit": "business_unit",
        "PO Number": "purchase_order", "Total": "total", "Labor Hours": "labor_hours", "Service Street": "street",
        "Service City": "city", "Service State": "state", "Service Zip": "postal_code",
    },
    "invoices": {
        "Invoice ID": "source_id", "Invoice Number": "number", "Subject": "title", "Status": "status",
        "Invoice Date": "issued_on", "Due Date": "due_on", "Paid Date": "paid_on", "Subtotal": "subtotal",
        "Discount": "discount", "Tax": "tax", "Total": "total", "Amount Paid": "amount_paid", "Balance": "balance",
        "Payment Method": "payment_method", "PO Number": "purchase_order", "Notes": "notes",
        "Created Date": "created_at",
    },
}  # fmt: skip


def trio_mapping(entity: str, headers: tuple[str, ...], sha256: str = "") -> FileMapping:
    """The mapping of one file of the main benchmark."""
    place = {header: index for index, header in enumerate(headers)}
    fields = [
        FieldMapping(field=field, column=place[header], header=header, options=_US)
        for header, field in FIELDS[entity].items()
    ]
    if entity == "jobs":
        fields.append(
            FieldMapping(
                field="customer",
                column=place["Customer Name"],
                by="name",
                evidence={"email": place["Customer Email"], "phone": place["Customer Phone"]},
            )
        )
    if entity == "invoices":
        fields.append(
            FieldMapping(
                field="customer",
                column=place["Customer ID"],
                by="source_id",
                evidence={"name": place["Customer Name"]},
            )
        )
        fields.append(FieldMapping(field="job", column=place["Job Number"], by="number"))
    return FileMapping(
        file=f"{entity}.csv",
        sha256=sha256,
        headers=headers,
        records=(RecordMapping(entity=entity, fields=tuple(fields)),),
    )


def map_file(path: Path, landed: LandedFile, mapping: FileMapping) -> int:
    """Maps every batch of a file as a worker does; the bytes of the answers."""
    encode = msgspec.msgpack.encode
    reading, settings = encode(landed.reading), encode(MappingSettings(source_label="trio"))
    document = mapping.model_dump_json().encode()
    size = 0
    for number, span in enumerate(landed.spans):
        raw = RawBatch(account="main", session="s", run=1, batch=number, file=0, plan="p")
        size += len(map_span(str(path), reading, encode(span), document, settings, encode(raw)))
    return size


def warm_up(mapping: FileMapping) -> None:
    """Reads the catalogue, the value tables and the area codes: a worker pays that once at its start."""
    compile_file(mapping, MappingSettings())
    area_codes()


def reading_alone(path: Path) -> float:
    """Microseconds of CPU per row of a bare csv.reader: what the machine is worth at this moment (2.5 when idle)."""
    start = time.process_time()
    with path.open(newline="", encoding="utf-8") as file:
        rows = sum(1 for _ in csv.reader(file))
    return (time.process_time() - start) / rows * 1e6


def measure(path: Path) -> tuple[int, float, float]:
    """(records, microseconds of CPU per record, bytes of answer per record) of one file."""
    landed = land(path)
    mapping = trio_mapping(path.stem, landed.reading.headers, landed.sha256)
    warm_up(mapping)
    start = time.process_time()
    size = map_file(path, landed, mapping)
    seconds = time.process_time() - start
    return landed.records, seconds / landed.records * 1e6, size / landed.records


def main() -> None:
    """Prints a line per file and the mean over all records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, help="where generated files are kept (default: temporary)")
    parser.add_argument("--records", type=int, default=70_000)
    parser.add_argument("--profile", choices=tuple(FIELDS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = generate_files(options.directory or Path(temporary), options.records)
        if options.profile:
            with cProfile.Profile() as profile:
                measure(folder / f"{options.profile}.csv")
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)
            return
        records, microseconds = 0, 0.0
        for entity in FIELDS:
            count, each, size = measure(folder / f"{entity}.csv")
            records, microseconds = records + count, microseconds + count * each
            alone = reading_alone(folder / f"{entity}.csv")
            print(
                f"{entity:10} {count:>8,} records  {each:6.2f} µs CPU a record  {size:6.0f} bytes a record"
                f"  (csv.reader alone {alone:.2f} µs)"
            )
        print(f"{'all':10} {records:>8,} records  {microseconds / records:6.2f} µs CPU a record")


def generate_files(directory: Path, records: int) -> Path:
    """The folder that holds the three files with `records` rows in all (1 : 3 : 3)."""
    trio = generate(directory, customers=records // 7, jobs=3 * records // 7, invoices=3 * records // 7)
    return trio.customers.parent


if __name__ == "__main__":
    main()
