"""The embedded log itself: atomic turns, several processes, a full disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.errors import PermanentError
from shared.messages.envelope import Delivery, Outgoing
from shared.runtime import DeadLetterFilter, EmbeddedRuntime, EmbeddedSettings
from shared.runtime.fail_points import WHICH_VARIABLE
from tests.contract.runtime.notes import ANSWERS, NOTES, TOPICS, Collector, answer, drained, note, reader, until
from tests.contract.runtime.runtimes import open_runtime

_ROOT = Path(__file__).parents[3]
_CHILD = [sys.executable, "-m", "tests.contract.runtime.crash_child"]


def _messages(path: Path, topic: str) -> int:
    with sqlite3.connect(path) as connection:
        count: int = connection.execute(
            "SELECT count(*) FROM messages m JOIN topics t ON t.id = (m.id >> 40) / 1024 WHERE t.name = ?", (topic,)
        ).fetchone()[0]
    return count


def _committed(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        total: int = connection.execute("SELECT sum(next_offset) FROM offsets WHERE name = 'hub.reader'").fetchone()[0]
    return total


async def test_outputs_and_offsets_are_committed_together(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    runtime = open_runtime(f"embedded:{path}")
    await runtime.start()
    await runtime.publish([note(n) for n in range(40)])
    await runtime.stop()

    child = subprocess.run(
        [*_CHILD, f"embedded:{path}", "answer"],
        cwd=_ROOT,
        env=os.environ | {WHICH_VARIABLE: "mapper.mapped_not_committed@30"},
        timeout=60,
    )

    assert child.returncode == -signal.SIGKILL
    assert _messages(path, ANSWERS.name) == _committed(path) > 0


async def test_a_message_published_by_another_process_is_handled(tmp_path: Path) -> None:
    seen = Collector()
    runtime = open_runtime(f"embedded:{tmp_path / 'log.db'}")
    runtime.add(reader(seen))
    await runtime.start()

    child = subprocess.Popen([*_CHILD, f"embedded:{tmp_path / 'log.db'}", "publish"], cwd=_ROOT, stdout=subprocess.PIPE)
    await until(lambda: len(seen.numbers) >= 20)
    child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
    await runtime.publish([note(-1)])
    await until(lambda: -1 in seen.numbers)
    await runtime.stop()

    assert len(seen.numbers) == len(set(seen.numbers))


async def test_two_runtimes_may_publish_to_one_file_at_once(tmp_path: Path) -> None:
    first, second = (open_runtime(f"embedded:{tmp_path / 'log.db'}") for _ in range(2))
    seen = Collector()
    first.add(reader(seen))
    await first.start()
    await second.start()

    for n in range(0, 40, 2):
        await first.publish([note(n)])
        await second.publish([note(n + 1)])
    await until(lambda: len(seen.numbers) == 40)
    await second.stop()
    await first.stop()

    assert sorted(seen.numbers) == list(range(40))


async def test_the_consumer_stops_when_the_disk_takes_no_dead_letter(tmp_path: Path) -> None:
    async def refuse(delivery: Delivery) -> Sequence[Outgoing]:
        await _fill_disk(runtime)
        raise PermanentError("Never.")

    settings = EmbeddedSettings(partition_count=1, commit_attempts_max=2)
    runtime = EmbeddedRuntime(tmp_path / "log.db", topics=TOPICS, settings=settings)
    runtime.add(reader(refuse))
    await runtime.start()
    await runtime.publish([note(1, text="x" * 200_000)])
    await until(lambda: bool(runtime.faults()))
    (fault,) = runtime.faults()
    await runtime.stop()

    again = Collector()
    runtime = EmbeddedRuntime(tmp_path / "log.db", topics=TOPICS, settings=settings)
    runtime.add(reader(again))
    await runtime.start()
    await drained(runtime)
    letters = await runtime.dead_letters(DeadLetterFilter())
    await runtime.stop()

    assert "full" in fault.message
    assert (again.numbers, letters) == ([1], [])


async def _fill_disk(runtime: EmbeddedRuntime) -> None:
    """Let the file grow no more: what a full disk does, for this connection."""
    assert runtime._log is not None

    def stop_growing(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    await runtime._log.database.write(stop_growing)


async def test_several_consumers_commit_in_one_process_without_losing_a_message(tmp_path: Path) -> None:
    answers = Collector()
    runtime = open_runtime(f"embedded:{tmp_path / 'log.db'}")
    runtime.add(reader(answer, ordered=False), members=4)
    runtime.add(reader(answers, name="asker", of=ANSWERS), members=4)
    await runtime.start()

    for start in range(0, 600, 100):
        await runtime.publish([note(n) for n in range(start, start + 100)])
    await until(lambda: len(answers.numbers) >= 600)
    await drained(runtime)
    await runtime.stop()

    assert sorted(answers.numbers) == list(range(600))
    assert _messages(tmp_path / "log.db", NOTES.name) == 600
