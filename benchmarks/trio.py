"""The main benchmark: the whole import of three files against a hand-written copy of them, alternating in one run.

    python -m benchmarks.trio [--records 700000] [--rounds 2] [--uuids] [--no-memory] [--keep DIRECTORY]
    python -m benchmarks.trio --bus kafka [--store sqlite|mongo] [--loaders N] [--mappers N] [--workers N]

Prints, per round, the seconds of the yardstick (csv -> SQLite, `benchmarks.yardstick`) and of `hub import`, then the
ratio of the medians, CPU seconds by stage, peak memory by process, and the peak at the full size against the peak at
100,000 records. What the import reports is checked against the generator's expectations: a wrong count ends it.

With --bus kafka each round is the embedded import and then the same one by a cluster on this machine: a broker (or the
one of --kafka), `hub api` and the services as processes of their own, on one SQLite file or on MongoDB (the server that
the tests would take). Then the ratio of the two medians is printed as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.broker import Broker, kafka_broker
from benchmarks.cluster import end_in_order_when_told
from benchmarks.measure import Measurement, measure
from benchmarks.trio_cluster import ClusterImport, Layout, run_cluster
from benchmarks.trio_data import Trio, scaled

RATIO_MAX = 8.0
CLUSTER_RATIO_MAX = 3.0
"""Of the cluster with SQLite to the embedded import; with MongoDB it is reported as it is."""
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


def show_cluster(label: str, done: ClusterImport) -> None:
    """The figures of one import by a cluster; what workers of the same kind used is added up."""
    totals: dict[str, tuple[float, list[str]]] = {}
    for name, use in [*done.uses, *(("client", use) for use in done.measurement.processes)]:
        cpu, peaks = totals.get(name, (0.0, []))
        totals[name] = cpu + use.cpu_seconds, [*peaks, f"{use.peak_mib:.0f}"]
    cpu_total = sum(cpu for cpu, _ in totals.values())
    show(
        f"{label}: {done.measurement.wall_seconds:.2f} s, started in {done.start_seconds:.1f} s; CPU {cpu_total:.1f} s"
    )
    for name, (cpu, peaks) in sorted(totals.items(), key=lambda total: -total[1][0]):
        show(f"  {name:16} CPU {cpu:6.1f} s   peak MiB {', '.join(peaks)}")


@dataclass
class Rounds:
    """What alternating runs measured."""

    yards: list[float] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    clusters: list[ClusterImport] = field(default_factory=list)

    def yardstick(self, trio: Trio, scratch: Path) -> None:
        self.yards.append(run_yardstick(trio, scratch))
        show(f"yardstick: {self.yards[-1]:.2f} s")

    def embedded(self, number: int, trio: Trio, scratch: Path) -> None:
        self.imports.append(run_import(trio, scratch))
        show_import(f"import {number}", self.imports[-1])
        check(trio, self.imports[-1].report)

    def cluster(self, number: int, trio: Trio, scratch: Path, options: argparse.Namespace, broker: Broker) -> None:
        layout = Layout(options.loaders, options.mappers, options.workers)
        self.clusters.append(run_cluster(trio, scratch, broker, options.store, layout))
        show_cluster(f"cluster {number}", self.clusters[-1])
        check(trio, self.clusters[-1].report)


def check(trio: Trio, report: dict[str, Any]) -> None:
    """Ends the benchmark where the report is wrong."""
    if wrong := differences(trio, report):
        raise SystemExit("\n".join(wrong))


def median_seconds(measurements: Iterable[Measurement]) -> float:
    """Of the wall times."""
    return statistics.median(measurement.wall_seconds for measurement in measurements)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=700_000, help="in all three files together")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--uuids", action="store_true", help="source ids are UUIDs")
    parser.add_argument("--no-memory", action="store_true", help="leave out the comparison with 100,000 records")
    parser.add_argument("--keep", type=Path, help="where generated files are kept (default: temporary)")
    parser.add_argument("--bus", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--store", choices=("sqlite", "mongo"), default="sqlite", help="of the cluster")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that runs already")
    parser.add_argument("--loaders", type=int, default=1, help="loader processes")
    parser.add_argument("--mappers", type=int, default=1, help="mapper processes")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of each process of the cluster")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    end_in_order_when_told()
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory = options.keep or scratch / "files"
        directory.mkdir(parents=True, exist_ok=True)
        trio = scaled(directory, options.records, uuids=options.uuids)
        rounds = Rounds()
        rounds.yardstick(trio, scratch)
        for number in range(1, options.rounds + 1):
            rounds.embedded(number, trio, scratch)
            if options.bus == "kafka":
                with kafka_broker(scratch / f"kafka-{number}", options.kafka) as broker:
                    rounds.cluster(number, trio, scratch, options, broker)
            rounds.yardstick(trio, scratch)
        show_ratios(rounds, options.store)
        if options.bus == "embedded":
            show_memory(rounds.imports, None if options.no_memory else directory, options, scratch)


def show_ratios(rounds: Rounds, store: str) -> None:
    """Medians against each other."""
    embedded = median_seconds(done.measurement for done in rounds.imports)
    show(f"ratio: {embedded / statistics.median(rounds.yards):.2f} (at most {RATIO_MAX})")
    if rounds.clusters:
        ratio = median_seconds(done.measurement for done in rounds.clusters) / embedded
        aim = f" (at most {CLUSTER_RATIO_MAX})" if store == "sqlite" else ""
        show(f"cluster with {store} : embedded: {ratio:.2f}{aim}")


def show_memory(imports: list[Import], directory: Path | None, options: argparse.Namespace, scratch: Path) -> None:
    """The peak, and how it grows with the input where `directory` for the smaller one is given."""
    peak = max(i.measurement.peak_mib or 0.0 for i in imports)
    show(f"peak of one process: {peak:.0f} MiB (at most {PEAK_MIB_MAX:.0f})")
    if directory is None:
        return
    small = run_import(scaled(directory, SMALL_RECORDS, uuids=options.uuids), scratch)
    show_import(f"import of {SMALL_RECORDS:,} records", small)
    growth = peak / (small.measurement.peak_mib or 1.0)
    show(f"peak at {options.records:,} / peak at {SMALL_RECORDS:,}: {growth:.2f} (at most {PEAK_GROWTH_MAX})")


if __name__ == "__main__":
    main()
