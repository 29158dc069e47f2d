"""A process that is killed: `python -m tests.contract.runtime.crash_child ADDRESS answer|publish`."""

from __future__ import annotations

import asyncio
import sys

from shared.runtime import Runtime
from tests.contract.runtime.notes import answer, note, reader
from tests.contract.runtime.runtimes import open_runtime

FAIL_POINT = "mapper.mapped_not_committed"


async def _answer(runtime: Runtime) -> None:
    """Answer notes until the fail point kills the process."""
    runtime.add(reader(answer, fail_point_before_commit=FAIL_POINT, in_flight=4))
    await runtime.start()
    await asyncio.Event().wait()


async def _publish(runtime: Runtime) -> None:
    """Publish notes one by one and say each number once it is acknowledged, until killed."""
    await runtime.start()
    for n in range(1_000_000):
        await runtime.publish([note(n)])
        print(n, flush=True)


if __name__ == "__main__":
    asyncio.run({"answer": _answer, "publish": _publish}[sys.argv[2]](open_runtime(sys.argv[1])))
