"""Kinds of values in words that people use."""

from __future__ import annotations

_IN_WORDS = {
    "email": "e-mail addresses", "phone": "phone numbers", "url": "web addresses", "date": "dates",
    "datetime": "dates with a time", "money": "amounts of money", "percent": "percentages", "decimal": "numbers",
    "integer": "whole numbers", "boolean": "yes or no", "postal_code": "postal codes", "state": "states", "id": "ids",
    "street": "street lines", "address": "addresses", "city": "cities", "json": "lists or records", "name": "names",
    "company": "company names", "text": "texts", "longtext": "long texts",
}  # fmt: skip


def in_words(kind: str) -> str:
    """A kind of values for people, in the plural."""
    return _IN_WORDS.get(kind, "other values")
