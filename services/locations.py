"""Where the bus, the store and the files are: the addresses of `HUB_BUS`, `HUB_STORE` and `HUB_FILES`. Pure.

`sqlite:///DIR/log.db` is relative to the working directory and `sqlite:////DIR/log.db` absolute, as SQLAlchemy has it.
`file:///DIR` is absolute, as RFC 8089 has it, and `file:DIR` relative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

BUS_FORMS = "sqlite:///DIR/log.db or kafka://HOST:PORT,HOST:PORT"
STORE_FORMS = "sqlite:///DIR/store.db or mongodb://HOST:PORT/DATABASE"
FILES_FORMS = "file:///DIR or gridfs"

_PORT_MAX = 65_535
_MONGO_SCHEMES = ("mongodb://", "mongodb+srv://")
_BROKER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>\d{1,5})")
_CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)
_SECRET_OPTION = re.compile(r"(?i)([?&][^=&]*(?:password|token|properties)[^=&]*=)[^&]*")


@dataclass(frozen=True)
class SqliteFile:
    """A SQLite file on this machine."""

    path: Path


@dataclass(frozen=True)
class KafkaCluster:
    """Brokers to begin with, each HOST:PORT."""

    brokers: tuple[str, ...]


@dataclass(frozen=True)
class MongoServer:
    """A MongoDB deployment. The URL may hold a password and is not shown."""

    url: str = field(repr=False)


@dataclass(frozen=True)
class Folder:
    """A folder that every process of the hub can reach."""

    path: Path


@dataclass(frozen=True)
class GridFs:
    """Files inside the MongoDB store."""


def bus_of(text: str) -> SqliteFile | KafkaCluster:
    """The bus of an address. ValueError where it is none."""
    if text.startswith("kafka://"):
        return KafkaCluster(tuple(_broker(part) for part in text.removeprefix("kafka://").split(",")))
    if text.startswith("sqlite://"):
        return _sqlite_file(text)
    raise ValueError(f"write {BUS_FORMS}")


def store_of(text: str) -> SqliteFile | MongoServer:
    """The store of an address. ValueError where it is none."""
    for scheme in _MONGO_SCHEMES:
        if text.startswith(scheme):
            if not _CREDENTIALS.sub("", text).removeprefix(scheme).split("/")[0].split("?")[0]:
                raise ValueError(f"it names no host; write {STORE_FORMS}")
            return MongoServer(text)
    if text.startswith("sqlite://"):
        return _sqlite_file(text)
    raise ValueError(f"write {STORE_FORMS}")


def files_of(text: str) -> Folder | GridFs:
    """The place of files of an address. ValueError where it is none."""
    if text == "gridfs":
        return GridFs()
    if not text.startswith("file:"):
        raise ValueError(f"write {FILES_FORMS}")
    rest = text.removeprefix("file:")
    if rest.startswith("//"):
        host, slash, path = rest.removeprefix("//").partition("/")
        if host not in ("", "localhost") or not slash:
            raise ValueError(
                f"{host!r} is no folder of this machine; write file:///DIR, or file:DIR for a relative one"
            )
        rest = "/" + path.lstrip("/")
    if not rest.strip("/"):
        raise ValueError("it names no folder; write file:///DIR")
    return Folder(Path(unquote(rest)))


def without_secrets(address: str) -> str:
    """The address as it may be shown and logged: user, password and options that hold secrets are hidden."""
    return _SECRET_OPTION.sub(r"\1***", _CREDENTIALS.sub("***@", address))


def _sqlite_file(text: str) -> SqliteFile:
    rest = text.removeprefix("sqlite://")
    if not rest.startswith("/"):
        raise ValueError("a SQLite file has no host: write three slashes for a relative path, four for an absolute one")
    path = unquote(rest[1:])
    if not path or path.endswith("/") or "?" in path:
        raise ValueError("it names no file; write sqlite:///DIR/NAME.db")
    return SqliteFile(Path(path))


def _broker(text: str) -> str:
    found = _BROKER.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) <= _PORT_MAX:
        raise ValueError(f"{text.strip()!r} is no HOST:PORT; write kafka://HOST:PORT,HOST:PORT")
    return text.strip()
