"""One MongoDB database: the connection with the hub's guarantees, and what the driver's errors mean.

Every adapter of `shared/storage/mongo` sits on `MongoDatabase` and speaks to it through `Collection`.
"""

from __future__ import annotations

from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.errors import InvalidName, InvalidURI
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from shared.errors import ConfigurationError
from shared.storage.mongo.collection import Collection, Document
from shared.storage.mongo.faults import driver_faults

DEFAULT_DATABASE = "hub"

# Waiting limits, each for one call. A call of the hub that fails is tried again by whoever delivered its message, so
# that short limits cost nothing; the URL may set others.
SERVER_SELECTION_SECONDS = 10.0
"""Finding a server that may be written to; an election takes some seconds."""
CONNECT_SECONDS = 10.0
POOL_WAIT_SECONDS = 30.0
"""Waiting for a free connection of this process."""
ANSWER_SECONDS = 60.0
"""Above the limit for confirmation, so that the server can say itself what it waits for."""
CONFIRM_SECONDS = 30.0
"""Until a majority of the servers has written to its journal."""

_LIMITS = {
    "serverselectiontimeoutms": ("serverSelectionTimeoutMS", SERVER_SELECTION_SECONDS),
    "connecttimeoutms": ("connectTimeoutMS", CONNECT_SECONDS),
    "waitqueuetimeoutms": ("waitQueueTimeoutMS", POOL_WAIT_SECONDS),
    "sockettimeoutms": ("socketTimeoutMS", ANSWER_SECONDS),
}


class MongoDatabase:
    """A database on a MongoDB server, used from one event loop. The URL's path names it, `hub` where there is none.

    What a write answered is durable: it waits until a majority of the servers has it in its journal, and reads see
    only what a majority has. Neither can be switched off in the URL. ConfigurationError where the URL is none.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            parsed = parse_uri(url, validate=True, warn=False)
            given = {name.lower() for name in parsed["options"]}
        except (InvalidURI, InvalidName, DriverConfigurationError, ValueError, TypeError):
            raise _no_address() from None  # the driver's own text may quote a part of the password
        self.name: str = parsed["database"] or DEFAULT_DATABASE
        self.place = ", ".join(f"{host}:{port}" for host, port in parsed["nodelist"])
        """Host and port of the servers the URL names, for messages."""
        self._limits: dict[str, Any] = {
            name: int(seconds * 1000) for key, (name, seconds) in _LIMITS.items() if key not in given
        }
        self._client: AsyncMongoClient[Document] | None = None

    async def open(self) -> None:
        """Connects. RetryableError while no server answers, ConfigurationError where it refuses the hub."""
        if self._client is None:
            try:
                self._client = AsyncMongoClient(self._url, appname="migration-hub", tz_aware=True, **self._limits)
            except (InvalidURI, DriverConfigurationError, ValueError):
                raise _no_address() from None
        with driver_faults(self.place):
            await self._client.admin.command("ping")

    async def close(self) -> None:
        """Ends all connections. Repeating it is harmless."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def collection(self, name: str) -> Collection:
        """A collection by name; ready to use once the database is open."""
        return Collection(lambda: self.driver()[name], self.place)

    def driver(self) -> AsyncDatabase[Document]:
        """The driver's own database, for what `Collection` does not cover."""
        if self._client is None:
            raise RuntimeError("The MongoDB database is not open.")
        return self._client.get_database(self.name, **_guarantees())


def _guarantees() -> dict[str, Any]:
    return {
        "write_concern": WriteConcern(w="majority", j=True, wtimeout=int(CONFIRM_SECONDS * 1000)),
        "read_concern": ReadConcern("majority"),
        "read_preference": ReadPreference.PRIMARY,
    }


def _no_address() -> ConfigurationError:
    return ConfigurationError(
        "The address of the MongoDB server cannot be used. Nothing was started.",
        next_step="Write it as mongodb://user:password@host:27017/hub, with / : @ % in user and password as %2F %3A"
        " %40 %25, and with options as MongoDB's connection string documents them.",
    )
