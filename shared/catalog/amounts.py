"""Amounts of money as they are stored and as they are written."""

from __future__ import annotations

MINOR_DIGITS = 2
"""Digits behind the decimal mark of every stored amount: cents."""


def decimal_text(minor: int) -> str:
    """Minor units as a decimal string: 123456 is "1234.56"."""
    whole, fraction = divmod(abs(minor), 10**MINOR_DIGITS)
    return f"{'-' if minor < 0 else ''}{whole}.{fraction:0{MINOR_DIGITS}}"
