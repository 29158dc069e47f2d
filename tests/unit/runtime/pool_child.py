"""A process with a busy and an idle worker, to be killed: `python -m tests.unit.runtime.pool_child FILE`."""

from __future__ import annotations

import asyncio
import sys

from shared.runtime import WorkerPool


async def _main() -> None:
    pool = WorkerPool(2)
    await pool.start()
    print(*pool.pids(), flush=True)
    await pool.call("tests.unit.runtime.work:work_for_ever", sys.argv[1])


if __name__ == "__main__":
    asyncio.run(_main())
