"""API tokens, accounts and roles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import BadInputError, ConflictError, NotAllowedError, NotFoundError
from shared.observability.events import listen
from shared.security.principal import Principal, Role, require
from shared.security.tokens import TOKENS, TokenStore
from shared.storage.documents import SqliteDocuments
from tests.contract.stores.document_contract import FakeClock
from tests.support.stores import open_documents


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    async with open_documents(tmp_path, FakeClock()) as documents:
        yield documents


@pytest.fixture
def tokens(documents: SqliteDocuments) -> TokenStore:
    return TokenStore(documents, clock=FakeClock())


async def test_a_new_token_verifies_to_its_principal(tokens: TokenStore) -> None:
    made = await tokens.create("main", Role.ADMIN, "nightly import")

    principal = await tokens.verify(made.text)

    assert made.text.startswith("hub_")
    assert len(made.text) == 4 + 43
    assert principal == Principal("main", Role.ADMIN, made.token.id, "nightly import")


async def test_the_token_itself_is_stored_nowhere(tokens: TokenStore, documents: SqliteDocuments) -> None:
    made = await tokens.create("main", Role.ADMIN, "nightly import")

    page = await documents.find(TOKENS)

    assert [made.text.removeprefix("hub_").encode() in document.body for document in page.documents] == [False]
    assert made.text not in repr(made)


@pytest.mark.parametrize("text", ["", "hub_", "hub_short", "Bearer x", "hub_" + "é" * 43, "hub_" + "A" * 43])
async def test_what_is_no_token_of_ours_is_nobody(tokens: TokenStore, text: str) -> None:
    await tokens.create("main", Role.ADMIN, "other")

    assert await tokens.verify(text) is None


async def test_a_token_with_one_other_character_is_nobody(tokens: TokenStore) -> None:
    made = await tokens.create("main", Role.ADMIN, "one")
    other = made.text[:-1] + ("A" if made.text[-1] != "A" else "B")

    assert await tokens.verify(other) is None


async def test_a_revoked_token_is_nobody_at_once(tokens: TokenStore) -> None:
    made = await tokens.create("main", Role.ADMIN, "one")

    revoked = await tokens.revoke("main", made.token.id)
    again = await tokens.revoke("main", made.token.id)

    assert await tokens.verify(made.text) is None
    assert revoked == again
    assert revoked.revoked_at == 1_000_000.0


async def test_another_account_can_neither_list_nor_revoke_it(tokens: TokenStore) -> None:
    made = await tokens.create("main", Role.ADMIN, "one")

    with pytest.raises(NotFoundError):
        await tokens.revoke("other", made.token.id)
    assert await tokens.all_of("other") == []
    assert await tokens.verify(made.text) is not None


async def test_the_last_owner_token_cannot_be_revoked(tokens: TokenStore) -> None:
    first = await tokens.create("main", Role.OWNER, "first")
    await tokens.create("main", Role.ADMIN, "admin")

    with pytest.raises(ConflictError, match="last owner"):
        await tokens.revoke("main", first.token.id)
    await tokens.create("main", Role.OWNER, "second")
    await tokens.revoke("main", first.token.id)

    assert await tokens.verify(first.text) is None


async def test_all_tokens_of_an_account_are_listed_beyond_one_page(tokens: TokenStore) -> None:
    for number in range(120):
        await tokens.create("main", Role.VIEWER, f"viewer {number}")

    assert len(await tokens.all_of("main")) == 120


async def test_the_first_start_gives_an_owner_token_once(tokens: TokenStore) -> None:
    first = await tokens.first_start()
    second = await tokens.first_start()

    assert first is not None
    assert second is None
    principal = await tokens.verify(first.text)
    assert principal is not None
    assert (principal.account, principal.role) == ("main", Role.OWNER)


async def test_a_first_start_killed_before_the_token_was_stored_is_made_good(
    tokens: TokenStore, documents: SqliteDocuments
) -> None:
    killed = await tokens.first_start()
    assert killed is not None
    await documents.delete(TOKENS, killed.token.id)

    again = await tokens.first_start()

    assert again is not None
    assert await tokens.verify(again.text) is not None


@pytest.mark.parametrize(
    ("has", "needs", "is_allowed"),
    [
        (Role.VIEWER, Role.VIEWER, True),
        (Role.VIEWER, Role.ADMIN, False),
        (Role.VIEWER, Role.OWNER, False),
        (Role.ADMIN, Role.VIEWER, True),
        (Role.ADMIN, Role.ADMIN, True),
        (Role.ADMIN, Role.OWNER, False),
        (Role.OWNER, Role.VIEWER, True),
        (Role.OWNER, Role.OWNER, True),
    ],
)
def test_each_role_includes_the_lesser_ones(has: Role, needs: Role, is_allowed: bool) -> None:
    principal = Principal("main", has, "t1", "test")

    if is_allowed:
        require(principal, needs)
    else:
        with pytest.raises(NotAllowedError, match=f"needs the role {needs.value}"):
            require(principal, needs)


def test_a_refusal_is_audited_with_who_and_what() -> None:
    seen: list[tuple[str, object]] = []
    stop = listen(lambda event, facts: seen.append((event.name, dict(facts))))

    with pytest.raises(NotAllowedError):
        require(Principal("main", Role.VIEWER, "t1", "test"), Role.OWNER)
    stop()

    assert seen == [
        (
            "access_refused",
            {"reason": "role", "account": "main", "token_id": "t1", "has_role": "viewer", "needs_role": "owner"},
        )
    ]


async def test_an_owner_token_given_from_outside_is_valid_and_kept_as_a_hash(
    tokens: TokenStore, documents: SqliteDocuments
) -> None:
    stored = await tokens.ensure_owner("token-of-the-operator")

    principal = await tokens.verify("token-of-the-operator")
    page = await documents.find(TOKENS)

    assert principal == Principal("main", Role.OWNER, stored.id, "given from outside")
    assert [b"token-of-the-operator" in document.body for document in page.documents] == [False]


async def test_an_owner_token_may_be_given_by_many_starts_at_once(tokens: TokenStore) -> None:
    given = await asyncio.gather(*(tokens.ensure_owner("token-of-the-operator") for _ in range(5)))

    assert len({token.id for token in given}) == 1
    assert [token.role for token in await tokens.all_of("main")] == [Role.OWNER]
    assert await tokens.first_start() is None


async def test_an_owner_token_given_to_an_installation_that_has_one_is_added(tokens: TokenStore) -> None:
    first = await tokens.first_start()
    await tokens.ensure_owner("token-of-the-operator")

    assert first is not None
    assert await tokens.verify(first.text) is not None
    assert await tokens.verify("token-of-the-operator") is not None


async def test_an_owner_token_that_was_revoked_is_not_made_valid_by_the_next_start(tokens: TokenStore) -> None:
    given = await tokens.ensure_owner("token-of-the-operator")
    await tokens.create("main", Role.OWNER, "another")
    await tokens.revoke("main", given.id)

    again = await tokens.ensure_owner("token-of-the-operator")

    assert again.revoked_at is not None
    assert await tokens.verify("token-of-the-operator") is None


@pytest.mark.parametrize("text", ["", "short", "fifteen-letters", "with a blank in between", "ä" * 20, "x" * 201])
async def test_what_cannot_be_a_bearer_token_is_refused(text: str, tokens: TokenStore) -> None:
    with pytest.raises(BadInputError, match="16 to 200"):
        await tokens.ensure_owner(text)
