"""Kill -9 of a real process, then a restart: nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.runtime.fail_points import LOG_VARIABLE, WHICH_VARIABLE
from tests.contract.runtime.conftest import Start
from tests.contract.runtime.crash_child import FAIL_POINT
from tests.contract.runtime.notes import ANSWERS, Collector, answer, drained, note, reader

_CHILD = [sys.executable, "-m", "tests.contract.runtime.crash_child"]
_ROOT = Path(__file__).parents[3]


def _killed_while_answering(address: str, nth: int, hits: Path) -> None:
    environment = os.environ | {WHICH_VARIABLE: f"{FAIL_POINT}@{nth}", LOG_VARIABLE: str(hits)}
    child = subprocess.run([*_CHILD, address, "answer"], cwd=_ROOT, env=environment, timeout=60)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.parametrize("nth", [1, 6, 20])
async def test_a_message_handled_and_not_committed_at_a_kill_comes_again(
    start: Start, address: str, tmp_path: Path, nth: int
) -> None:
    runtime = await start(reader(Collector()), reader(Collector(), name="asker", of=ANSWERS))
    await runtime.stop()
    runtime = await start()
    await runtime.publish([note(n) for n in range(20)])
    await runtime.stop()

    _killed_while_answering(address, nth, tmp_path / "hits")
    answers = Collector()
    runtime = await start(reader(answer), reader(answers, name="asker", of=ANSWERS))
    await drained(runtime)
    await drained(runtime, "hub.asker")

    assert (tmp_path / "hits").read_text().startswith(f"{FAIL_POINT}@{nth} ")
    assert set(answers.numbers) == set(range(20))


async def test_what_was_committed_before_a_kill_is_not_handled_again(
    start: Start, address: str, tmp_path: Path
) -> None:
    runtime = await start()
    await runtime.publish([note(n, key=0) for n in range(20)])
    await runtime.stop()

    _killed_while_answering(address, 9, tmp_path / "hits")
    again = Collector()
    runtime = await start(reader(again))
    await drained(runtime)

    # Turns of four: two were committed when the ninth message was handled.
    assert again.numbers == list(range(8, 20))


async def test_every_acknowledged_message_survives_a_kill_of_the_publisher(start: Start, address: str) -> None:
    child = subprocess.Popen([*_CHILD, address, "publish"], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(100)]
    child.kill()
    acknowledged += [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.wait()

    seen = Collector()
    runtime = await start(reader(seen))
    await drained(runtime)

    assert set(acknowledged) <= set(seen.numbers)
    assert len(seen.numbers) == len(set(seen.numbers))
