"""Dead letters as an account sees them, and their replay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec
import pytest

from services.dead_letters import REPLAYS, DeadLetterDesk, Replay, ReplayRequest
from services.ingest.model import SESSIONS
from shared.observability.events import listen
from shared.runtime import DeadLetter, DeadLetterFilter, Runtime
from shared.security.principal import Principal, Role, local_owner
from shared.storage.documents import SqliteDocuments
from tests.contract.stores.document_contract import FakeClock
from tests.support.stores import open_documents

OWNER = Principal("main", Role.OWNER, "t1", "Ann")
LOCAL = local_owner()


def letter(offset: int, session: str, *, code: str = "attempts_used_up") -> DeadLetter:
    headers = {"subject": session} if session else {}
    return DeadLetter(
        topic="hub.session.sampled.v1",
        partition=0,
        offset=offset,
        key=session,
        headers=headers,
        body=b"{}",
        group="hub.analyze.session-sampled",
        error_class="RetryableError",
        reason_code=code,
        reason="It was away.",
        attempts=8,
        at=1_000.0 + offset,
    )


@dataclass
class LettersOnly:
    """A runtime of which only dead letters are asked."""

    letters: Sequence[DeadLetter]
    sent: list[int] = field(default_factory=list)

    async def dead_letters(self, wanted: DeadLetterFilter) -> list[DeadLetter]:
        return [letter for letter in self.letters if wanted.matches(letter)][: wanted.count_max]

    async def replay(self, wanted: DeadLetterFilter) -> int:
        letters = await self.dead_letters(wanted)
        self.sent += [letter.offset for letter in letters]
        return len(letters)


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    """Sessions `mine` of the account main and `theirs` of another one."""
    async with open_documents(tmp_path, FakeClock()) as documents:
        await documents.put(SESSIONS, "mine", b"{}", account="main", expected_revision=0)
        await documents.put(SESSIONS, "theirs", b"{}", account="other", expected_revision=0)
        yield documents


@pytest.fixture
def runtime() -> LettersOnly:
    return LettersOnly([letter(1, "mine"), letter(2, "theirs"), letter(3, ""), letter(4, "mine", code="bad_input")])


@pytest.fixture
def desk(documents: SqliteDocuments, runtime: LettersOnly) -> DeadLetterDesk:
    return DeadLetterDesk(cast(Runtime, runtime), documents, FakeClock())


async def test_an_account_sees_the_letters_of_its_sessions(desk: DeadLetterDesk) -> None:
    own = await desk.listed(OWNER, DeadLetterFilter())
    named = await desk.listed(OWNER, DeadLetterFilter(session="theirs"))

    assert [found.offset for found in own] == [1, 4]
    assert named == []


async def test_the_command_line_on_the_hubs_machine_sees_all(desk: DeadLetterDesk) -> None:
    assert [found.offset for found in await desk.listed(LOCAL, DeadLetterFilter())] == [1, 2, 3, 4]


async def test_letters_of_others_do_not_count_against_the_limit(desk: DeadLetterDesk) -> None:
    stranger = Principal("other", Role.OWNER, "t2", "Bob")

    assert [found.offset for found in await desk.listed(stranger, DeadLetterFilter(count_max=1))] == [2]


async def test_a_replay_sends_the_accounts_own_letters_alone(desk: DeadLetterDesk, runtime: LettersOnly) -> None:
    replay = await desk.replayed(OWNER, ReplayRequest())

    assert runtime.sent == [1, 4]
    assert (replay.matched, replay.replayed) == (2, 2)


async def test_a_replay_keeps_to_its_filter_and_limit(desk: DeadLetterDesk, runtime: LettersOnly) -> None:
    await desk.replayed(LOCAL, ReplayRequest(reason="attempts_used_up", limit=2))

    assert runtime.sent == [1, 2]


async def test_a_dry_run_sends_nothing_and_leaves_no_trace(
    desk: DeadLetterDesk, runtime: LettersOnly, documents: SqliteDocuments
) -> None:
    replay = await desk.replayed(OWNER, ReplayRequest(dry_run=True))

    assert (replay.matched, replay.replayed, runtime.sent) == (2, 0, [])
    assert (await documents.find(REPLAYS)).documents == ()


async def test_a_replay_is_audited(desk: DeadLetterDesk, documents: SqliteDocuments) -> None:
    told: list[tuple[str, object]] = []
    end_listening = listen(lambda event, facts: told.append((event.name, facts["messages"])))

    await desk.replayed(OWNER, ReplayRequest(session="mine"))
    end_listening()

    [document] = (await documents.find(REPLAYS, account="main")).documents
    kept = Replay.model_validate_json(document.body)
    assert (kept.actor, kept.wanted.session, kept.matched, kept.replayed) == ("Ann", "mine", 2, 2)
    assert told == [("dead_letters_replayed", 2)]


async def test_a_replay_that_breaks_off_is_audited_too(
    desk: DeadLetterDesk, runtime: LettersOnly, documents: SqliteDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: DeadLetterFilter) -> int:
        raise ConnectionError("the broker is gone")

    monkeypatch.setattr(runtime, "replay", broken)
    with pytest.raises(ConnectionError):
        await desk.replayed(OWNER, ReplayRequest())

    [document] = (await documents.find(REPLAYS)).documents
    assert msgspec.json.decode(document.body)["replayed"] == 0
