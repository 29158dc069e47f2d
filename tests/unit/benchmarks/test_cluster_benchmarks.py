"""The parts of the cluster's benchmarks that need no cluster."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks import kafka_hop, loader_scaling, trio
from benchmarks.measure import Measurement, ProcessUse
from benchmarks.trio_cluster import ClusterImport, Layout
from benchmarks.trio_data import Trio


def test_a_hop_strips_every_cell_and_keeps_the_rest() -> None:
    batch = kafka_hop.Batch(7, [[" a ", "b", ""], ["\tc d ", "", " "]])

    done = kafka_hop.stripped(batch)

    assert done == kafka_hop.Batch(7, [["a", "b", ""], ["c d", "", ""]])


def test_a_hop_counts_from_the_first_batch_to_the_last() -> None:
    clock = kafka_hop.Clock(expected=3, seen=3, first=(10.0, 1.0), last=(12.0, 1.5))

    assert (clock.records_per_second, clock.cpu_ms_per_batch) == (500.0, 250.0)


def test_a_hop_is_over_with_the_last_expected_batch() -> None:
    clock = kafka_hop.Clock(expected=2)

    clock.batch_handled()
    after_one = clock.all_seen.is_set()
    clock.batch_handled()

    assert (after_one, clock.all_seen.is_set()) == (False, True)


def test_loading_takes_from_the_first_command_to_the_last_outcome() -> None:
    loading = loader_scaling.Loading(asked=[5.0, 4.0], answered=[6.0, 9.0])

    assert loading.seconds == 5.0


def test_the_steady_rate_leaves_out_how_it_began_and_ended() -> None:
    steadily = [100.0 + n for n in range(10, 91)]  # one a second
    slowly_at_first = [0.0] * 10
    slowly_at_last = [1_000.0] * 9

    loading = loader_scaling.Loading(asked=[0.0], answered=slowly_at_last + steadily + slowly_at_first)

    assert loading.steady_rate == 1.0


def test_the_file_of_the_scaling_benchmark_has_a_record_per_row(tmp_path: Path) -> None:
    loader_scaling.make_file(tmp_path / "customers.csv", 3)

    rows = list(csv.DictReader((tmp_path / "customers.csv").open()))

    assert [row["Customer ID"] for row in rows] == ["C-000000", "C-000001", "C-000002"]


def test_a_layout_names_each_process() -> None:
    names = Layout(loaders=2, mappers=1).names

    assert names == ["api", "ingest", "analyze", "mapper", "loader", "loader", "status"]


def test_a_wrong_count_ends_the_main_benchmark() -> None:
    expected = {"entities": {"jobs": {"imported": 2}}, "money": {"jobs.total": 5}}
    files = Trio(Path("customers.csv"), Path("jobs.csv"), Path("invoices.csv"), expected)

    with pytest.raises(SystemExit, match=r"jobs\.total: expected 5, got 4"):
        trio.check(files, {"entities": {"jobs": {"imported": 2}}, "money": {"jobs.total": 4}})


def test_processes_of_one_service_are_shown_together(capsys: pytest.CaptureFixture[str]) -> None:
    uses = [("loader", ProcessUse(1, "a", 2.0, 80.0)), ("loader", ProcessUse(2, "b", 1.5, 90.0))]

    trio.show_cluster("cluster 1", ClusterImport(Measurement(4.0, 1.0, 0, "", ""), {}, 3.0, uses))

    first, loaders = capsys.readouterr().out.splitlines()
    assert first == "cluster 1: 4.00 s, started in 3.0 s; CPU 3.5 s"
    assert loaders.split() == ["loader", "CPU", "3.5", "s", "peak", "MiB", "80,", "90"]
