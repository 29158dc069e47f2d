"""Hashes of link keys, near hashes, and keys of records: what must meet does, what must not does not."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalog.identity import (
    KeyedBy,
    LinkKind,
    content_hashes,
    hash_texts,
    key_scope,
    link_keys,
    natural_hashes,
    near_hashes,
    record_keys,
    salt_of,
)

SALT = 4711
LETTERS = string.ascii_lowercase + " "
NAMES = st.text(alphabet=LETTERS, min_size=1, max_size=12)


def hashes(texts: Sequence[str]) -> list[int]:
    found: list[int] = hash_texts(texts, SALT).tolist()
    return found


def one(text: str) -> int:
    return hashes([text])[0]


def near(text: str) -> set[int]:
    return set(near_hashes(text, SALT).tolist())


def single_errors(text: str) -> set[str]:
    """Every text one error away, built letter by letter; no empty one."""
    cuts = [(text[:i], text[i:]) for i in range(len(text) + 1)]
    deleted = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    changed = {a + letter + b[1:] for a, b in cuts if b for letter in LETTERS}
    inserted = {a + letter + b for a, b in cuts for letter in LETTERS}
    return (deleted | swapped | changed | inserted) - {""}


# ---- one error away -------------------------------------------------------------------------------------------


@given(NAMES)
@settings(max_examples=60, deadline=None)
def test_every_single_error_is_near(text: str) -> None:
    errors = sorted(single_errors(text))
    found = near(text)

    assert [error for error, key in zip(errors, hashes(errors), strict=True) if key not in found] == []


@given(NAMES.filter(lambda text: len(text) > 1))
@settings(max_examples=60, deadline=None)
def test_nothing_but_single_errors_is_near(text: str) -> None:
    assert near(text) == set(hashes(sorted(single_errors(text))))


@given(NAMES, st.data())
@settings(max_examples=60, deadline=None)
def test_nearness_goes_both_ways(text: str, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from(sorted(single_errors(text))))

    assert one(text) in near(other)


@pytest.mark.parametrize(
    ("text", "other"), [("müller ana", "mller ana"), ("ana nuñez", "ana nuez"), ("李小龙", "李小")]
)
def test_errors_beside_letters_of_other_scripts_are_found_byte_by_byte(text: str, other: str) -> None:
    lost = len(text.encode()) - len(other.encode())

    assert (one(other) in near(text)) == (lost == 1)
    assert one(text.replace("a", "e", 1)) in near(text) or "a" not in text


def test_an_empty_text_has_nothing_near() -> None:
    assert near_hashes("", SALT).tolist() == []


# ---- hashes ---------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_names_have_as_many_hashes() -> None:
    names = [f"{first} {last} {n}" for n in range(100) for first in "abcdefghij" * 10 for last in "klmnopqrst"]
    distinct = sorted(set(names))

    assert len(set(hash_texts(distinct, SALT).tolist())) == len(distinct)


def test_hashes_are_spread_evenly_over_their_range() -> None:
    spread = hash_texts([f"customer {n}" for n in range(64_000)], SALT)

    counts = np.bincount((spread >> np.uint64(58)).astype(np.int64), minlength=64)

    assert 850 < counts.min() <= counts.max() < 1_150


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2, unique=True))
def test_different_texts_and_an_empty_one_have_different_hashes(texts: list[str]) -> None:
    first, second = hash_texts(texts, SALT).tolist()

    assert first != second
    assert hash_texts([""], SALT).tolist() == [0]


def test_entity_types_kinds_and_labels_of_ids_are_kept_apart() -> None:
    salts = [salt_of(entity, kind) for entity in ("customers", "jobs") for kind in LinkKind]
    salts += [salt_of("customers", LinkKind.SOURCE_ID, label) for label in ("files", "jobber")]

    assert len(set(salts)) == len(salts)
    assert len({int(link_keys("customers", kind, ["7"])[0]) for kind in LinkKind}) == len(LinkKind)


def test_only_ids_depend_on_the_label() -> None:
    for kind in LinkKind:
        same = salt_of("customers", kind, "files") == salt_of("customers", kind, "jobber")
        assert same == (kind is not LinkKind.SOURCE_ID)


def test_natural_keys_depend_on_their_fields_and_on_no_label() -> None:
    groups = [("email",), ("phone", "name"), ("name", "phone")]

    assert len({int(natural_hashes("customers", group, ["x"])[0]) for group in groups}) == 3
    assert natural_hashes("customers", ["email"], ["", "x"]).tolist()[0] == 0


# ---- record keys ----------------------------------------------------------------------------------------------


def test_a_record_key_has_16_bytes_and_depends_on_its_value_and_its_namespace() -> None:
    scopes = [
        key_scope(label, entity, by)
        for label in ("files", "jobber")
        for entity in ("customers", "jobs")
        for by in KeyedBy
    ]
    keys = [record_keys(scope, ["1", "2"]) for scope in scopes]

    assert {len(key) for key in keys} == {32}
    assert len({key[i : i + 16] for key in keys for i in (0, 16)}) == 2 * len(scopes)


def test_parts_of_a_namespace_do_not_run_into_one_another() -> None:
    assert key_scope("a", "b", KeyedBy.NATURAL) != key_scope("a\0b", "", KeyedBy.NATURAL)
    assert key_scope("files", "jobs", KeyedBy.SOURCE_ID) != key_scope("filesjobs", "", KeyedBy.SOURCE_ID)


@given(st.lists(st.text(max_size=10), max_size=6))
def test_keys_and_contents_of_a_column_are_those_of_its_texts(texts: list[str]) -> None:
    scope = key_scope("files", "customers", KeyedBy.SOURCE_ID)

    assert record_keys(scope, texts) == b"".join(record_keys(scope, [text]) for text in texts)
    assert content_hashes(texts) == b"".join(content_hashes([text]) for text in texts)
    assert len(content_hashes(texts)) == 8 * len(texts)


def test_keys_are_the_same_in_every_version_of_the_hub() -> None:
    """Records of earlier imports are met by these: a change would import everything twice."""
    assert record_keys(key_scope("files", "customers", KeyedBy.SOURCE_ID), ["C-1"]).hex() == RECORD_KEY
    assert int(link_keys("customers", LinkKind.NAME, ["abbot ada"])[0]) == NAME_KEY
    assert int(natural_hashes("customers", ["email"], ["ada@x.co"])[0]) == NATURAL_KEY


RECORD_KEY = "ebff6667a04f4da41a7e1b40a2ebeff8"
NAME_KEY = 14688329759488628037
NATURAL_KEY = 13015919197383847367
