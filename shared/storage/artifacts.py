"""What immutable files say, decoded: plans, lists, manifests. An address names its content, so nothing goes stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from shared.storage.files import Files

T = TypeVar("T")

KEPT = 8


class Artifacts(Generic[T]):
    """Decoded files by address; those used last are kept."""

    def __init__(self, files: Files, decode: Callable[[bytes], T], *, kept: int = KEPT) -> None:
        self._files = files
        self._decode = decode
        self._count = kept
        self._kept: OrderedDict[str, T] = OrderedDict()

    async def get(self, address: str) -> T:
        """The content of an address. NotFoundError where there is none; errors of `decode` come out."""
        if address in self._kept:
            self._kept.move_to_end(address)
            return self._kept[address]
        content = self._kept[address] = self._decode(await self._files.read(address))
        while len(self._kept) > self._count:
            self._kept.popitem(last=False)
        return content
