"""What a name may be cut down to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.catalog.identity import fold, normalise_name, words_of
from shared.catalog.name_forms import FORMS_MAX, Trust, firm_words, may_be_shorter, name_forms, names_inside
from shared.catalog.place_forms import places_in


@pytest.mark.parametrize("text", ["Acme", "Acme LLC", "Acme L.L.C.", "ACME, Inc.", "Acme S.A. de C.V.", "Acme S de RL"])
def test_legal_form_does_not_count(text: str) -> None:
    assert name_forms(text).plain == "acme"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Smith HVAC Repair", "smith"),
        ("Smith - annual tune-up 2024", "smith"),
        ("Smith & Sons Heating", "smith"),
        ("Lindwall Heating HVAC repair", "heating lindwall"),
        ("HVAC repair: John Smith", "john smith"),
        ("John Q. Smith III", "john smith"),
        ("Smith, John & Mary", "mary smith"),
        ("Acme dba Bob's Diner", "bob diner"),
    ],
)
def test_name_is_found_in_a_text(text: str, form: str) -> None:
    assert form in name_forms(text).shorter


@pytest.mark.parametrize("text", ["Smith, John", "Ana García-López", "Peter O'Neil", "HVAC repair"])
def test_name_without_anything_to_cut_has_no_shorter_form(text: str) -> None:
    assert name_forms(text).shorter == ()


def test_street_is_found_in_a_text() -> None:
    assert places_in("12 Oak Street - furnace repair") == ("12 oak st",)


@pytest.mark.parametrize("text", ["12 Oak St - Unit 4 - furnace", "Apt 4; 12 Oak St"])
def test_a_unit_stays_with_its_street(text: str) -> None:
    assert places_in(text) == ("12 oak st apt 4",)


def test_letters_that_are_no_accents_are_plain_in_the_plain_form() -> None:
    assert name_forms("Jørgen Sørensen").plain == "jorgen sorensen"
    assert may_be_shorter(["Jørgen Sørensen"], [["jørgen", "sørensen"]]) == [0]


def test_only_first_names_make_a_couple() -> None:
    assert "hall realty" not in name_forms("Baker & Hall Realty").shorter


@pytest.mark.parametrize(
    ("text", "part", "trust"),
    [
        ("Bob Lee - furnace tune-up", "bob lee", Trust.ALONE),
        ("Bob Lee - radon mitigation", "bob lee", Trust.ALONE),
        ("Bob Lee - 12 Oak St", "bob lee", Trust.ALONE),
        ("BOB LEE - WHIRLPOOL DISHWASHER REPAIR", "bob lee", Trust.ALONE),
        ("Bob Lee - Smith Plumbing", "bob lee", Trust.WITH_A_FACT),
        ("Bob Lee - tenant turnover cleaning", "bob lee", Trust.WITH_A_FACT),
        ("Maria Garcia - lopez", "garcia maria", Trust.WITH_A_FACT),
        ("Acme dba Lee Diner", "diner lee", Trust.ALONE),
        ("Ann Kay / Bob Lee", "bob lee", Trust.WITH_A_FACT),
        ("Bob Lee - Radon Mitigation", "bob lee", Trust.WITH_A_FACT),
        ("landlord: Bob Lee", "bob lee", Trust.WITH_A_FACT),
        ("Bob Lee Jr - furnace", "bob lee", Trust.SOMEBODY_ELSE),
        ("Bob Lee Jr - furnace", "bob jr lee", Trust.ALONE),
    ],
)
def test_what_a_part_says_about_who_is_meant(text: str, part: str, trust: Trust) -> None:
    assert names_inside(text)[part] is trust


def test_a_word_in_front_of_the_legal_form_tells_the_firm() -> None:
    assert firm_words("Waywin Plumbing LLC") == {"plumbing"}
    assert firm_words("Silva & Sons, S.A. de C.V. - plumbing") == {"sons"}
    assert firm_words("Waywin plumbing job") == set()


def test_long_runs_of_blanks_and_dashes_are_read_once() -> None:
    """Twice as long, twice the time: read again from each blank on, this would take hours."""
    text = f"Bob{' ' * 300_000}Lee{'-' * 300_000}x - repair"

    assert may_be_shorter([text, "a - b"], [["bob", "lee", "x"], ["a", "b"]]) == [0, 1]
    assert places_in(f"12 Oak St{' ' * 300_000}- repair") == ("12 oak st",)


@given(st.text(alphabet="abjr LCde.&-,:(0", max_size=20))
@settings(max_examples=200, deadline=None)
def test_forms_are_other_names_in_normal_order(text: str) -> None:
    forms = name_forms(text)

    assert len(forms.shorter) <= FORMS_MAX
    for form in forms.shorter:
        assert form.split() == sorted(form.split())
        assert form not in ("", normalise_name(text), forms.plain)


@given(st.text(alphabet="abjr LCde.&-,:(0", max_size=20))
@settings(max_examples=200, deadline=None)
def test_names_that_have_forms_are_not_passed_over(text: str) -> None:
    words = words_of(fold(text))

    if name_forms(text).shorter:
        assert may_be_shorter([text], [words]) == [0]
