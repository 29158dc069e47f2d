"""Makes the benchmark's three files: customers, jobs that name them, invoices; the same bytes for the same parameters.

`python -m benchmarks.trio_data DIRECTORY [--records N] [--uuids]`. Beside the files lies `expectations.json` with what
an import must report. A set that is there already is not made again.

2 % of the rows of each file are bad (see `trio_table.BAD`); no other row refers to one of them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trio_customers import Customers
from benchmarks.trio_invoices import Invoices
from benchmarks.trio_jobs import Jobs
from benchmarks.trio_table import Expectations, Parameters

FILES = ("customers", "jobs", "invoices")


@dataclass(frozen=True)
class Trio:
    """The three files and what an import of them must report (the fields of `Expectations`, as JSON)."""

    customers: Path
    jobs: Path
    invoices: Path
    expectations: dict[str, Any]

    @property
    def directory(self) -> Path:
        return self.customers.parent

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        return self.customers, self.jobs, self.invoices


def generate(
    directory: Path,
    customers: int = 100_000,
    jobs: int = 300_000,
    invoices: int = 300_000,
    *,
    uuids: bool = False,
    seed: int = 20260229,
) -> Trio:
    """Makes the files in a folder of their own under `directory`, or finds them there.

    Raises ValueError for fewer than 100 rows in a file (too few to hold every kind of bad row), or for more customers
    than there are names.
    """
    parameters = Parameters(customers, jobs, invoices, uuids, seed)
    if min(customers, jobs, invoices) < 100:
        raise ValueError("each of the three files needs at least 100 rows")
    folder = directory / parameters.folder()
    paths = {name: folder / f"{name}.csv" for name in FILES}
    index = folder / "expectations.json"
    if not index.exists():  # written last: where it is, the files are complete
        folder.mkdir(parents=True, exist_ok=True)
        document = {"parameters": asdict(parameters), **asdict(_write(parameters, paths))}
        document["bytes"] = {name: path.stat().st_size for name, path in paths.items()}
        partial = index.with_suffix(".partial")
        partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        partial.rename(index)
    return Trio(paths["customers"], paths["jobs"], paths["invoices"], json.loads(index.read_text(encoding="utf-8")))


def scaled(directory: Path, records: int = 700_000, *, uuids: bool = False) -> Trio:
    """The same in the proportions 1 : 3 : 3, e.g. 100,000 or 14,000 records in all."""
    customers = records // 7
    jobs = (records - customers) // 2
    return generate(directory, customers, jobs, records - customers - jobs, uuids=uuids)


def _write(parameters: Parameters, paths: dict[str, Path]) -> Expectations:
    expectations = Expectations()
    random = np.random.default_rng(parameters.seed)
    customers = Customers(random, parameters, expectations)
    customers.table.write(paths["customers"])
    jobs = Jobs(random, parameters, expectations, customers)
    jobs.table.write(paths["jobs"])
    Invoices(random, parameters, expectations, customers, jobs).table.write(paths["invoices"])
    return expectations


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the three files of the main benchmark.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--records", type=int, default=700_000, help="in all three files together")
    parser.add_argument("--uuids", action="store_true", help="ids are UUIDs, references are ids")
    options = parser.parse_args()
    started = time.perf_counter()
    trio = scaled(options.directory, options.records, uuids=options.uuids)
    for path in trio.paths:
        print(f"{path.stat().st_size / 1e6:7.1f} MB  {path}")
    print(f"{time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
