"""Options that commands share, and how a command ends."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from services.cli.connection import Target

T = TypeVar("T")

DataDir = Annotated[
    Path, typer.Option("--data-dir", envvar="HUB_DATA_DIR", help="Folder in which the hub keeps everything.")
]
Server = Annotated[
    str | None, typer.Option("--server", envvar="HUB_SERVER", help="Address of a hub that runs elsewhere.")
]
Token = Annotated[str | None, typer.Option("--token", envvar="HUB_TOKEN", help="API token for --server.")]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
SessionId = Annotated[str | None, typer.Option("--session", help="Which session; the latest one if left out.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

DATA_DIR = Path("hub-data")

INTERRUPTED = 130


class Ended(Exception):  # noqa: N818 - it is no error
    """Ends the command with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def target(data_dir: Path, server: str | None, token: str | None) -> Target:
    """Which hub the command is for."""
    from services.cli.connection import Target

    return Target(data_dir, server, token)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command to its end; SIGTERM and Ctrl-C end it in an orderly way."""
    import asyncio
    import signal

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(guarded())
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("Stopped. What was stored is safe; an import that was under way goes on with: hub resume")
        raise Ended(INTERRUPTED) from None


def say(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def answer(text: str) -> None:
    """A line of the answer, on standard output."""
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        close_output()


def answer_json(content: Any) -> None:
    """The answer as JSON."""
    answer(json.dumps(content, indent=2, ensure_ascii=False))


def close_output() -> NoReturn:
    """The reader of standard output has gone (`| head`): nothing more can be said to it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise Ended(0)
