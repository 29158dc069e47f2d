"""The local cache of files: its bound, what it never removes, and several processes."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import pytest

from shared.storage.mongo.file_cache import KEPT_SECONDS, UNUSED_SECONDS_MAX, FileCache


class Clock:
    """Stands until it is moved. Starts at the present, like the files' times."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def put(cache: FileCache, content: bytes) -> str:
    """A new copy, as an upload or a download makes it."""
    reference = await cache.files.put_bytes(content)
    assert await cache.path(reference.sha256) is not None
    await cache.added(reference.size)
    return reference.sha256


async def is_there(cache: FileCache, *names: str) -> list[bool]:
    """Without counting as a use."""
    return [await cache.files.exists(name) for name in names]


async def test_what_was_used_longest_ago_goes_first(tmp_path: Path, clock: Clock) -> None:
    cache = FileCache(tmp_path, bytes_max=250, clock=clock)
    first, second, third = [await put(cache, bytes([n]) * 100) for n in (1, 2, 3)]
    clock.now += KEPT_SECONDS
    await cache.path(first)
    clock.now += 1

    fourth = await put(cache, bytes([4]) * 100)

    assert await is_there(cache, first, second, third, fourth) == [True, False, False, True]


async def test_just_as_many_bytes_as_allowed_stay(tmp_path: Path, clock: Clock) -> None:
    cache = FileCache(tmp_path, bytes_max=300, clock=clock)
    first, second = [await put(cache, bytes([n]) * 100) for n in (1, 2)]
    clock.now += KEPT_SECONDS + 1

    third = await put(cache, bytes([3]) * 100)

    assert await is_there(cache, first, second, third) == [True, True, True]


async def test_what_is_in_use_stays_although_the_bound_is_passed(tmp_path: Path, clock: Clock) -> None:
    cache = FileCache(tmp_path, bytes_max=100, clock=clock)
    names = [await put(cache, bytes([n]) * 100) for n in range(5)]

    clock.now += KEPT_SECONDS - 1
    names.append(await put(cache, bytes([9]) * 100))

    assert await is_there(cache, *names) == [True] * 6


async def test_asking_again_keeps_a_file_for_another_half_hour(tmp_path: Path, clock: Clock) -> None:
    cache = FileCache(tmp_path, bytes_max=100, clock=clock)
    name = await put(cache, b"a" * 100)
    for _ in range(5):
        clock.now += KEPT_SECONDS - 1
        assert await cache.path(name) is not None
    clock.now += KEPT_SECONDS - 1

    await put(cache, b"b" * 100)

    assert await is_there(cache, name) == [True]


async def test_what_nobody_used_for_a_day_goes_although_there_is_room(tmp_path: Path, clock: Clock) -> None:
    cache = FileCache(tmp_path, bytes_max=1_000, clock=clock)
    old = await put(cache, b"a" * 100)
    clock.now += UNUSED_SECONDS_MAX + 1

    new = await put(cache, b"b" * 100)

    assert await is_there(cache, old, new) == [False, True]


async def test_another_process_that_uses_a_file_keeps_it(tmp_path: Path, clock: Clock) -> None:
    one, other = (FileCache(tmp_path, bytes_max=100, clock=clock) for _ in range(2))
    name = await put(one, b"a" * 100)
    clock.now += KEPT_SECONDS + 1
    await other.path(name)

    await put(one, b"b" * 100)

    assert await is_there(other, name) == [True]


async def test_what_an_earlier_process_left_counts(tmp_path: Path, clock: Clock) -> None:
    old = await put(FileCache(tmp_path, bytes_max=100, clock=clock), b"a" * 100)
    clock.now += KEPT_SECONDS + 1

    cache = FileCache(tmp_path, bytes_max=100, clock=clock)
    await put(cache, b"b")

    assert await is_there(cache, old) == [False]


async def test_what_is_mapped_into_memory_stays_readable_after_it_was_removed(tmp_path: Path, clock: Clock) -> None:
    cache = FileCache(tmp_path, bytes_max=100, clock=clock)
    name = await put(cache, b"a" * 100)
    path = await cache.path(name)
    assert path is not None
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    clock.now += KEPT_SECONDS + 1

    await put(cache, b"b" * 100)

    assert await cache.path(name) is None
    assert mapped[:] == b"a" * 100


async def test_what_is_not_there_has_no_path(tmp_path: Path) -> None:
    assert await FileCache(tmp_path).path("0" * 64) is None
