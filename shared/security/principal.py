"""Who calls, for which account, and what their role may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import NotAllowedError
from shared.observability.events import ACCESS_REFUSED, emit

DEFAULT_ACCOUNT = "main"


class Role(StrEnum):
    """What a caller may do; each role may all that the ones before it may."""

    VIEWER = "viewer"
    """May look."""
    ADMIN = "admin"
    """May migrate."""
    OWNER = "owner"
    """May also give and revoke access."""

    def includes(self, other: Role) -> bool:
        """Whether this role may do what the other may."""
        ranked = list(Role)
        return ranked.index(self) >= ranked.index(other)


LOCAL_TOKEN_ID = "local"  # noqa: S105 (a name, no secret)
"""Token id of the command line that works on its own data directory; no stored token has it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose token was verified. Everything it reads or writes belongs to `account`."""

    account: str
    role: Role
    token_id: str
    name: str


def local_owner(account: str = DEFAULT_ACCOUNT) -> Principal:
    """The command line working on its own data directory: whoever may read those files owns what is in them."""
    return Principal(account, Role.OWNER, LOCAL_TOKEN_ID, "command line")


def require(principal: Principal, role: Role) -> None:
    """NotAllowedError, audited, unless the caller's role includes the given one."""
    if principal.role.includes(role):
        return
    emit(
        ACCESS_REFUSED,
        reason="role",
        account=principal.account,
        token_id=principal.token_id,
        has_role=principal.role.value,
        needs_role=role.value,
    )
    raise NotAllowedError(
        f"This needs the role {role.value}; your token has the role {principal.role.value}. Nothing was changed.",
        next_step="Ask an owner of the account for a token with that role.",
    )
