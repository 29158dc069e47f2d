"""The one way to make the API application: routers under /api/v1, problems, limits, headers, one OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.auth import Gate, Verifier, authenticate
from shared.http.bodies import BodyLimitMiddleware
from shared.http.idempotency import Idempotency
from shared.http.problem import PROBLEM_RESPONSES, install_problem_handlers, name_problem_media_type, unexpected
from shared.http.rate_limit import RateLimit
from shared.http.settings import HttpSettings

API_PREFIX = "/api/v1"
OPENAPI_PATH = f"{API_PREFIX}/openapi.json"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

# Set unless a route says otherwise (the console serves pages with a policy of their own).
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_app(
    title: str,
    routers: Sequence[APIRouter],
    *,
    version: str,
    verifier: Verifier,
    idempotency: Idempotency,
    settings: HttpSettings,
    lifespan: Lifespan | None = None,
    public_routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """The API with these routers. Every route needs a valid token, except those of `public_routers` (health).

    Routes find `settings`, `idempotency` and `gate` in `request.app.state`.
    """
    app = _Api(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # the built-in pages load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.idempotency = idempotency
    app.state.gate = Gate(verifier, RateLimit(settings.rate_limit_per_second, settings.rate_limit_burst))
    for router in public_routers:
        app.include_router(router, prefix=API_PREFIX, responses=PROBLEM_RESPONSES)
    for router in routers:
        app.include_router(router, prefix=API_PREFIX, responses=PROBLEM_RESPONSES, dependencies=[Depends(authenticate)])
    install_problem_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimitMiddleware, bytes_max=settings.request_bytes_max)
    app.add_middleware(FaultMiddleware)
    app.add_middleware(SecurityHeadersMiddleware)
    return app


class _Api(FastAPI):
    """FastAPI whose OpenAPI document tells the truth about problems."""

    def openapi(self) -> dict[str, Any]:
        return name_problem_media_type(super().openapi())


class SecurityHeadersMiddleware:
    """Adds the security headers to every answer that has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class FaultMiddleware:
    """Answers a fault of the hub with a problem and its reference, and logs it without any customer's value.

    The framework's own handling would hand the exception on to the server, which logs its message as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_started = False

        async def noting_start(message: Message) -> None:
            nonlocal is_started
            is_started = is_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting_start)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            answer = unexpected(error, method=scope["method"], path=scope["path"])
            if is_started:
                raise ConnectionAbortedError("The answer broke off; see request_failed in the log.") from None
            await answer(scope, receive, send)
