"""ETags: polling that costs nothing while nothing changes, and changes that say what they are based on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

from shared.errors import ConflictError, PermanentError


def content_etag(body: bytes) -> str:
    """The ETag of an answer by its content."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def revision_etag(revision: int) -> str:
    """The ETag of a document by its revision."""
    return f'"r{revision}"'


def answer_with_etag(
    request: Request,
    body: bytes,
    *,
    etag: str | None = None,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """200 with the body and its ETag (by content where none is given), or 304 without body if the caller has it."""
    tag = etag or content_etag(body)
    all_headers = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    asked = request.headers.get("if-none-match")
    if asked is not None and (asked.strip() == "*" or _opaque(tag) in map(_opaque, _listed(asked))):
        return Response(status_code=304, headers=all_headers)
    return Response(body, headers=all_headers, media_type=media_type)


def expected_revision(request: Request) -> int:
    """The revision that If-Match names, to be given to `Documents.put`.

    428 where the header is missing, 412 where it is not one ETag of `revision_etag`.
    """
    asked = request.headers.get("if-match")
    if asked is None:
        raise PermanentError(
            "This change needs an If-Match header. Nothing was changed.",
            next_step="Read the resource and send its ETag as If-Match.",
            code="precondition_required",
        )
    tag = asked.strip()
    if tag.startswith('"r') and tag.endswith('"') and tag[2:-1].isascii() and tag[2:-1].isdigit():
        return int(tag[2:-1])
    raise _moved_on()


def check_if_match(request: Request, revision: int) -> None:
    """412 unless If-Match names this revision; 428 without the header."""
    if expected_revision(request) != revision:
        raise _moved_on()


def _moved_on() -> ConflictError:
    return ConflictError(
        "It was changed since you read it. Nothing was changed by this call.",
        next_step="Read it again and repeat your change on what it says now.",
        code="precondition_failed",
    )


def _listed(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",")]


def _opaque(tag: str) -> str:
    """If-None-Match compares weakly: W/"x" and "x" are the same."""
    return tag.removeprefix("W/")
