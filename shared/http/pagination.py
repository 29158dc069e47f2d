"""Lists in pages: a limit, an opaque cursor, and the same envelope everywhere."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel, Field

from shared.errors import BadInputError

T = TypeVar("T")

PAGE_LIMIT_DEFAULT = 50
PAGE_LIMIT_MAX = 200


class Page(BaseModel, Generic[T]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None = Field(description="Give it as ?cursor= to get the next page; null on the last one")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page the caller wants; `cursor` None is the first."""

    limit: int
    cursor: str | None


def _page_request(
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT_MAX)] = PAGE_LIMIT_DEFAULT,
    cursor: Annotated[str | None, Query(max_length=1_000, description="next_cursor of the page before")] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)


Paging = Annotated[PageRequest, Depends(_page_request)]


def encode_cursor(*position: str | int) -> str:
    """An opaque cursor for the position after which the next page begins."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type[str] | type[int]) -> tuple[str | int, ...]:
    """The position in a cursor, which must have parts of these kinds; BadInputError where it is none of ours."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=tuple[str | int, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        position = ()
    if [type(part) for part in position] != list(kinds):
        raise BadInputError(
            "This is not a cursor of the hub.", next_step="Start again from the first page, without a cursor."
        )
    return position
