"""Sizes of request bodies: a small limit for every call, a larger one for those that stream an upload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BadInputError

_SCOPE_KEY = "hub.body_limit"


@dataclass(slots=True)
class _Limit:
    """Bytes this request may still have. Looked at when the body is read, so that a route can raise it before."""

    bytes_max: int
    code: str = "request_too_large"
    what: str = "request"

    def check(self, size: int) -> None:
        if size > self.bytes_max:
            raise BadInputError(
                f"The {self.what} is larger than {self.bytes_max:,} bytes. It was not stored.",
                next_step="Send less at once." if self.what == "request" else _SPLIT,
                code=self.code,
            )


_SPLIT = (
    "Split the file, import it with the command line (up to 2 GB), "
    "or ask whoever runs the hub to raise HUB_UPLOAD_BYTES_MAX."
)


class BodyLimitMiddleware:
    """Refuses (413) a request body above the limit: at once if it declares its length, else at the byte above."""

    def __init__(self, app: ASGIApp, *, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _Limit(self._bytes_max)
        scope[_SCOPE_KEY] = limit
        declared = _declared_length(scope)
        received = 0

        async def limited() -> Message:
            nonlocal received
            limit.check(declared)
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                limit.check(received)
            return message

        await self._app(scope, limited, send)


async def upload_chunks(request: Request, *, bytes_max: int | None = None) -> AsyncIterator[bytes]:
    """The request's raw body in pieces as it arrives, up to `bytes_max` (HUB_UPLOAD_BYTES_MAX where None).

    BadInputError with code `file_too_large` (413) at the first byte above, before it is stored. To be used in a route
    without body parameters, and given to `Files.put_stream` as it is.
    """
    limit: _Limit = request.scope[_SCOPE_KEY]
    limit.bytes_max = request.app.state.settings.upload_bytes_max if bytes_max is None else bytes_max
    limit.code, limit.what = "file_too_large", "file"
    async for chunk in request.stream():
        if chunk:
            yield chunk


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
