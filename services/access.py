"""HTTP of access: who am I, and the API tokens of the account."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from shared.http.auth import Owner, Viewer
from shared.security.principal import Role
from shared.security.tokens import ApiToken, TokenStore


class Me(BaseModel):
    """The caller."""

    account: str
    role: Role
    name: str
    may_migrate: bool
    """Owner and admin may; a viewer looks."""


class NewTokenRequest(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    role: Role = Role.VIEWER


class TokenView(BaseModel):
    """A token without its text. Times are seconds since the epoch."""

    id: str
    name: str
    role: Role
    created_at: float
    revoked_at: float | None


class MadeToken(TokenView):
    """A new token: its text is shown here and nowhere else."""

    token: str


def make_router(tokens: TokenStore) -> APIRouter:
    """The routes over these tokens."""
    router = APIRouter(tags=["access"])

    @router.get("/me")
    async def me(principal: Viewer) -> Me:
        """Who the token stands for and what it may do."""
        may_migrate = principal.role.includes(Role.ADMIN)
        return Me(account=principal.account, role=principal.role, name=principal.name, may_migrate=may_migrate)

    @router.get("/tokens")
    async def list_tokens(principal: Owner) -> list[TokenView]:
        """All tokens of the account, oldest first, the revoked ones too."""
        return [TokenView(**_fields(token)) for token in await tokens.all_of(principal.account)]

    @router.post("/tokens", status_code=201)
    async def make_token(principal: Owner, body: NewTokenRequest) -> MadeToken:
        """A new token of the account."""
        made = await tokens.create(principal.account, body.role, body.name)
        return MadeToken(**_fields(made.token), token=made.text)

    @router.delete("/tokens/{token_id}")
    async def revoke_token(principal: Owner, token_id: str) -> TokenView:
        """Ends a token's validity at once. The last owner token of an account stays."""
        return TokenView(**_fields(await tokens.revoke(principal.account, token_id)))

    return router


def _fields(token: ApiToken) -> dict[str, object]:
    return {name: getattr(token, name) for name in TokenView.model_fields}
