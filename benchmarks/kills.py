"""Kills an import at random moments and compares what it leaves in the end with an undisturbed one, record by record.

`python -m benchmarks.kills [--rounds 50] [--records 14000] [--seed 1]`. Each round starts the import afresh, kills the
whole process group after a random part of the time an undisturbed import takes, and lets a new process go on; every
third round kills that one too. Exit code 1 where anything differs, or a process outlives its group's leader.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.trio_data import scaled
from tests.support.hub_process import HubProcess, Import
from tests.support.oracle import check_laws, differences

SECOND_KILL_EVERY = 3
PARTS = 10
"""Kills are counted by the tenth of the undisturbed duration they fell in."""


@dataclass(frozen=True)
class Round:
    """What one round did: the moments of its kills as a share of the undisturbed duration, and what differs."""

    kills: tuple[float, ...]
    differences: tuple[str, ...]


class Kills:
    """Rounds of kills over one set of files. `rounds` yields as they end."""

    def __init__(self, folder: Path, records: int, seed: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        trio = scaled(folder / "files", records)
        self._work = Import({"trio": trio.paths})
        started = time.monotonic()
        self.expected: dict[str, Any] = HubProcess(folder / "undisturbed", self._work).finish()
        self.seconds = time.monotonic() - started

    def rounds(self, count: int) -> Iterator[Round]:
        """`count` rounds whose first kills are spread evenly over the whole duration."""
        for number in range(count):
            share = (number + self._chance.random()) / count
            moments = [share] if number % SECOND_KILL_EVERY else [share, self._chance.random()]
            yield self._round(self._folder / f"round-{number}", moments)

    def _round(self, data: Path, moments: list[float]) -> Round:
        hub = HubProcess(data, self._work)
        kills = tuple(share for share in moments if hub.die_after(share * self.seconds))
        found = hub.finish()
        wrong = differences(self.expected, found) + [w for report in found["reports"] for w in check_laws(report)]
        if not wrong:
            shutil.rmtree(data)
        return Round(kills, tuple(wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description="Kills an import at random moments and compares what it leaves.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--records", type=int, default=14_000, help="in all three files together")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    kills = Kills(folder, options.records, options.seed)
    print(f"undisturbed: {len(kills.expected['stored']):,} records stored, {kills.seconds:.1f} s", flush=True)
    parts: Counter[int] = Counter()
    failed = 0
    for number, done in enumerate(kills.rounds(options.rounds), start=1):
        parts.update(min(PARTS - 1, int(share * PARTS)) for share in done.kills)
        failed += bool(done.differences)
        moments = ", ".join(f"{share:.0%}" for share in done.kills) or "none (it ended before)"
        print(f"round {number:3d}  killed at {moments:14}  {'DIFFERS' if done.differences else 'equal'}", flush=True)
        for difference in done.differences:
            print(f"    {difference}")
    print("kills by tenth of the duration: " + " ".join(str(parts[i]) for i in range(PARTS)))
    print(f"{parts.total()} kills in {options.rounds} rounds; {failed} rounds differ (seed {options.seed})")
    if not failed:
        shutil.rmtree(folder)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
