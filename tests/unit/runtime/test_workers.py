"""Worker processes: calls, errors, deaths, and that none is left over."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import BadInputError, RetryableError
from shared.runtime import WorkerPool
from tests.contract.runtime.notes import until

_ROOT = Path(__file__).parents[3]
_WORK = "tests.unit.runtime.work:"


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """A pool of one worker."""
    async with WorkerPool(1) as pool:
        yield pool


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_call_runs_in_another_process(pool: WorkerPool) -> None:
    assert await pool.call(_WORK + "pid") not in (0, os.getpid())


async def test_large_bodies_come_back_whole(pool: WorkerPool) -> None:
    body = os.urandom(5_000_000)

    assert await pool.call(_WORK + "double", body) == body + body


async def test_reports_come_in_order_before_the_result(pool: WorkerPool) -> None:
    reports: list[int] = []

    result = await pool.call(_WORK + "count_to", 5, on_report=reports.append)

    assert (result, reports) == ("counted", [1, 2, 3, 4, 5])


async def test_reports_that_nobody_wants_are_dropped(pool: WorkerPool) -> None:
    assert await pool.call(_WORK + "count_to", 3) == "counted"


async def test_errors_of_the_hub_keep_their_type_and_facts(pool: WorkerPool) -> None:
    with pytest.raises(BadInputError) as refused:
        await pool.call(_WORK + "refuse")
    with pytest.raises(RetryableError) as limited:
        await pool.call(_WORK + "rate_limited")

    assert (refused.value.message, refused.value.code, refused.value.next_step) == (
        "Row 3 is torn.",
        "torn_row",
        "Mend it.",
    )
    assert limited.value.after_seconds == 12.5


async def test_errors_of_the_system_keep_their_type(pool: WorkerPool) -> None:
    with pytest.raises(FileNotFoundError, match="/nowhere/at/all"):
        await pool.call(_WORK + "miss_file")


@pytest.mark.parametrize(
    ("function", "text"),
    [("divide_by_zero", "ZeroDivisionError"), ("lambda_", "pickle"), ("nowhere", "AttributeError")],
)
async def test_other_errors_come_with_the_traceback_of_the_worker(pool: WorkerPool, function: str, text: str) -> None:
    with pytest.raises(RuntimeError, match=text):
        await pool.call(_WORK + function)

    assert await pool.call(_WORK + "count_to", 1) == "counted"


async def test_a_worker_that_dies_fails_its_call_and_is_replaced(pool: WorkerPool) -> None:
    before = await pool.call(_WORK + "pid")

    with pytest.raises(RetryableError, match=r"died while it ran tests\.unit\.runtime\.work:die"):
        await pool.call(_WORK + "die")

    assert await pool.call(_WORK + "pid") != before


async def test_a_worker_that_died_while_idle_is_replaced(pool: WorkerPool) -> None:
    before = await pool.call(_WORK + "pid")
    os.kill(before, 9)
    await until(lambda: not pool._idle[0].is_alive)

    after = await pool.call(_WORK + "pid")

    assert after != before


async def test_a_worker_ignores_ctrl_c(pool: WorkerPool) -> None:
    assert await pool.call(_WORK + "interrupt_self") == "still here"


async def test_calls_run_at_the_same_time_up_to_the_size(tmp_path: Path) -> None:
    async with WorkerPool(2) as pool:
        await pool.start()
        calls = [asyncio.create_task(pool.call(_WORK + "wait_for", str(tmp_path / "go"))) for _ in range(2)]
        await until(lambda: len(pool._busy) == 2)
        (tmp_path / "go").touch()
        pids = await asyncio.gather(*calls)

    assert len(set(pids)) == 2


async def test_waiting_calls_run_in_the_order_they_came(pool: WorkerPool, tmp_path: Path) -> None:
    done: list[int] = []

    async def call(number: int) -> None:
        await pool.call(_WORK + "wait_for", str(tmp_path / "go"))
        done.append(number)

    calls = [asyncio.create_task(call(number)) for number in range(5)]
    await until(lambda: len(pool._waiting) == 4)
    (tmp_path / "go").touch()
    await asyncio.gather(*calls)

    assert done == [0, 1, 2, 3, 4]


async def test_cancelling_a_call_kills_its_worker_and_frees_its_place(pool: WorkerPool, tmp_path: Path) -> None:
    call = asyncio.create_task(pool.call(_WORK + "work_for_ever", str(tmp_path / "pid")))
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    worker = int((tmp_path / "pid").read_text())
    await until(lambda: not _is_alive(worker))

    assert await pool.call(_WORK + "count_to", 1) == "counted"


async def test_cancelling_a_waiting_call_lets_the_others_go_on(pool: WorkerPool, tmp_path: Path) -> None:
    calls = [asyncio.create_task(pool.call(_WORK + "wait_for", str(tmp_path / "go"))) for _ in range(3)]
    await until(lambda: len(pool._waiting) == 2)

    calls[1].cancel()
    (tmp_path / "go").touch()
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(results[1], asyncio.CancelledError)
    assert results[0] == results[2]


async def test_closing_ends_the_workers_and_fails_the_calls_under_way(tmp_path: Path) -> None:
    pool = WorkerPool(1)
    busy = asyncio.create_task(pool.call(_WORK + "work_for_ever", str(tmp_path / "pid")))
    waiting = asyncio.create_task(pool.call(_WORK + "pid"))
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))

    await pool.close()
    results = await asyncio.gather(busy, waiting, return_exceptions=True)

    assert [type(result) for result in results] == [RetryableError, RetryableError]
    assert not _is_alive(int((tmp_path / "pid").read_text()))
    with pytest.raises(RetryableError):
        await pool.call(_WORK + "pid")


async def test_no_worker_survives_the_kill_of_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.runtime.pool_child", str(tmp_path / "pid")],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    await until(lambda: (tmp_path / "pid").exists())
    alive_before = [_is_alive(pid) for pid in workers]

    parent.kill()
    parent.wait()
    parent.stdout.close()
    await until(lambda: not any(_is_alive(pid) for pid in workers))

    assert alive_before == [True, True]


async def test_the_initializer_runs_first_in_each_worker() -> None:
    async with WorkerPool(1, initializer=_WORK + "prepare") as pool:
        assert await pool.call(_WORK + "was_prepared") == ["prepared"]


async def test_a_fresh_worker_imports_neither_web_nor_messages_nor_database() -> None:
    async with WorkerPool(1) as pool:
        loaded = await pool.call(_WORK + "loaded_modules")

    assert not {"asyncio", "fastapi", "pydantic", "msgspec", "sqlite3", "structlog"} & set(loaded)


async def test_what_a_worker_prints_does_not_reach_standard_output(tmp_path: Path) -> None:
    program = (
        "import asyncio\nfrom shared.runtime import WorkerPool\n"
        "async def main():\n async with WorkerPool(1) as pool:\n  await pool.call('builtins:print', 'stray')\n"
        "asyncio.run(main())"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.returncode) == ("", 0)
