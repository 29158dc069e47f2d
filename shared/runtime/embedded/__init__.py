"""The runtime on one durable log in one SQLite file: nothing to install, one process."""

from shared.runtime.embedded.runtime import EmbeddedRuntime
from shared.runtime.embedded.settings import EmbeddedSettings

__all__ = ["EmbeddedRuntime", "EmbeddedSettings"]
