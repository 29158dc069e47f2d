"""The hubs that the composition root makes, without a broker: what they serve and what they refuse."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2
import pytest

from services.app import Hub, api_hub, embedded_hub
from services.cli.dead_letter_work import moment
from services.data_directory import DataDirectory
from services.probes import Front, Probes
from services.settings import HubSettings, load_settings
from services.stores import open_stores
from shared.errors import BadInputError, ConfigurationError, ConflictError
from shared.observability.metrics import Metrics

TOKEN = "an-owner-token-given-from-outside"


def client_of(app: object, token: str = TOKEN) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),  # type: ignore[arg-type]
        base_url="http://hub",
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubSettings:
    monkeypatch.setenv("HUB_OWNER_TOKEN", TOKEN)
    monkeypatch.setenv("HUB_WORKERS", "1")
    return load_settings(data_dir=tmp_path)


async def test_an_owner_token_given_from_outside_is_valid_in_every_hub(settings: HubSettings) -> None:
    async with api_hub(settings) as first, api_hub(settings) as second:
        answers = [await client_of(hub.app).get("/api/v1/me") for hub in (first, second)]

        assert (first.first_token, second.first_token) == (None, None)
    assert [answer.json()["role"] for answer in answers] == ["owner", "owner"]


async def test_an_embedded_hub_takes_the_owner_token_too(settings: HubSettings) -> None:
    async with embedded_hub(settings.data_dir, settings=settings) as hub:
        answer = await client_of(hub.app).get("/api/v1/me")

    assert answer.json()["account"] == "main"


async def test_the_api_alone_consumes_nothing_and_says_which_services_are_missing(settings: HubSettings) -> None:
    async with api_hub(settings) as hub:
        health = (await client_of(hub.app).get("/api/v1/health")).json()
        made = await client_of(hub.app).post("/api/v1/sessions", json={})
        lag = await hub.runtime.lag()

    assert health["state"] == "stopped"
    assert [missing["service"] for missing in health["missing"]] == ["analyze", "ingest", "loader", "mapper", "status"]
    assert made.status_code == 201
    assert lag == []


async def test_an_embedded_hub_misses_no_service(tmp_path: Path) -> None:
    async with embedded_hub(tmp_path, workers=1) as hub:
        health = (await client_of(hub.app, hub.local_token).get("/api/v1/health")).json()

    assert (health["state"], health["missing"]) == ("running", [])


async def test_a_log_outside_of_the_data_directory_serves_one_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_BUS", f"sqlite:///{tmp_path / 'bus' / 'log.db'}")
    one = load_settings(data_dir=tmp_path / "one")
    two = load_settings(data_dir=tmp_path / "two")

    async with embedded_hub(one.data_dir, settings=one, workers=1):
        with pytest.raises(ConflictError, match="Another hub runs on the log"):
            async with embedded_hub(two.data_dir, settings=two, workers=1):
                pass
    async with embedded_hub(two.data_dir, settings=two, workers=1):
        assert (tmp_path / "bus" / "log.db").exists()


async def test_stores_lie_where_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_STORE", f"sqlite:///{tmp_path / 'deep' / 'down' / 'store.db'}")
    monkeypatch.setenv("HUB_FILES", f"file://{tmp_path / 'files'}")

    async with open_stores(load_settings(data_dir=tmp_path / "data"), FakeTime()) as stores:
        ref = await stores.files.put_bytes(b"landed")

    assert sorted(path.name for path in (tmp_path / "deep" / "down").glob("*.db")) == ["staging.db", "store.db"]
    assert (tmp_path / "files" / ref.sha256[:2] / ref.sha256).read_bytes() == b"landed"
    assert not (tmp_path / "data").exists()


async def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HUB_STORE", f"sqlite:///{tmp_path / 'file' / 'store.db'}")

    with pytest.raises(ConfigurationError, match="HUB_STORE"):
        async with open_stores(load_settings(data_dir=tmp_path), FakeTime()):
            pass


@pytest.mark.parametrize(
    ("variable", "address", "module"),
    [
        ("HUB_STORE", "mongodb://localhost/hub", "shared.storage.mongo"),
        ("HUB_BUS", "kafka://localhost:9092", "shared.runtime.kafka"),
    ],
)
async def test_a_driver_that_is_not_installed_is_named_with_its_command(
    variable: str, address: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ConfigurationError, match=r"pip install 'migration-hub\[kafka,mongo\]'"):
        async with api_hub(load_settings(data_dir=tmp_path)):
            pass


class FakeTime:
    def __call__(self) -> float:
        return 1_000.0


async def ready(front: Front) -> tuple[int, dict[str, str]]:
    """(status, state of each part)."""
    answer = await client_of(front).get("/ready")
    return answer.status_code, {name: part["state"] for name, part in answer.json()["parts"].items()}


async def test_a_process_lives_before_it_is_ready(settings: HubSettings) -> None:
    probes = Probes(Metrics("1"))
    front = Front(probes)

    assert (await client_of(front).get("/live")).status_code == 204
    assert await ready(front) == (503, {"store": "not_ready", "bus": "not_ready", "consumers": "not_ready"})
    early = await client_of(front).post("/api/v1/sessions", json={})
    assert (early.status_code, early.json()["code"]) == (503, "retryable")

    async with api_hub(settings) as hub:
        begin(front, probes, hub)
        assert await ready(front) == (200, {"store": "ready", "bus": "ready", "consumers": "ready"})
        assert (await client_of(front).get("/api/v1/me")).status_code == 200
        assert "hub_build_info" in (await client_of(front).get("/metrics")).text


async def test_a_process_whose_stores_are_closed_is_not_ready(settings: HubSettings) -> None:
    probes = Probes(Metrics("1"))
    front = Front(probes)
    async with api_hub(settings) as hub:
        begin(front, probes, hub)

    assert await ready(front) == (503, {"store": "not_ready", "bus": "not_ready", "consumers": "ready"})


async def test_the_process_of_a_service_has_no_api() -> None:
    front = Front(Probes(Metrics("1")), serves_api=False)

    assert (await client_of(front).get("/api/v1/me")).status_code == 404
    assert (await client_of(front).get("/live")).status_code == 204


def begin(front: Front, probes: Probes, hub: Hub) -> None:
    front.api = hub.app
    probes.begin(hub.runtime, hub.stores.documents)


@pytest.mark.parametrize(("text", "at"), [("30m", 8_200.0), ("2h", 2_800.0), ("1970-01-01T01:00:00+00:00", 3_600.0)])
def test_since_is_a_time_or_so_long_ago(text: str, at: float) -> None:
    assert moment(text, 10_000.0) == at


def test_since_that_is_no_time_is_refused_with_the_forms() -> None:
    with pytest.raises(BadInputError, match="30m, 12h, 7d"):
        moment("yesterday", 0.0)


def test_a_data_directory_is_locked_by_one_process_only(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)

    assert (first.acquire(), second.acquire()) == (True, False)
    first.release()
    assert second.acquire()
    second.release()
