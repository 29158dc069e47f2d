"""The main benchmark: the whole import of three files against a hand-written copy of them, alternating in one run.

    python -m benchmarks.trio [--records 700000] [--rounds 2] [--uuids] [--no-memory] [--keep DIRECTORY]

Prints, per round, the seconds of the yardstick (csv -> SQLite, `benchmarks.yardstick`) and of `hub import`, then the
ratio of the medians, CPU seconds by stage, peak memory by process, and the peak at the full size against the peak at
100,000 records. What the import reports is checked against the generator's expectations: a wrong count ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Measurement, measure
from benchmarks.trio_data import Trio, scaled

RATIO_MAX = 8.0
PEAK_MIB_MAX = 300.0
PEAK_GROWTH_MAX = 1.2
SMALL_RECORDS = 100_000

STAGES = {
    "services.ingest.landing_work:land_file": "landing",
    "services.ingest.landing_work:sample_files": "analysis",
    "services.analyze.analysis_work:analyse_sample": "analysis",
    "services.mapper.proposal_work:propose_mapping": "analysis",
    "services.mapper.mapping_work:map_span": "mapping",
    "services.loader.load_planning:plan_load": "loading (keys, links)",
    "services.loader.finalizing:settle_page": "finalizing",
    "services.status.error_work:cells_of": "error file",
    "parent": "parent (log, stores, seal, status, API)",
}


@dataclass(frozen=True)
class Import:
    """One measured `hub import`: its report and CPU seconds by stage."""

    measurement: Measurement
    report: dict[str, Any]
    stages: dict[str, float]


def run_yardstick(trio: Trio, scratch: Path) -> float:
    """Seconds of the hand-written copy."""
    database = scratch / "yardstick.db"
    measured = measure([sys.executable, "-m", "benchmarks.yardstick", str(trio.directory), str(database)])
    for file in scratch.glob("yardstick.db*"):
        file.unlink()
    if measured.exit_code != 0:
        raise SystemExit(f"The yardstick failed:\n{measured.stderr}")
    return measured.wall_seconds


def run_import(trio: Trio, scratch: Path) -> Import:
    """One import into a fresh data directory."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        times = Path(folder) / "stages.json"
        command = [sys.executable, "-m", "services.cli.main", "import", *map(str, trio.paths)]
        command += ["--data-dir", str(Path(folder) / "data"), "--yes", "--json"]
        # An installed program has its bytecode; without it every process would compile the hub first.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        measured = measure(command, env={**environment, "HUB_STAGE_TIMES": str(times)})
        if measured.exit_code not in (0, 2):
            raise SystemExit(f"The import failed:\n{measured.stderr[-3000:]}\n{measured.stdout[-2000:]}")
        stages: dict[str, float] = {}
        for function, seconds in json.loads(times.read_text()).items():
            name = STAGES.get(function, function)
            stages[name] = stages.get(name, 0.0) + seconds
        return Import(measured, json.loads(measured.stdout), stages)


def differences(trio: Trio, report: dict[str, Any]) -> list[str]:
    """Where the report is not what the generator put into the files."""
    found = []
    for entity, expected in trio.expectations["entities"].items():
        got = {name: report["entities"][entity][name] for name in expected}
        if got != expected:
            found.append(f"{entity}: expected {expected}, got {got}")
    for money, expected in trio.expectations.get("money", {}).items():
        if report["money"].get(money) != expected:
            found.append(f"{money}: expected {expected}, got {report['money'].get(money)}")
    return found


def show(text: str) -> None:
    """Prints a line at once: a round takes a minute."""
    print(text, flush=True)


def show_import(label: str, done: Import) -> None:
    """The figures of one import."""
    peaks = ", ".join(f"{process.peak_mib:.0f}" for process in done.measurement.processes)
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in sorted(done.stages.items(), key=lambda s: -s[1]))
    show(f"{label}: {done.measurement.wall_seconds:.2f} s; CPU {done.measurement.cpu_seconds:.1f} s ({stages})")
    show(f"  peak MiB by process: {peaks}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=700_000, help="in all three files together")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--uuids", action="store_true", help="source ids are UUIDs")
    parser.add_argument("--no-memory", action="store_true", help="leave out the comparison with 100,000 records")
    parser.add_argument("--keep", type=Path, help="where generated files are kept (default: temporary)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        directory = options.keep or scratch / "files"
        directory.mkdir(parents=True, exist_ok=True)
        trio = scaled(directory, options.records, uuids=options.uuids)
        yards, imports = [run_yardstick(trio, scratch)], []
        show(f"yardstick: {yards[0]:.2f} s")
        for number in range(1, options.rounds + 1):
            imports.append(run_import(trio, scratch))
            show_import(f"import {number}", imports[-1])
            if wrong := differences(trio, imports[-1].report):
                raise SystemExit("\n".join(wrong))
            yards.append(run_yardstick(trio, scratch))
            show(f"yardstick: {yards[-1]:.2f} s")
        ratio = statistics.median(i.measurement.wall_seconds for i in imports) / statistics.median(yards)
        show(f"ratio: {ratio:.2f} (at most {RATIO_MAX})")
        peak = max(i.measurement.peak_mib or 0.0 for i in imports)
        show(f"peak of one process: {peak:.0f} MiB (at most {PEAK_MIB_MAX:.0f})")
        if not options.no_memory:
            small = run_import(scaled(directory, SMALL_RECORDS, uuids=options.uuids), scratch)
            show_import(f"import of {SMALL_RECORDS:,} records", small)
            growth = peak / (small.measurement.peak_mib or 1.0)
            show(f"peak at {options.records:,} / peak at {SMALL_RECORDS:,}: {growth:.2f} (at most {PEAK_GROWTH_MAX})")


if __name__ == "__main__":
    main()
