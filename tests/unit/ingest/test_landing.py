"""Landing by message: what becomes of a file, also when its message comes twice, never, or while the hub stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.ingest.model import SESSIONS, SessionFile
from shared.errors import NotFoundError, RetryableError
from shared.messages import topics
from shared.messages.envelope import Topic
from shared.runtime import GivenUp
from tests.unit.ingest.desk import ADA, CLEO, Desk

SECONDS = 10


async def test_an_uploaded_file_is_landed_when_its_message_comes(desk: Desk) -> None:
    session = await desk.session()
    await desk.add(session, "clients.csv", ADA)
    before = await desk.states(session)

    [file] = (await desk.read(session)).files

    assert before == {"clients.csv": ("landing", None)}
    assert (file.name, file.state, file.records, file.size_bytes) == ("clients.csv", "landed", 2, len(ADA))


async def test_files_of_a_session_go_to_one_partition_after_the_other(desk: Desk) -> None:
    session = await desk.session()

    for name in ("a.csv", "b.csv", "c.csv"):
        await desk.add(session, name, ADA)

    keys = [message.key for message in desk.sent.take() if message.topic is topics.FILE_RECEIVED]
    assert len({int(key) % 12 for key in keys}) == 3


async def test_a_file_that_is_not_there_is_rejected_with_a_way_out(desk: Desk, tmp_path: Path) -> None:
    session = await desk.session()

    await desk.sessions.add_path("main", "ann", session, tmp_path / "gone.csv")
    [file] = (await desk.read(session)).files

    assert file.state == "rejected"
    assert "gone.csv cannot be read" in (file.error or "")
    assert "Check the path" in (file.next_step or "")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"])
async def test_a_file_without_a_table_is_rejected_and_the_others_are_not(desk: Desk, content: bytes) -> None:
    session = await desk.session()

    await desk.upload(session, "odd.csv", content)
    await desk.upload(session, "clients.csv", ADA)

    assert {name: state for name, (state, _) in (await desk.states(session)).items()} == {
        "odd.csv": "rejected",
        "clients.csv": "landed",
    }


async def test_a_passing_fault_is_left_to_the_next_try(desk: Desk) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)
    desk.workers.fails = [RetryableError("The worker died.")]

    with pytest.raises(RetryableError):
        await desk.landing.land(session, file.id)
    between = await desk.states(session)
    await desk.landing.land(session, file.id)

    assert between == {"clients.csv": ("landing", None)}
    assert await desk.states(session) == {"clients.csv": ("landed", None)}


@pytest.mark.parametrize(
    ("reason_code", "told"),
    [("attempts_used_up", "The disk is full."), ("unexpected_error", "because of a fault of the hub")],
)
async def test_a_file_that_is_given_up_says_why(desk: Desk, reason_code: str, told: str) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)

    await desk.landing.give_up(session, file.id, GivenUp(reason_code, "The disk is full.", 7))

    [given_up] = (await desk.sessions.get("main", session)).files
    assert (given_up.state, told in (given_up.error or "")) == ("rejected", True)
    assert "Add it again" in (given_up.next_step or "")


async def test_giving_up_a_file_of_no_session_does_nothing(desk: Desk) -> None:
    await desk.landing.give_up("gone", "f", GivenUp("not_found", "There is no session gone.", 1))

    assert desk.sent.take() == []


# ---- repeats, and several processes ---------------------------------------------------------------------------


async def test_a_message_that_comes_again_changes_nothing(desk: Desk) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)
    await desk.landing.land(session, file.id)
    landed = await desk.documents.get(SESSIONS, session)

    await desk.another().landing.land(session, file.id)
    await desk.landing.give_up(session, file.id, GivenUp("attempts_used_up", "Too late.", 7))

    assert await desk.documents.get(SESSIONS, session) == landed


async def test_two_processes_that_land_the_same_file_at_once_leave_it_as_one_does(desk: Desk) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)

    await asyncio.gather(*(process.landing.land(session, file.id) for process in (desk, desk.another())))

    found = await desk.sessions.get("main", session)
    assert [(f.state, f.records) for f in found.files] == [("landed", 2)]
    assert found.version == 2


async def test_twenty_files_landed_by_two_processes_at_once_are_all_kept(desk: Desk) -> None:
    session = await desk.session()
    files = [await desk.add(session, f"{n}.csv", CLEO + b"%d,1\n" % n) for n in range(20)]
    one, other = desk.landing, desk.another().landing

    await asyncio.gather(*((one, other)[n % 2].land(session, file.id) for n, file in enumerate(files)))

    assert set((await desk.states(session)).values()) == {("landed", None)}


async def test_a_file_taken_out_before_it_is_read_stays_out(desk: Desk) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)

    await desk.sessions.remove("main", "ann", session, file.id)
    await desk.landing.land(session, file.id)
    await desk.upload(session, "cleo.csv", CLEO)

    assert list(await desk.states(session)) == ["cleo.csv"]


async def test_a_file_of_no_session_is_an_error_of_its_message(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        await desk.landing.land("gone", "f")


# ---- files that take long -------------------------------------------------------------------------------------


class SlowWorkers:
    """Reports how far it is, and does not come to its end."""

    def __init__(self) -> None:
        self.is_cancelled = False

    async def call(self, _: str, *__: Any, on_report: Callable[[Any], None] | None = None) -> Any:
        assert on_report is not None
        on_report((1_000, 20))
        try:
            await asyncio.Event().wait()
        finally:
            self.is_cancelled = True


async def until(look: Callable[[], Any]) -> Any:
    """The first true answer."""
    async with asyncio.timeout(SECONDS):
        while not (found := await look()):
            await asyncio.sleep(0.002)
    return found


async def reading(desk: Desk, session: str) -> SessionFile | None:
    """The file, as another process shows it, once something of it is read."""
    [file] = (await desk.another().sessions.get("main", session)).files
    return file if file.bytes_read else None


async def test_another_process_sees_how_far_a_long_file_is_read(desk: Desk) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)
    desk.sent.take()
    desk.landing.workers = SlowWorkers()  # type: ignore[assignment]
    landing = asyncio.create_task(desk.landing.land(session, file.id))

    seen = await until(lambda: reading(desk, session))
    landing.cancel()
    await asyncio.gather(landing, return_exceptions=True)

    assert (seen.state, seen.bytes_read, seen.records) == ("landing", 1_000, 20)
    assert desk.sent.take() == []


async def test_a_file_that_is_read_while_the_hub_stops_is_given_back_at_once(desk: Desk) -> None:
    session, workers = await desk.session(), SlowWorkers()
    file = await desk.add(session, "clients.csv", ADA)
    desk.landing.workers = workers  # type: ignore[assignment]
    landing = asyncio.create_task(desk.landing.land(session, file.id))
    await until(lambda: reading(desk, session))

    await desk.landing.stopping()
    with pytest.raises(RetryableError) as given_back:
        async with asyncio.timeout(SECONDS):
            await landing
    await desk.another().landing.land(session, file.id)

    assert given_back.value.after_seconds == 0.0  # counts as a pause: the last try is not lost by it
    assert workers.is_cancelled
    assert await desk.states(session) == {"clients.csv": ("landed", None)}


# ---- lost messages --------------------------------------------------------------------------------------------


def asked(desk: Desk) -> list[Topic]:
    """What was sent about files since the last look."""
    return [message.topic for message in desk.sent.take() if message.topic is topics.FILE_RECEIVED]


async def test_a_file_whose_message_was_lost_is_asked_for_again_at_growing_intervals(desk: Desk) -> None:
    session = await desk.session()
    await desk.add(session, "clients.csv", ADA)
    desk.sent.take()
    processes = (desk, desk.another())
    times: list[float] = []

    for _ in range(50):
        desk.now += 10.0
        for process in processes:
            await process.landing.ask_again(60.0)
            times += [desk.now - 1_000.0 for _ in asked(desk)]

    assert times == [60.0, 60.0 + 120.0, 60.0 + 120.0 + 240.0]


async def test_a_file_that_shows_life_is_not_asked_for_again(desk: Desk) -> None:
    session = await desk.session()
    file = await desk.add(session, "clients.csv", ADA)
    desk.sent.take()
    desk.now += 59.0
    await desk.landing._note(session, file.id, (1_000, 20))
    desk.now += 59.0

    await desk.landing.ask_again(60.0)

    assert asked(desk) == []


async def test_files_that_are_read_are_not_asked_for_again(desk: Desk) -> None:
    session = await desk.session()
    await desk.upload(session, "clients.csv", ADA)
    desk.now += 10_000.0

    await desk.landing.ask_again(60.0)

    assert asked(desk) == []
