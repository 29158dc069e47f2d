"""The application that the tests of this folder call."""

from __future__ import annotations

from tests.unit.http.things import hub

__all__ = ["hub"]
