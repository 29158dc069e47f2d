"""API tokens: made once, shown once, kept as a hash. Accounts and the first owner token of a new installation."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from shared.errors import BadInputError, ConflictError, NotFoundError
from shared.observability.events import ACCOUNT_CREATED, TOKEN_CREATED, TOKEN_REVOKED, emit, register
from shared.security.principal import DEFAULT_ACCOUNT, Principal, Role
from shared.storage.documents import Document, Documents

GIVEN_TOKEN_REVOKED = register(
    "given_token_revoked", "warning", "The owner token given from outside was revoked and is of no use; give another."
)

TOKENS = "tokens"
ACCOUNTS = "accounts"
PREFIX = "hub_"

TOKEN_CHARACTERS_MIN = 16
"""Of a token that is given from outside; those made here have 47."""

# What can be a bearer token at all: others are refused without a look into the store.
_TOKEN = re.compile(rf"[\x21-\x7e]{{{TOKEN_CHARACTERS_MIN},200}}")
# 64 bits of the hash name a token in lists and logs. They help nobody: the token itself has 256 random bits.
_ID_DIGITS = 16


class ApiToken(msgspec.Struct, frozen=True):
    """What is kept of a token. Times are seconds since the epoch; `revoked_at` is None while it is valid."""

    id: str
    account: str
    role: Role
    name: str
    created_at: float
    sha256: str
    revoked_at: float | None = None


class Account(msgspec.Struct, frozen=True):
    """A tenant: nothing of one account is ever visible in another."""

    id: str
    created_at: float
    first_token_id: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. `text` is the token itself: show it once, it cannot be read again."""

    text: str
    token: ApiToken

    def __repr__(self) -> str:
        return f"NewToken(id={self.token.id!r})"


class TokenStore:
    """API tokens on `Documents`.

    SHA-256 is enough for them: 32 random bytes cannot be guessed, unlike passwords. Who gives a token from outside
    should make it the same way (`openssl rand -hex 32`).
    """

    def __init__(
        self,
        documents: Documents,
        *,
        clock: Callable[[], float] = time.time,
        new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._new_secret = new_secret

    async def first_start(self, account: str = DEFAULT_ACCOUNT) -> NewToken | None:
        """Make the account with its first owner token, if this installation has none; None otherwise.

        Killed before the token was stored, the next start makes another. Killed after that and before it was shown, an
        owner makes one with the command line. Two first starts at once may each return a token; both are valid.
        """
        stored = await self._documents.get(ACCOUNTS, account)
        if stored is not None:
            first = msgspec.json.decode(stored.body, type=Account).first_token_id
            if await self._documents.get(TOKENS, first) is not None:
                return None
        made = self._make(account, Role.OWNER, "first owner")
        body = msgspec.json.encode(Account(account, self._clock(), made.token.id))
        try:
            await self._documents.put(
                ACCOUNTS, account, body, account=account, expected_revision=stored.revision if stored else 0
            )
        except ConflictError:
            return None  # another process starts at this moment and shows its token
        emit(ACCOUNT_CREATED, account=account)
        await self._store_new(made.token)
        return made

    async def ensure_owner(self, text: str, account: str = DEFAULT_ACCOUNT) -> ApiToken:
        """Make the account and an owner token of this text, given from outside, if they are not there yet.

        May be repeated, by several processes at once; the answer is what is stored. A token of this text that was
        revoked stays so. BadInputError for a text that is too short or no bearer token.
        """
        if not is_token(text):
            raise BadInputError(
                "The owner token given from outside is none.",
                next_step=f"Give {TOKEN_CHARACTERS_MIN} to 200 printable ASCII characters without blanks.",
            )
        sha256 = _hash(text)
        token = ApiToken(sha256[:_ID_DIGITS], account, Role.OWNER, "given from outside", self._clock(), sha256)
        with contextlib.suppress(ConflictError):  # another process was quicker, or an earlier start
            await self._store_new(token)
        with contextlib.suppress(ConflictError):
            body = msgspec.json.encode(Account(account, self._clock(), token.id))
            await self._documents.put(ACCOUNTS, account, body, account=account, expected_revision=0)
            emit(ACCOUNT_CREATED, account=account)
        stored = await self._documents.get(TOKENS, token.id)
        kept = _decode(stored) if stored is not None else token
        if kept.revoked_at is not None:
            emit(GIVEN_TOKEN_REVOKED, account=account, token_id=token.id)
        return kept

    async def create(self, account: str, role: Role, name: str) -> NewToken:
        """A new token of the account, stored as a hash. Its text is in the answer and nowhere else."""
        made = self._make(account, role, name)
        await self._store_new(made.token)
        return made

    async def verify(self, text: str) -> Principal | None:
        """Who the token stands for; None where it is unknown, revoked or no token at all."""
        if not _TOKEN.fullmatch(text):
            return None
        sha256 = _hash(text)
        stored = await self._documents.get(TOKENS, sha256[:_ID_DIGITS])
        if stored is None:
            return None
        token = _decode(stored)
        if not hmac.compare_digest(token.sha256, sha256) or token.revoked_at is not None:
            return None
        return Principal(token.account, token.role, token.id, token.name)

    async def all_of(self, account: str) -> list[ApiToken]:
        """Every token of the account, oldest first, the revoked ones too."""
        tokens: list[ApiToken] = []
        cursor = None
        while True:
            page = await self._documents.find(TOKENS, account=account, after=cursor)
            tokens.extend(map(_decode, page.documents))
            if (cursor := page.cursor) is None:
                return tokens

    async def revoke(self, account: str, token_id: str) -> ApiToken:
        """End the token's validity at once; repeating is harmless. NotFoundError where the account has no such token.

        ConflictError for the last valid owner token: nobody could give access any more.
        """
        stored = await self._documents.get(TOKENS, token_id, account=account)
        if stored is None:
            raise NotFoundError(f"This account has no token {token_id}.", next_step="List the tokens and choose one.")
        token = _decode(stored)
        if token.revoked_at is not None:
            return token
        if token.role is Role.OWNER and await self._is_last_owner(token):
            raise ConflictError(
                "This is the last owner token of the account. It was not revoked.",
                next_step="Make another owner token first.",
            )
        revoked = msgspec.structs.replace(token, revoked_at=self._clock())
        await self._documents.put(
            TOKENS, token_id, msgspec.json.encode(revoked), account=account, expected_revision=stored.revision
        )
        emit(TOKEN_REVOKED, account=account, token_id=token_id)
        return revoked

    async def _is_last_owner(self, token: ApiToken) -> bool:
        return not any(
            other.role is Role.OWNER and other.revoked_at is None and other.id != token.id
            for other in await self.all_of(token.account)
        )

    def _make(self, account: str, role: Role, name: str) -> NewToken:
        text = PREFIX + self._new_secret()
        sha256 = _hash(text)
        return NewToken(text, ApiToken(sha256[:_ID_DIGITS], account, role, name, self._clock(), sha256))

    async def _store_new(self, token: ApiToken) -> None:
        await self._documents.put(
            TOKENS,
            token.id,
            msgspec.json.encode(token),
            account=token.account,
            expected_revision=0,
            order=f"{token.created_at:017.3f}",
        )
        emit(TOKEN_CREATED, account=token.account, token_id=token.id, role=token.role.value)


def is_token(text: str) -> bool:
    """Whether the text can be a token: 16 to 200 printable ASCII characters without blanks."""
    return _TOKEN.fullmatch(text) is not None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _decode(document: Document) -> ApiToken:
    return msgspec.json.decode(document.body, type=ApiToken)
