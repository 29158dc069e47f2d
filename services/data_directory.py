"""The data directory of an embedded hub: its lock, and how other commands of the same user reach its holder."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from shared.errors import ConfigurationError


class DataDirectory:
    """The folder of an embedded hub and its lock, held while a process runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def server_file(self) -> Path:
        """Where the process that holds the lock says how to reach it."""
        return self.path / "server.json"

    def acquire(self) -> bool:
        """Takes the lock; False where another process runs the hub on this folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            # O_CLOEXEC: worker processes must not inherit the lock, or it would outlive a killed parent.
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The data directory {self.path} cannot be used: {error.strerror}.",
                next_step="Choose another one with --data-dir.",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        self.server_file.unlink(missing_ok=True)
        return True

    def announce(self, url: str, token: str) -> None:
        """Tells commands of the same user how to reach this process."""
        temporary = self.path / f"server.json.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"url": url, "token": token, "pid": os.getpid()}, file)
        temporary.replace(self.server_file)

    def server(self) -> tuple[str, str] | None:
        """(address, token) of the process that holds the lock; None while it does not say."""
        try:
            known = json.loads(self.server_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return known["url"], known["token"]

    def release(self) -> None:
        """Gives the lock back."""
        if self._lock is not None:
            self.server_file.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
