"""`hub doctor`: looks at what the hub needs; every line says what to do where something is wrong."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.cli.connection import Target, connected
from services.cli.http_server import LOOPBACK
from services.data_directory import DataDirectory
from services.settings import load_settings
from shared.errors import HubError

PYTHON_MIN = (3, 11)
SQLITE_MIN = (3, 35, 0)
"""RETURNING and upserts as the stores use them."""
FREE_BYTES_MIN = 2 * 1024**3
"""Room for a landed copy, its staging and the store of an import of some hundred megabytes."""

Check = dict[str, Any]


async def checkup(target: Target, *, port: int) -> list[Check]:
    """One entry per check: {"check", "ok", "detail", "next"}."""
    if target.server is not None:
        return [await _server(target)]
    checks: list[Callable[[], Check]] = [
        _python,
        _sqlite,
        lambda: _data_directory(target.data_directory),
        lambda: _disk(target.data_directory),
        lambda: _lock(target.data_directory),
        lambda: _port(port, target.data_directory),
        _settings,
    ]
    return [check() for check in checks]


def _check(name: str, ok: bool, detail: str, next_step: str = "") -> Check:
    return {"check": name, "ok": ok, "detail": detail, "next": "" if ok else next_step}


def _python() -> Check:
    return _check("Python", sys.version_info >= PYTHON_MIN, platform.python_version(), "Install Python 3.11 or later.")


def _sqlite() -> Check:
    return _check(
        "SQLite",
        sqlite3.sqlite_version_info >= SQLITE_MIN,
        sqlite3.sqlite_version,
        "Use a Python that comes with SQLite 3.35 or later.",
    )


def _data_directory(path: Path) -> Check:
    nearest = _nearest(path)
    detail = f"{path.absolute()}" + ("" if nearest == path else " (made with the first import)")
    ok = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return _check("Data directory", ok, detail, "It cannot be written: choose another one with --data-dir.")


def _disk(path: Path) -> Check:
    free = shutil.disk_usage(_nearest(path)).free
    return _check(
        "Disk space", free >= FREE_BYTES_MIN, f"{free / 1024**3:.1f} GiB free", "Free some space: 2 GiB are advisable."
    )


def _lock(path: Path) -> Check:
    if not (path / "lock").exists():
        return _check("Lock", True, "free")
    directory = DataDirectory(path)
    try:
        if directory.acquire():
            directory.release()
            return _check("Lock", True, "free")
    except HubError as error:
        return _check("Lock", False, error.message, error.next_step)
    known = directory.server()
    return _check(
        "Lock",
        known is not None,
        f"a hub runs at {known[0]}" if known else "held by a process that does not say its address",
        "Wait some seconds; if it stays, end that process.",
    )


def _port(port: int, path: Path) -> Check:
    known = DataDirectory(path).server()
    if known is not None and known[0].endswith(f":{port}"):
        return _check("Port", True, f"{port} is used by this hub")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return _check("Port", False, f"{port}: {error.strerror}", "Start `hub up` with another --port.")
    return _check("Port", True, f"{port} is free")


def _settings() -> Check:
    try:
        load_settings()
    except HubError as error:
        return _check("Settings", False, error.message, "Correct or unset them.")
    return _check("Settings", True, "fine")


async def _server(target: Target) -> Check:
    try:
        async with connected(target) as client:
            await client.get("/sessions", limit=1)
    except HubError as error:
        return _check("Server", False, f"{target.server}: {error.message}", error.next_step)
    return _check("Server", True, f"{target.server} answers and takes the token")


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    nearest = path.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    return path if nearest == path.absolute() else nearest
