"""What every adapter of `Files` must do. Subclass with a fixture `files`; not collected by itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import BadInputError, NotFoundError
from shared.storage.files import Files

UNKNOWN = "0" * 64


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def broken_upload() -> AsyncIterator[bytes]:
    yield b"first half"
    raise ConnectionResetError("gone")


class FileContract:
    async def test_a_stream_is_stored_under_its_hash(self, files: Files) -> None:
        reference = await files.put_stream(chunks(b"Name,", b"", b"Phone\n"), bytes_max=100)

        assert reference.sha256 == hashlib.sha256(b"Name,Phone\n").hexdigest()
        assert reference.size == 11
        assert await files.read(reference.sha256) == b"Name,Phone\n"

    async def test_a_stream_of_exactly_the_limit_is_stored(self, files: Files) -> None:
        reference = await files.put_stream(chunks(b"12345", b"67890"), bytes_max=10)

        assert reference.size == 10

    async def test_one_byte_above_the_limit_is_refused_and_the_limit_named(self, files: Files) -> None:
        with pytest.raises(BadInputError, match="larger than 10 bytes") as refused:
            await files.put_stream(chunks(b"12345", b"678901"), bytes_max=10)

        assert refused.value.code == "file_too_large"
        assert not await files.exists(hashlib.sha256(b"12345678901").hexdigest())

    async def test_a_stream_is_not_read_on_after_the_limit(self, files: Files) -> None:
        asked = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal asked
            while True:
                asked += 1
                yield b"x"

        with pytest.raises(BadInputError):
            await files.put_stream(endless(), bytes_max=3)

        assert asked == 4

    async def test_an_empty_file_is_a_file(self, files: Files) -> None:
        reference = await files.put_stream(chunks(), bytes_max=10)

        assert (reference.size, await files.read(reference.sha256)) == (0, b"")

    async def test_the_same_content_by_any_way_is_one_file(self, files: Files, tmp_path: Path) -> None:
        local = tmp_path / "local.csv"
        local.write_bytes(b"same")

        references = {
            await files.put_bytes(b"same"),
            await files.put_path(local),
            await files.put_stream(chunks(b"sa", b"me"), bytes_max=4),
        }

        assert len(references) == 1

    async def test_the_same_content_from_many_at_once_is_stored_whole(self, files: Files) -> None:
        content = bytes(range(256)) * 4_096

        references = await asyncio.gather(*(files.put_bytes(content) for _ in range(8)))

        assert len(set(references)) == 1
        assert await files.read(references[0].sha256) == content

    async def test_a_local_file_stays_and_its_later_changes_do_not_matter(self, files: Files, tmp_path: Path) -> None:
        local = tmp_path / "local.csv"
        local.write_bytes(b"before")
        reference = await files.put_path(local)

        local.write_bytes(b"after!")

        assert await files.read(reference.sha256) == b"before"

    async def test_a_local_file_above_the_limit_is_refused_with_its_name(self, files: Files, tmp_path: Path) -> None:
        local = tmp_path / "big.csv"
        local.write_bytes(b"12345")

        with pytest.raises(BadInputError, match=r"big\.csv is larger than 4 bytes"):
            await files.put_path(local, bytes_max=4)

    @pytest.mark.parametrize("name", ["missing.csv", ""])
    async def test_a_path_that_is_no_readable_file_is_named(self, files: Files, tmp_path: Path, name: str) -> None:
        with pytest.raises(BadInputError, match="cannot be read"):
            await files.put_path(tmp_path / name)

    async def test_a_broken_upload_leaves_nothing(self, files: Files) -> None:
        with pytest.raises(ConnectionResetError):
            await files.put_stream(broken_upload(), bytes_max=100)

        assert not await files.exists(hashlib.sha256(b"first half").hexdigest())

    async def test_open_gives_the_content_in_bounded_blocks(self, files: Files) -> None:
        content = bytes(2_500_000)
        reference = await files.put_bytes(content)

        blocks = [block async for block in files.open(reference.sha256)]

        assert b"".join(blocks) == content
        assert max(map(len, blocks)) <= 1024 * 1024

    async def test_the_local_path_has_the_content(self, files: Files) -> None:
        reference = await files.put_bytes(b"for a worker")

        path = await files.local_path(reference.sha256)

        assert path.read_bytes() == b"for a worker"

    async def test_delete_removes_and_says_whether_it_was_there(self, files: Files) -> None:
        reference = await files.put_bytes(b"gone soon")

        assert await files.delete(reference.sha256) is True
        assert await files.delete(reference.sha256) is False
        assert not await files.exists(reference.sha256)

    async def test_unknown_content_is_not_found(self, files: Files) -> None:
        with pytest.raises(NotFoundError):
            await files.read(UNKNOWN)
        with pytest.raises(NotFoundError):
            await files.local_path(UNKNOWN)
        with pytest.raises(NotFoundError):
            await anext(files.open(UNKNOWN))

    @pytest.mark.parametrize("name", ["../../etc/passwd", "", "clients.csv", "A" * 64, "0" * 64 + "\n", "0" * 63])
    async def test_a_name_that_is_no_hash_is_not_found(self, files: Files, name: str) -> None:
        with pytest.raises(NotFoundError):
            await files.read(name)
        with pytest.raises(NotFoundError):
            await files.delete(name)
