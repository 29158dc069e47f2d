"""Addresses of bus, store and files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.locations import (
    Folder,
    GridFs,
    KafkaCluster,
    MongoServer,
    SqliteFile,
    bus_of,
    files_of,
    store_of,
    without_secrets,
)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("sqlite:///hub-data/log.db", SqliteFile(Path("hub-data/log.db"))),
        ("sqlite:////var/lib/hub/log.db", SqliteFile(Path("/var/lib/hub/log.db"))),
        ("sqlite:///with%20blank/log.db", SqliteFile(Path("with blank/log.db"))),
        ("kafka://kafka:9092", KafkaCluster(("kafka:9092",))),
        ("kafka://a.example:9092, [::1]:9093", KafkaCluster(("a.example:9092", "[::1]:9093"))),
    ],
)
def test_an_address_of_a_bus_is_read(address: str, place: object) -> None:
    assert bus_of(address) == place


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("sqlite:///store.db", SqliteFile(Path("store.db"))),
        ("mongodb://u:p@a:1,b:2/hub?w=1", MongoServer("mongodb://u:p@a:1,b:2/hub?w=1")),
        ("mongodb+srv://cluster.example/hub", MongoServer("mongodb+srv://cluster.example/hub")),
    ],
)
def test_an_address_of_a_store_is_read(address: str, place: object) -> None:
    assert store_of(address) == place


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("gridfs", GridFs()),
        ("file:///srv/hub", Folder(Path("/srv/hub"))),
        ("file:////srv/hub", Folder(Path("/srv/hub"))),
        ("file://localhost/srv/hub", Folder(Path("/srv/hub"))),
        ("file:hub-data/files", Folder(Path("hub-data/files"))),
        ("file:./files", Folder(Path("files"))),
    ],
)
def test_an_address_of_files_is_read(address: str, place: object) -> None:
    assert files_of(address) == place


@pytest.mark.parametrize(
    "address", ["kafka://", "kafka://kafka", "kafka://kafka:0", "kafka://a:9092,", "kafka://a:99999"]
)
def test_a_broker_without_host_and_port_is_refused_with_the_form(address: str) -> None:
    with pytest.raises(ValueError, match="kafka://HOST:PORT"):
        bus_of(address)


@pytest.mark.parametrize("address", ["sqlite://log.db", "sqlite:///", "sqlite:////dir/", "sqlite:///log.db?mode=ro"])
def test_a_sqlite_address_without_a_file_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"three slashes|sqlite:///DIR/NAME\.db"):
        store_of(address)


@pytest.mark.parametrize("address", ["mongodb://", "mongodb://user:secret@/hub"])
def test_a_mongo_address_without_host_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ValueError, match="names no host") as refused:
        store_of(address)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["file://server/share", "file:", "file:///", "/srv/hub", "s3://bucket"])
def test_files_without_a_folder_of_this_machine_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"file:///DIR"):
        files_of(address)


@pytest.mark.parametrize("parse", [bus_of, store_of])
def test_an_unknown_scheme_is_refused_with_the_valid_ones(parse: object) -> None:
    with pytest.raises(ValueError, match=r"write sqlite:///DIR/\w+\.db or (kafka|mongodb)://HOST:PORT"):
        parse("redis://localhost")  # type: ignore[operator]


@settings(deadline=None)
@given(password=st.text(st.characters(codec="ascii", exclude_characters="@?&*"), min_size=3).filter(str.strip))
def test_no_password_of_an_address_is_shown(password: str) -> None:
    in_credentials = without_secrets(f"mongodb://hub:{password}@HOST/DB")
    in_option = without_secrets(f"mongodb://HOST/DB?w=1&tlsCertificateKeyFilePassword={password}&x=y")

    assert in_credentials == "mongodb://***@HOST/DB"
    assert in_option == "mongodb://HOST/DB?w=1&tlsCertificateKeyFilePassword=***&x=y"


def test_the_url_of_a_server_is_not_in_its_representation() -> None:
    assert "secret" not in repr(store_of("mongodb://hub:secret@a/hub"))
