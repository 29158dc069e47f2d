"""Sessions: their files, copies, keys of repeated calls, and what becomes of a mapping when the files change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from services.ingest.model import ApprovedMapping, Session, SessionOptions
from shared.errors import BadInputError, ConflictError, NotFoundError
from shared.messages import topics
from shared.messages.envelope import Outgoing
from tests.unit.ingest.desk import ADA, CLEO, Desk

# ---- calls that come again ------------------------------------------------------------------------------------


async def test_a_session_made_again_with_its_key_is_the_same_one(desk: Desk) -> None:
    async def make(key: str | None) -> str:
        made = await desk.sessions.create("main", "ann", name="", options=SessionOptions(), paths=[], key=key)
        return made.id

    first, again, other, without = [await make(key) for key in ("k1", "k1", "k2", None)]

    assert first == again
    assert len({first, other, without}) == 3


async def test_a_session_made_again_is_answered_as_it_is_now(desk: Desk) -> None:
    options = SessionOptions()
    made = await desk.sessions.create("main", "ann", name="Move", options=options, paths=[], key="k1")
    await desk.upload(made.id, "clients.csv", ADA)

    again = await desk.another().sessions.create("main", "ann", name="Move", options=options, paths=[], key="k1")

    assert [file.name for file in again.files] == ["clients.csv"]


async def test_a_file_added_again_with_its_key_is_there_once(desk: Desk) -> None:
    session, ref = await desk.session(), await desk.files.put_bytes(ADA)

    added = [
        await process.sessions.add_upload("main", "ann", session, "clients.csv", ref, key="k1")
        for process in (desk, desk.another())
    ]

    assert added[0] == added[1]
    assert len(desk.waiting()) == 1
    assert len((await desk.sessions.get("main", session)).files) == 1


# ---- copies ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("a.csv", "b.csv", "c.csv"), ("c.csv", "a.csv", "b.csv")])
async def test_of_equal_files_the_first_by_name_counts_whichever_came_first(desk: Desk, names: tuple[str, ...]) -> None:
    session = await desk.session()

    for name in names:
        await desk.upload(session, name, ADA)

    assert await desk.states(session) == {
        "a.csv": ("landed", None),
        "b.csv": ("duplicate", "a.csv"),
        "c.csv": ("duplicate", "a.csv"),
    }


async def test_a_copy_takes_the_place_of_a_file_that_is_taken_out(desk: Desk) -> None:
    session = await desk.session()
    for name in ("a.csv", "b.csv"):
        await desk.upload(session, name, ADA)
    first = (await desk.sessions.get("main", session)).files[0]

    await desk.sessions.remove("main", "ann", session, first.id)

    assert await desk.states(session) == {"b.csv": ("landed", None)}


# ---- mappings -------------------------------------------------------------------------------------------------


async def test_an_approved_mapping_is_kept_until_the_files_change(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    await desk.approve(session)
    approved = (await desk.sessions.get("main", session)).mapping

    await desk.upload(session, "more.csv", CLEO)

    assert approved == ApprovedMapping(version=2, mapping_version=1, address="aa")
    assert (await desk.sessions.get("main", session)).mapping is None


async def test_an_approval_of_older_files_is_not_kept(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)

    await desk.sessions.approved(session, ApprovedMapping(version=1, mapping_version=1, address="aa"))

    assert (await desk.sessions.get("main", session)).mapping is None


async def test_a_copy_or_a_rejected_file_leaves_the_mapping_as_it_is(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    await desk.approve(session)

    await desk.upload(session, "z copy.csv", ADA)
    await desk.upload(session, "empty.csv", b"")

    assert (await desk.sessions.get("main", session)).mapping is not None


async def test_the_analysis_waits_for_files_that_are_being_read(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()
    with pytest.raises(BadInputError, match="no file"):
        await desk.sessions.analyse("main", "ann", session)
    (tmp_path / "clients.csv").write_bytes(ADA)
    await desk.sessions.add_path("main", "ann", session, tmp_path / "clients.csv")

    with pytest.raises(ConflictError, match="being read"):
        await desk.sessions.analyse("main", "ann", session)
    await desk.read(session)
    analysed = await desk.sessions.analyse("main", "ann", session)

    [sampled] = [m.message for m in desk.sent.take() if m.topic is topics.SESSION_SAMPLED]
    assert (sampled.version, analysed.sampled_version) == (2, 2)


# ---- who changes what -----------------------------------------------------------------------------------------


async def test_changes_of_several_processes_at_once_are_all_kept(desk: Desk) -> None:
    session = await desk.session()
    one, other = desk.sessions, desk.another().sessions

    def adds(text: str) -> Callable[[Session], list[Outgoing]]:
        def change(current: Session) -> list[Outgoing]:
            current.paths.append(text)
            return []

        return change

    await asyncio.gather(*(s.change(session, adds(f"{n}")) for n in range(4) for s in (one, other)))

    assert sorted((await one.get("main", session)).paths) == sorted(f"{n}" for n in range(4) for _ in (one, other))


async def test_another_account_sees_and_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    file = (await desk.sessions.get("main", session)).files[0]

    for call in (
        desk.sessions.get("other", session),
        desk.sessions.add_path("other", "eve", session, tmp_path / "x"),
        desk.sessions.remove("other", "eve", session, file.id),
        desk.sessions.analyse("other", "eve", session),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_the_audit_says_who_did_what(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    file = (await desk.sessions.get("main", session)).files[0]
    await desk.sessions.remove("main", "ben", session, file.id)

    assert [(line.actor, line.action) for line in (await desk.sessions.get("main", session)).audit] == [
        ("ann", "created"),
        ("ann", "added file clients.csv"),
        ("ben", "removed file clients.csv"),
    ]
