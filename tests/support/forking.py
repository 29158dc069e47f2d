"""Starts processes of the hub from one that has only imported it: no thread, no open file, a second saved each time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["__main__", "tests.support.hub_process", "tests.support.forked_cluster", "shared.storage.mongo", "uvicorn.logging"]
)


def kill_group(process: BaseProcess) -> None:
    """SIGKILL to a process of `CONTEXT` and its group; harmless where they are gone. It has ended on return."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()  # one that was not yet the leader of its group
    process.join()
