"""What approvals teach, over HTTP and on the command line: looked at, given back, reset, shared, forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from services.app import Hub, embedded_hub
from services.settings import load_settings
from shared.security.principal import Role
from tests.support.drive import Driver, Json, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = [
    "Client Name,Email,Phone,Job Status,Title,Job #",
    "Ann Smith,ann@example.com,602 555 0101,Done,AC repair,1",
    "Bob Hill,bob@example.com,602 555 0102,Frobbed,Drain cleaning,2",
]
MOVED = [
    "Job #,Title,Job Status,Client Name,Crew Truck,Email",
    "7,AC repair,Done,Cy Jones,T-1,cy@example.com",
    "8,Tune-up,Frobbed,Di Jones,T-2,di@example.com",
]


@dataclass
class Place:
    """A hub where accounts may share, with a session whose changed mapping was approved."""

    hub: Hub
    driver: Driver
    folder: Path
    approved: str

    async def proposed(self, name: str, lines: list[str], driver: Driver | None = None) -> str:
        """Id of a session with one file of these lines and its mapping proposed."""
        client = driver or self.driver
        session = await client.session(name, [])
        body = ("\n".join(lines) + "\n").encode()
        answer = await client.client.post(f"/sessions/{session}/files", params={"name": "jobs.csv"}, content=body)
        assert answer.status_code == 202
        await client.land(session, [])
        await client.post(f"/sessions/{session}/analysis")

        async def mapped() -> bool:
            return (await client.client.get(f"/sessions/{session}/mapping")).status_code == 200

        await client.until("a mapping", mapped)
        return session

    @asynccontextmanager
    async def account(self, name: str) -> AsyncIterator[Driver]:
        """The hub as the owner of another account sees it."""
        token = await self.hub.tokens.create(name, Role.OWNER, "owner")
        async with client_of(self.hub, token.text) as client:
            yield Driver(client)


def by_field(mapping: Json) -> dict[str, str | None]:
    """Field -> header of the file's main record."""
    return {field["field"]: field["header"] for field in mapping["mapping"]["files"][0]["records"][0]["fields"]}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("memory")
    settings = load_settings(data_dir=folder / "data", mapper_memory_shared=True)
    async with embedded_hub(folder / "data", workers=1, settings=settings) as hub, client_of(hub) as client:
        place = Place(hub, Driver(client), folder, "")
        place.approved = await place.proposed("first", LINES)
        view = await place.driver.get(f"/sessions/{place.approved}/mapping")
        field = next(f for f in view["mapping"]["files"][0]["records"][0]["fields"] if f["field"] == "status")
        field["options"]["values"]["frobbed"] = "on_hold"
        await place.driver.post(f"/sessions/{place.approved}/mapping/document", view["mapping"])
        await place.driver.approve(place.approved)
        yield place


async def test_each_value_has_its_frequency_and_the_unmatched_are_listed(place: Place) -> None:
    session = await place.proposed("values", ["Job #,Title,Job Status", "1,AC repair,Done", "2,Tune-up,Blorp"])

    [values] = await place.driver.get(f"/sessions/{session}/mapping/values")

    assert [(v["value"], v["count"], v["becomes"]) for v in values["values"]] == [
        ("Blorp", 1, None),
        ("Done", 1, "completed"),
    ]
    assert values["unmatched"] == ["Blorp"]


async def test_an_approved_mapping_comes_back_for_columns_in_another_order(place: Place) -> None:
    session = await place.proposed("moved", MOVED)

    view = await place.driver.get(f"/sessions/{session}/mapping")

    [file] = view["mapping"]["files"]
    assert file["reasons"][0].startswith("Mapped as in your approved mapping of ")
    assert "No longer there: “Phone”." in file["reasons"]
    assert "New, so not remembered: “Crew Truck”." in file["reasons"]
    [values] = [v for v in view["value_mappings"] if v["field"] == "status"]
    assert {v["value"]: v["becomes"] for v in values["values"]} == {"Done": "completed", "Frobbed": "on_hold"}


async def test_the_memory_can_be_looked_at_with_its_audit(place: Place) -> None:
    memory = await place.driver.get("/mapping-memory")

    entry = next(entry for entry in memory["entries"] if entry["session"] == place.approved)
    assert (entry["entity"], entry["file"], entry["fields"]["Title"]) == ("jobs", "jobs.csv", "title")
    assert any(place.approved in line["action"] for line in memory["audit"])


async def test_apply_preset_brings_the_proposal_back(place: Place) -> None:
    session = await place.proposed("reset", LINES)
    before = await place.driver.get(f"/sessions/{session}/mapping")
    changed = {**before["mapping"], "files": [{**before["mapping"]["files"][0], "records": []}]}
    await place.driver.post(f"/sessions/{session}/mapping/document", changed)

    view = await place.driver.post(f"/sessions/{session}/mapping/reset")

    assert view["mapping"] == before["mapping"]
    assert (view["number"], view["approved"]) == (3, False)


async def test_presets_are_listed_with_version_and_source(place: Place) -> None:
    presets = await place.driver.get("/presets")

    jobber = next(p for p in presets if (p["platform"], p["name"]) == ("jobber", "Clients export, wide form"))
    assert (jobber["label"], jobber["entity"], jobber["version"] >= 1) == ("Jobber", "customers", True)
    assert jobber["source"]


async def test_another_account_profits_only_from_what_is_shared(place: Place) -> None:
    entries = (await place.driver.get("/mapping-memory"))["entries"]
    entry = next(entry for entry in entries if entry["session"] == place.approved)
    async with place.account("shop-2") as other:
        without = await other.get(f"/sessions/{await place.proposed('unshared', LINES, other)}/mapping")
        await place.driver.client.put(f"/mapping-memory/{entry['id']}/sharing", json={"shared": True})
        shared = await other.get(f"/sessions/{await place.proposed('shared', LINES, other)}/mapping")
        own = await other.get("/mapping-memory")

    assert not any("approved mapping" in reason for reason in without["mapping"]["files"][0]["reasons"])
    assert shared["mapping"]["files"][0]["reasons"][0].startswith("Mapped as in another account's approved mapping")
    assert own["entries"] == []


async def test_what_is_forgotten_is_proposed_as_if_it_had_never_been(place: Place) -> None:
    lines = ["Xa,Xb,Xc", "1,AC repair,Blorp", "2,Tune-up,Blorp"]
    async with place.account("shop-3") as other:
        session = await place.proposed("first", lines, other)
        given = (await other.get(f"/sessions/{session}/mapping"))["mapping"]
        fields = [{"field": "number", "column": 0}, {"field": "title", "column": 1}]
        given["files"][0]["records"] = [{"entity": "jobs", "fields": fields}]
        await other.post(f"/sessions/{session}/mapping/document", given)
        await other.approve(session)
        [entry] = (await other.get("/mapping-memory"))["entries"]
        again = await other.get(f"/sessions/{await place.proposed('again', lines, other)}/mapping")

        answer = await other.client.delete(f"/mapping-memory/{entry['id']}")

        after = await other.get(f"/sessions/{await place.proposed('after', lines, other)}/mapping")
    assert by_field(again) == {"number": "Xa", "title": "Xb"}
    assert answer.json() == {"forgotten": 1}
    assert not any("approved mapping" in reason for reason in after["mapping"]["files"][0]["reasons"])


async def test_a_corrected_entity_type_and_a_file_left_out_come_back_so(place: Place) -> None:
    lines = ["Client Name,Email,Phone,City", "Ann Smith,ann@example.com,602 555 0101,Mesa", "Bob Hill,,,Tampa"]
    async with place.account("shop-4") as other:
        taken_for = []
        for entity in ("customers", "leads", None):
            session = await place.proposed(f"as {entity}", lines, other)
            given = (await other.get(f"/sessions/{session}/mapping"))["mapping"]
            taken_for.append([record["entity"] for record in given["files"][0]["records"]])
            fields = [{"field": "name", "column": 0}, {"field": "email", "column": 1}]
            given["files"][0]["records"] = [{"entity": entity, "fields": fields}] if entity else []
            await other.post(f"/sessions/{session}/mapping/document", given)
            await other.approve(session)
        last = (await other.get(f"/sessions/{await place.proposed('last', lines, other)}/mapping"))["mapping"]
        memory = await other.get("/mapping-memory")

    assert taken_for[1:] == [["customers"], ["leads"]]
    assert last["files"][0]["records"] == []
    assert last["files"][0]["reasons"][0].startswith("Left out, as you chose on ")
    assert [(entry["entity"], entry["fields"]) for entry in memory["entries"]] == [(None, {})]


async def test_only_an_owner_forgets_everything_or_shares(place: Place) -> None:
    token = await place.hub.tokens.create("main", Role.ADMIN, "admin")
    async with client_of(place.hub, token.text) as admin:
        answers: list[httpx2.Response] = [
            await admin.delete("/mapping-memory"),
            await admin.put("/mapping-memory/0123/sharing", json={"shared": True}),
        ]

    assert [answer.status_code for answer in answers] == [403, 403]
