"""Settings of the processes: read, checked all at once, shown without secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.locations import Folder, GridFs, KafkaCluster, MongoServer, SqliteFile
from services.settings import HubSettings, load_settings, shown
from shared.errors import ConfigurationError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)


def refused(**options: object) -> str:
    """The text of the refusal."""
    with pytest.raises(ConfigurationError) as error:
        load_settings(**options)  # type: ignore[arg-type]
    return str(error.value)


def test_without_settings_everything_lies_in_the_data_directory() -> None:
    settings = load_settings(data_dir=Path("here"))

    assert settings.bus_place == SqliteFile(Path("here/log.db"))
    assert settings.store_place == SqliteFile(Path("here/store.db"))
    assert settings.files_place == Folder(Path("here/files"))
    assert settings.topic_partitions == 12


def test_the_environment_names_other_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_BUS", "kafka://a:9092,b:9092")
    monkeypatch.setenv("HUB_STORE", "mongodb://mongo/hub")
    monkeypatch.setenv("HUB_FILES", "gridfs")
    monkeypatch.setenv("HUB_TOPIC_PARTITIONS", "24")

    settings = load_settings(shared_bus_for="hub api")

    assert settings.bus_place == KafkaCluster(("a:9092", "b:9092"))
    assert settings.store_place == MongoServer("mongodb://mongo/hub")
    assert settings.files_place == GridFs()
    assert settings.topic_partitions == 24


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OWNER_TOKEN", "")
    monkeypatch.setenv("HUB_BUS", "")

    settings = load_settings()

    assert (settings.owner_token, settings.bus) == (None, None)


def test_an_option_of_the_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HTTP_PORT", "9000")

    assert load_settings(http_port=0).http_port == 0
    assert load_settings(http_port=None).http_port == 9000


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_BUS", "redis://localhost")
    monkeypatch.setenv("HUB_HTTP_PORT", "http")
    monkeypatch.setenv("HUB_FILES", "gridfs")
    monkeypatch.setenv("HUB_KAFKA_CERT_FILE", "/nowhere/cert.pem")
    monkeypatch.setenv("HUB_UPLOAD_BYTES_MAX", "many")

    text = refused()

    assert "HUB_BUS is 'redis://localhost': write sqlite:///DIR/log.db or kafka://HOST:PORT" in text
    assert "HUB_HTTP_PORT is 'http'" in text
    assert "HUB_FILES is gridfs: that needs HUB_STORE=mongodb://" in text
    assert "'/nowhere/cert.pem': there is no such file" in text
    assert "HUB_KAFKA_CERT_FILE and HUB_KAFKA_KEY_FILE belong together" in text
    assert "HUB_UPLOAD_BYTES_MAX is 'many'" in text


def test_a_wrong_secret_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OWNER_TOKEN", "geheim")
    monkeypatch.setenv("HUB_STORE", "mongodb://user:geheim@/hub")

    text = refused()

    assert "HUB_OWNER_TOKEN is '***': an owner token has 16 to 200" in text
    assert "HUB_STORE is 'mongodb://***@/hub': it names no host" in text
    assert "geheim" not in text


def test_one_of_several_processes_needs_a_bus_that_is_shared() -> None:
    text = refused(shared_bus_for="hub service loader")

    assert "`hub service loader` is one of several" in text
    assert "kafka://HOST:PORT" in text
    assert "hub up" in text


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"HUB_KAFKA_PROTOCOL": "SASL_SSL"}, "set HUB_KAFKA_USERNAME and HUB_KAFKA_PASSWORD too"),
        ({"HUB_KAFKA_USERNAME": "hub", "HUB_KAFKA_PASSWORD": "x"}, "which sends no user and password"),
        ({"HUB_KAFKA_CA_FILE": __file__}, "needs an HUB_KAFKA_PROTOCOL of SSL or SASL_SSL"),
        ({"HUB_KAFKA_PROTOCOL": "TLS"}, "HUB_KAFKA_PROTOCOL is 'TLS'"),
        ({"HUB_MAPPER_LLM_URL": "https://llm.example/v1"}, "HUB_MAPPER_LLM_URL and HUB_MAPPER_LLM_MODEL belong"),
        ({"HUB_MAPPER_LLM_URL": "llm.example", "HUB_MAPPER_LLM_MODEL": "m"}, "write http://HOST"),
        ({"HUB_MAPPER_LLM_URL": "http://u:p@h/v1", "HUB_MAPPER_LLM_MODEL": "m"}, "must hold no user, password"),
        ({"HUB_MAPPER_LLM_URL": "http://h:99999/v1", "HUB_MAPPER_LLM_MODEL": "m"}, "write http://HOST[:PORT]"),
        ({"HUB_MAPPER_LLM_URL": "http://h:port/v1", "HUB_MAPPER_LLM_MODEL": "m"}, "write http://HOST[:PORT]"),
        ({"HUB_MAPPER_LLM_KEY": "sk-é"}, "HUB_MAPPER_LLM_KEY is '***': a key has printable ASCII characters"),
        ({"HUB_MAPPER_LLM_KEY": "sk-1"}, "HUB_MAPPER_LLM_KEY is set without HUB_MAPPER_LLM_URL"),
        ({"HUB_MAPPER_LLM_TIMEOUT_SECONDS": "0"}, "HUB_MAPPER_LLM_TIMEOUT_SECONDS is '0'"),
        ({"HUB_TOPIC_PREFIX": "Tests "}, "HUB_TOPIC_PREFIX is 'Tests '"),
        ({"HUB_OWNER_TOKEN_FILE": "/nowhere/token"}, "the file cannot be read (No such file or directory)"),
        ({"HUB_FAIL_POINT": "nowhere"}, "nowhere"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    environment: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert told in refused()


def test_a_key_behind_the_address_is_not_shown_and_only_the_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_MAPPER_LLM_URL", "http://x/v1?key=geheim#geheim")
    monkeypatch.setenv("HUB_MAPPER_LLM_MODEL", "m")
    monkeypatch.setenv("HUB_MAPPER_LLM_KEY", "sk-1")

    text = refused()

    assert text.startswith("1 setting is wrong.")
    assert "HUB_MAPPER_LLM_URL is 'http://x/v1?***': it must hold no user, password, query or fragment" in text
    assert "geheim" not in text


def test_secrets_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OWNER_TOKEN", "KAFKA_PASSWORD", "STORE"):
        monkeypatch.setenv(f"HUB_{name}_FILE", str(tmp_path / name))
    (tmp_path / "OWNER_TOKEN").write_text("a-token-of-an-owner\n")
    (tmp_path / "KAFKA_PASSWORD").write_text("geheim\n")
    (tmp_path / "STORE").write_text("mongodb://u:geheim@mongo/hub\n")
    monkeypatch.setenv("HUB_KAFKA_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("HUB_KAFKA_USERNAME", "hub")

    settings = load_settings()

    assert settings.owner_token is not None
    assert settings.owner_token.get_secret_value() == "a-token-of-an-owner"
    assert settings.kafka_password is not None
    assert settings.kafka_password.get_secret_value() == "geheim"
    assert settings.store_place == MongoServer("mongodb://u:geheim@mongo/hub")


def test_the_key_of_the_language_model_comes_from_a_file_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("sk-geheim\n")
    monkeypatch.setenv("HUB_MAPPER_LLM_URL", "https://llm.example/v1")
    monkeypatch.setenv("HUB_MAPPER_LLM_MODEL", "small")
    monkeypatch.setenv("HUB_MAPPER_LLM_KEY_FILE", str(tmp_path / "key"))

    settings = load_settings()

    assert settings.mapper_llm_key is not None
    assert settings.mapper_llm_key.get_secret_value() == "sk-geheim"
    assert "sk-geheim" not in str(shown(settings))


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("a-token-of-an-owner")
    monkeypatch.setenv("HUB_OWNER_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("HUB_OWNER_TOKEN", "another-token-of-an-owner")

    assert "HUB_OWNER_TOKEN and HUB_OWNER_TOKEN_FILE are both set" in refused()


def test_settings_are_shown_with_their_origin_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("a-token-of-an-owner")
    monkeypatch.setenv("HUB_OWNER_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("HUB_STORE", "mongodb://u:geheim@mongo/hub")
    monkeypatch.setenv("HUB_RATE_LIMIT_BURST", "7")

    lines = {line.name: (line.value, line.origin) for line in shown(load_settings(http_port=0))}

    assert lines["HUB_OWNER_TOKEN"] == ("***", f"file {tmp_path / 'token'}")
    assert lines["HUB_STORE"] == ("mongodb://***@mongo/hub", "environment")
    assert lines["HUB_BUS"] == ("sqlite:///hub-data/log.db", "default")
    assert lines["HUB_HTTP_PORT"] == ("0", "command line")
    assert lines["HUB_RATE_LIMIT_BURST"] == ("7", "environment")
    assert lines["HUB_KAFKA_PASSWORD"] == ("", "default")


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in HubSettings.model_fields.items() if not field.description] == []
