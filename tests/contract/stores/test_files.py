"""The contract of `Files` on every adapter, and what the directory adapter promises about kills."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.storage.files import DirectoryFiles
from tests.contract.stores.file_contract import FileContract, chunks

# Writes half of a file and then is killed the hard way, by itself.
KILLED_IN_A_PUT = """
import asyncio, os, signal, sys
from pathlib import Path
from shared.storage.files import DirectoryFiles

async def half():
    yield b"x" * 2_000_000
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    await DirectoryFiles(Path(sys.argv[1])).put_stream(half(), bytes_max=10**9)

asyncio.run(main())
"""


def contents(root: Path) -> list[Path]:
    """Every file below, the locks aside."""
    return [path for path in root.rglob("*") if path.is_file() and path.name not in ("lock", "starting.lock")]


class TestDirectoryFiles(FileContract):
    @pytest.fixture
    def files(self, tmp_path: Path) -> DirectoryFiles:
        return DirectoryFiles(tmp_path / "files")


async def test_what_a_killed_process_left_half_written_is_swept_at_the_next_start(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_A_PUT, str(tmp_path)], check=False)
    left = contents(tmp_path)

    DirectoryFiles(tmp_path)

    assert killed.returncode == -9
    assert len(left) == 1
    assert contents(tmp_path) == []


async def test_a_second_process_on_the_same_directory_leaves_files_being_written_alone(tmp_path: Path) -> None:
    first = DirectoryFiles(tmp_path)

    async def upload_while_another_starts():
        yield b"before "
        DirectoryFiles(tmp_path)
        yield b"after"

    reference = await first.put_stream(upload_while_another_starts(), bytes_max=100)

    assert await first.read(reference.sha256) == b"before after"


async def test_a_refused_upload_leaves_no_file_behind(tmp_path: Path) -> None:
    files = DirectoryFiles(tmp_path)

    with pytest.raises(Exception, match="larger"):
        await files.put_stream(chunks(b"12345"), bytes_max=4)

    assert contents(tmp_path) == []


async def test_stored_files_are_read_only(tmp_path: Path) -> None:
    files = DirectoryFiles(tmp_path)
    reference = await files.put_bytes(b"immutable")

    path = await files.local_path(reference.sha256)

    assert stat.S_IMODE(path.stat().st_mode) == 0o400
