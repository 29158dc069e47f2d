"""Addresses of MongoDB and what the driver's errors mean, without a server."""

from __future__ import annotations

import pytest
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.errors import ConfigurationError as DriverConfigurationError

from shared.errors import ConfigurationError, PermanentError, RetryableError
from shared.storage.mongo.database import MongoDatabase
from shared.storage.mongo.faults import driver_faults
from tests.support.mongo_servers import with_database


@pytest.mark.parametrize(
    ("url", "name", "place"),
    [
        ("mongodb://127.0.0.1", "hub", "127.0.0.1:27017"),
        ("mongodb://127.0.0.1:1/", "hub", "127.0.0.1:1"),
        ("mongodb://a:1,b:2/migration?retryWrites=false", "migration", "a:1, b:2"),
        ("mongodb://user:p%40ss@a:1/migration", "migration", "a:1"),
    ],
)
def test_the_path_names_the_database(url: str, name: str, place: str) -> None:
    database = MongoDatabase(url)

    assert (database.name, database.place) == (name, place)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:///store.db",
        "mongodb://",
        "mongodb://user:se@cret@host/hub",
        "mongodb://user:se/cret@host/hub",
        "mongodb://user:se:cret@host:27017/hub",
        "mongodb://host:secret/hub",
        "mongodb://host/hub?w=secret&readPreference=secret",
        "mongodb://host/h$b",
    ],
)
def test_what_is_no_address_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used") as refused:
        MongoDatabase(url)

    assert "secret" not in str(refused.value)
    assert "cret@" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


async def test_a_server_that_is_not_there_is_tried_again_and_named_without_the_password() -> None:
    database = MongoDatabase("mongodb://user:secret@127.0.0.1:9/hub?serverSelectionTimeoutMS=50&connectTimeoutMS=50")
    try:
        with pytest.raises(RetryableError, match=r"127\.0\.0\.1:9") as away:
            await database.open()
    finally:
        await database.close()

    assert "secret" not in str(away.value)


def test_a_database_that_is_not_open_cannot_be_used() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        MongoDatabase("mongodb://127.0.0.1").driver()


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("mongodb://a:1", "mongodb://a:1/t"),
        ("mongodb://a:1,b:2/hub?retryWrites=false", "mongodb://a:1,b:2/t?retryWrites=false"),
        ("mongodb://u:p%40@a:1/hub", "mongodb://u:p%40@a:1/t?authSource=hub"),
        ("mongodb://u:p@a:1/hub?authSource=admin", "mongodb://u:p@a:1/t?authSource=admin"),
    ],
)
def test_a_test_has_a_database_of_its_own_on_the_same_server(url: str, other: str) -> None:
    assert with_database(url, "t") == other


PASSING = [
    AutoReconnect("connection closed"),
    ServerSelectionTimeoutError("No servers found yet, Timeout: 10s, Topology Description: <...>"),
    NotPrimaryError("not primary"),
    WTimeoutError("waiting for replication timed out", 64, {}),
    OperationFailure("interrupted at shutdown", 11600, {}),
    OperationFailure("something new", 99999, {"errorLabels": ["RetryableWriteError"]}),
    BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": [{"code": 64}]}),
]
REFUSED = [
    OperationFailure("Authentication failed.", 18, {"codeName": "AuthenticationFailed"}),
    OperationFailure("not authorized on hub", 13, {}),
    DriverConfigurationError("Server reports wire version 6, but this version of PyMongo requires at least 9"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_passes_is_tried_again(error: PyMongoError) -> None:
    with pytest.raises(RetryableError, match="at db:1 could not be used") as meant, driver_faults("db:1"):
        raise error

    assert "Topology" not in str(meant.value)


@pytest.mark.parametrize("error", REFUSED, ids=lambda error: type(error).__name__)
def test_what_an_operator_must_mend_stops(error: PyMongoError) -> None:
    with pytest.raises(ConfigurationError, match="at db:1"), driver_faults("db:1"):
        raise error


def test_what_is_too_large_can_never_succeed() -> None:
    with pytest.raises(PermanentError, match="16 MiB"), driver_faults("db:1"):
        raise DocumentTooLarge("BSON document too large (17000000 bytes)")


@pytest.mark.parametrize(
    "error",
    [OperationFailure("unknown operator", 2, {}), BulkWriteError({"writeErrors": [{"code": 121}]})],
    ids=["command", "bulk"],
)
def test_a_fault_of_the_call_passes_as_it_is(error: PyMongoError) -> None:
    with pytest.raises(type(error)), driver_faults("db:1"):
        raise error
