"""Who is calling: FastAPI dependencies that turn a bearer token into a Principal.

A route says what it needs by its parameter: `principal: Viewer`, `Admin` or `Owner`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.errors import NotAuthenticatedError
from shared.http.rate_limit import RateLimit
from shared.observability.events import ACCESS_REFUSED, emit
from shared.security.principal import Principal, Role, require

_bearer = HTTPBearer(auto_error=False, description="API token of the hub, hub_…")


class Verifier(Protocol):
    """Knows tokens; `shared.security.tokens.TokenStore` is one."""

    async def verify(self, text: str) -> Principal | None:
        """Who the token stands for, None where it is not valid."""
        ...


class Gate:
    """Verifies and rate-limits callers. `create_app` keeps one in `app.state.gate`."""

    def __init__(self, verifier: Verifier, limit: RateLimit) -> None:
        self._verifier = verifier
        self._limit = limit

    async def admit(self, token: str | None, *, address: str) -> Principal:
        """The caller behind the token. NotAuthenticatedError (audited) or RateLimitedError.

        Failed tries are limited by address, so that guessing is slow and cheap to refuse.
        """
        principal = await self._verifier.verify(token) if token else None
        if principal is not None:
            self._limit.take(principal.token_id)
            return principal
        self._limit.take(f"address {address}")
        emit(ACCESS_REFUSED, reason="token_unknown" if token else "token_missing", address=address)
        raise NotAuthenticatedError(
            "The API token is not valid." if token else "This call needs an API token.",
            next_step="Send the header 'Authorization: Bearer hub_…'. An owner of the account can make a token.",
        )


async def authenticate(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    """The verified caller of this request; counted once per request however many dependencies ask."""
    gate: Gate = request.app.state.gate
    address = request.client.host if request.client else "unknown"
    return await gate.admit(credentials.credentials if credentials else None, address=address)


def requires(role: Role) -> Callable[..., Awaitable[Principal]]:
    """A dependency that gives the caller if its role includes this one, and refuses with 403 otherwise."""

    async def check(principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        require(principal, role)
        return principal

    return check


Viewer = Annotated[Principal, Depends(requires(Role.VIEWER))]
Admin = Annotated[Principal, Depends(requires(Role.ADMIN))]
Owner = Annotated[Principal, Depends(requires(Role.OWNER))]
