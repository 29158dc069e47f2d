from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.mapping.cases import Case, LabelledColumn, load_cases
from benchmarks.mapping.held_out import own_phrases
from benchmarks.mapping.variants import (
    FILE_NAMES,
    KINDS,
    OTHER_PARTIES,
    OWN_HEADERS,
    has_other_party,
    scrambled_name,
    variant,
)
from shared.catalog.lexicon import load_lexicon

CASE = next(case for case in load_cases() if case.id == "inv-hcp")


@pytest.mark.parametrize("kind", KINDS)
def test_a_variant_is_the_same_each_time(kind: str) -> None:
    assert variant(CASE, kind) == variant(CASE, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_variant_keeps_every_column_beside_its_label(kind: str) -> None:
    own = {column.accepted for column in CASE.columns} | {(None,)}
    assert {column.accepted for column in variant(CASE, kind).columns} <= own


def test_a_bill_of_another_party_holds_none_of_the_entity_types() -> None:
    made = variant(CASE, "other_party")

    changed = [(old.header, new.header) for old, new in zip(CASE.columns, made.columns, strict=True)]
    assert (made.entity, made.entities_accepted) == ("none", {"none"})
    assert {new.split()[0] for old, new in changed if old.startswith("Customer")} <= set(OTHER_PARTIES)
    assert {new.split()[0] for old, new in changed if old.startswith("Invoice")} == {"Bill"}
    assert all(old == new for old, new in changed if not old.startswith(("Customer", "Invoice")))
    assert {column.accepted for column in made.columns} == {(None,)}


@pytest.mark.parametrize(("case", "has"), [("inv-hcp", True), ("cus-jobber-flat", True), ("eq-fieldedge", False)])
def test_only_lists_and_papers_about_customers_have_another_party(case: str, has: bool) -> None:
    assert has_other_party(next(c for c in load_cases() if c.id == case)) is has


def test_a_file_without_headers_keeps_no_header() -> None:
    assert {column.header for column in variant(CASE, "headless").columns} == {""}


def test_a_scrambled_name_says_nothing() -> None:
    assert scrambled_name(CASE).file_name in FILE_NAMES


def _case(platform: str, *headers: str) -> Case:
    columns = tuple(LabelledColumn(header, (None,), ("",)) for header in headers)
    return replace(CASE, id=platform, platform=platform, columns=columns)


def test_phrases_that_two_platforms_have_are_nobodys_own() -> None:
    cases = [_case("one", "Due date", "Work site"), _case("other", "due_date", "Gate key")]
    words = load_lexicon().tokens

    own = own_phrases(cases, "platform")

    assert own["one"] - {frozenset()} == {frozenset(words("Work site"))}
    assert own["other"] - {frozenset()} == {frozenset(words("Gate key"))}


def test_a_lexicon_without_phrases_still_knows_their_words() -> None:
    lexicon = load_lexicon()
    phrase = frozenset(lexicon.tokens("Serial number"))

    fewer = lexicon.without(frozenset({phrase}))

    assert ("equipment", "serial_number") in lexicon.header_scores("Serial number")
    assert fewer.header_scores("Serial number") != lexicon.header_scores("Serial number")
    assert fewer.tokens("Serial number") == lexicon.tokens("Serial number")


def test_columns_of_a_business_s_own_feed_nothing() -> None:
    columns = variant(CASE, "vague").columns
    assert len(columns) > len(CASE.columns)
    assert all(column.accepted == (None,) for column in columns if column.header in OWN_HEADERS)
