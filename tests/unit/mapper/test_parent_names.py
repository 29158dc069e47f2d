"""All the ways in which one customer is called, from cells to the link a job gets."""

from __future__ import annotations

import pytest

from services.mapper.parent_keys import KEYS_MAX
from shared.catalog.identity import LinkKind, link_keys
from tests.unit.mapper.builders import compiled, entries, field, mapped, record, stream


def keys_of(fields: tuple[str, ...], *rows: tuple[str, ...]) -> list[tuple[int, int]]:
    """(hash, row) of the link keys, repeats included."""
    columns = (field(name, i) for i, name in enumerate(fields))
    plan = compiled("|".join(fields), record("customers", *columns))
    made = stream(mapped(plan, *rows), "customers").link_keys
    assert len(made) == 12 * len(entries(made)), "no key twice"
    return sorted(entries(made))


def key(kind: LinkKind, text: str, row: int = 0) -> tuple[int, int]:
    return int(link_keys("customers", kind, [text], "files")[0]), row


def test_a_person_with_a_company_is_called_by_both() -> None:
    found = keys_of(("source_id", "first_name", "last_name", "company"), ("1", "Ann", "Kay", "Kay Bakery LLC"))

    assert {key(LinkKind.NAME, "ann kay"), key(LinkKind.NAME, "bakery kay")}.issubset(found)
    assert {key(LinkKind.NAME_WORD, word) for word in ("ann", "kay", "bakery")}.issubset(found)


def test_a_company_called_like_the_person_has_each_key_once() -> None:
    one = keys_of(("source_id", "name"), ("1", "Ann Kay"))

    assert keys_of(("source_id", "name", "company"), ("1", "Ann Kay", "Kay, Ann")) == one


def test_of_a_very_long_name_the_first_words_are_kept() -> None:
    words = [f"word{chr(97 + i)}" for i in range(KEYS_MAX + 1)]

    found = keys_of(("source_id", "name"), ("1", " ".join(words)))

    assert {key(LinkKind.NAME_WORD, word) for word in words[:-1]}.issubset(found)
    assert key(LinkKind.NAME_WORD, words[-1]) not in found


@pytest.mark.parametrize("name", ["Acme S.A. de C.V.", "ACME L.L.C."])
def test_a_firm_is_called_without_its_legal_form(name: str) -> None:
    assert key(LinkKind.NAME, "acme", row=1) in keys_of(("source_id", "name"), ("1", "Ben Brand"), ("2", name))


def test_a_shorter_form_is_a_key_of_its_own_row_alone() -> None:
    found = keys_of(("source_id", "name"), ("1", "Ben Brand"), ("2", "Müller & Sons"))

    assert key(LinkKind.CORE_NAME, "muller", row=1) in found
    assert [row for hash_, row in found if hash_ == key(LinkKind.CORE_NAME, "muller")[0]] == [1]
