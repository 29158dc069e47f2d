"""Shorter forms of a name: what is left without legal form, words of the trades, text after a dash, initials.

`normalise_name` decides what is the same record and its keys are stored, so it stays as it is; the forms here only help
a child to find its parent. A parent has link keys of its forms (`name_forms`), a child looks its own ones up
(`names_inside`), each with what it says about who is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import chain, pairwise, takewhile
from typing import NamedTuple

from shared.catalog.first_names import FIRST_NAMES
from shared.catalog.identity import LEGAL_WORDS, fold, normalise_name, words_of

NAMED_LIKE_PEOPLE = frozenset({"customers", "employees", "contacts", "leads"})
"""Entity types whose name is that of a person or a company, where word order and legal form do not count."""
FORMS_MAX = 6
"""Shorter forms per name; the likeliest come first. Each is a link key of a parent, or a look-up of a child."""
TEXT_MAX = 400
"""Only so many letters of a text are looked at: names stand at its beginning or it is no name."""
_RUN_MAX = 4


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# In "Smith HVAC Repair" they describe the job, not the customer.
_TRADE_WORDS = _words(
    """hvac repair repairs plumbing plumber electric electrical electrician heating cooling air conditioning ac furnace
    boiler drain drains cleaning cleaner install installation installations installed maintenance service services job
    work visit inspection tuneup tune up replacement replace emergency call estimate quote roofing roof gutter pest
    control lawn landscaping landscape pool spa garage door water heater leak sewer toilet faucet pipe pipes duct ducts
    thermostat wiring panel outlet lighting generator appliance handyman painting carpentry flooring annual seasonal
    checkup check spring fall warranty follow followup residential commercial project unit system"""
)
# They belong to the visit.
_VISIT_WORDS = _words(
    """request appointment appt booking phase order wo callback recall rekey rebate diagnostic diagnose diagnosis
    troubleshoot fix checkout swap retrofit upgrade rooter septic sump pump filter filters window windows solar fence
    gate tree concrete remodel remodeling renovation clean tank line test reset quarterly monthly weekly winter
    summer"""
)
# They belong to the place, or say no more than "a firm".
_FIRM_WORDS = _words("sons son daughters brothers bros associates assoc partners enterprises group holdings")
_OTHER_SIDE_WORDS = _FIRM_WORDS | _words(
    "family residence home house rental tenant owner customer client acct account new old re attn"
)
# They say that a text is about work, but firms are called by them too: none is left out of a name.
_WORK_WORDS = _words(
    """bathroom kitchen basement attic backflow sprinkler sprinklers irrigation dishwasher washer dryer refrigerator
    fridge freezer oven stove condenser compressor coil blower chiller minisplit ductless breaker charger carpet tile
    drywall insulation siding deck patio chimney fireplace hookup clog clogged leaking rewire repipe rough trim
    punchlist reroof rebuild second third final no not heat hot cold broken noise noisy loud smell sink tub shower
    backup ev mini split"""
)
_MORE_LEGAL_WORDS = LEGAL_WORDS | _words("sas srl sarl eurl kg ag bv nv pty lllp esq md dds")
SIDE_WORDS = _TRADE_WORDS | _VISIT_WORDS | _OTHER_SIDE_WORDS | _MORE_LEGAL_WORDS
_JOB_WORDS = _TRADE_WORDS | _VISIT_WORDS | _WORK_WORDS
# Firms are called by them; a work word beside them makes them a job: 'Plumbing' is a trade, 'HVAC Repair' is not.
TRADES = _words(
    """hvac plumbing plumber electric electrical electrician heating cooling air conditioning ac boiler drain drains
    cleaning cleaner maintenance roofing roof gutter pest control lawn landscaping landscape pool spa garage door water
    sewer pipe pipes duct ducts wiring lighting generator appliance handyman painting carpentry flooring rooter septic
    solar fence gate tree concrete remodeling renovation window windows carpet tile drywall insulation siding deck patio
    chimney irrigation sprinkler sprinklers"""
)
_OF_ANY_TRADE = _words("service services residential commercial")
_TRADE_PARTS = TRADES | _OF_ANY_TRADE
# Whoever is named beside them is not the one who is meant.
_RELATION_WORDS = _words(
    """referred referral landlord tenant neighbor neighbour mother father parents wife husband spouse son daughter
    brother sister owner manager agent caller estate contact tenants renter renters occupant landlady uncle aunt cousin
    roommate boyfriend girlfriend fiance"""
)
PARTICLES = _words("de la del las los el van von der den di da dos y et e and of the for at by")
GENERATIONS = _words("jr sr ii iii iv")

# Without punctuation 'L.L.C.' is 'l l c'. Two letters alone are initials, except at the end of a firm.
_LEGAL_PHRASE = re.compile(
    r"(?<!\S)(?:l l c|p l l c|l l p|s a r l|s r l|s a s|s a p i de c v|s a de c v|s de r l(?: de c v)?"
    r"|(?:sa|sapi|s) de (?:cv|rl)(?: de cv)?)(?!\S)|(?<=\S) (?:l p|p c|p a|s a|n a)$"
)
# One blank beside a dash is enough: more of them in the pattern would make long runs quadratic.
_CUTS = r"\s[-~]|[-~]\s|[–—|;:()\[\]{}<>]|\s[/@]\s|\s(?:dba|d/b/a|aka|a/k/a|c/o|attn|re)\s"
_SEPARATOR = re.compile(_CUTS, re.IGNORECASE)
# "Furnace for Ben Brand" names a customer, "Habitat for Humanity" and "The Shops at Midtown" are ones.
_CHILD_SEPARATOR = re.compile(_CUTS + r"|\s(?:for|at)\s", re.IGNORECASE)
_ALSO_CALLED = re.compile(r"\s(?:dba|d/b/a|aka|a/k/a)\s")
_COUPLE = re.compile(r"(\w+) (?:&|and|y|et|\+) (\w+) (\w[\w' -]*)")
_COUPLE_REVERSED = re.compile(r"([\w' -]+), (\w+) (?:&|and|y|et|\+) (\w+)")

# What normalisation leaves as it is: it is no letter with an accent. The keys of records keep it.
_OTHER_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"})


class NameForms(NamedTuple):
    """What a name may be cut down to; all in normal form."""

    plain: str
    """Without legal forms of several letters or words either ('L.L.C.', 'S.A. de C.V.'), and all letters plain."""
    shorter: tuple[str, ...]
    """Names that may stand inside it, likeliest first; neither the whole one nor the plain one."""


class Trust(IntEnum):
    """What a part of a text says about who is meant."""

    SOMEBODY_ELSE = 0
    """It is a relative's name: Robert Smith in 'Robert Smith Jr'."""
    WITH_A_FACT = 1
    """Somebody else is named, too: 'Tenant Ann Kay, landlord: Bob Lee'."""
    ALONE = 2


@lru_cache(maxsize=2048)
def name_forms(text: str) -> NameForms:
    """The forms of a parent's name as it is written."""
    folded, plain, words = _folded(text)
    if not any(map(_may_be_left_out, words)) and not _CUT.search(folded):
        return NameForms(plain, ())
    forms = _forms(folded, _segments(folded, _SEPARATOR))
    # Bob Lee is not 'Bob Lee's tenant', but Lee may be 'Lee & Son'.
    own = [(form, Trust.ALONE) for form in forms if relations(text, form.split()) <= _FIRM_WORDS]
    return NameForms(plain, tuple(_first_forms(text, plain, own)))


def plain_name(text: str) -> str:
    """The name without legal forms, in plain letters (see `NameForms.plain`)."""
    return _folded(text).plain


@lru_cache(maxsize=2048)
def names_inside(text: str) -> Mapping[str, Trust]:
    """The names that may stand inside the text by which a child names its parent, likeliest first."""
    folded, plain, words = _folded(text)
    if not any(map(_may_be_left_out, words)) and not _CHILD_CUT.search(folded):
        return {}
    segments = segments_of_child(text)
    generations = GENERATIONS.intersection(words)
    found: list[tuple[str, Trust]] = []
    for form in _forms(folded, segments):
        is_only_one = _is_only_one(form, text, folded, segments) and not relations(text, form.split())
        trust = Trust.ALONE if is_only_one else Trust.WITH_A_FACT
        is_relative = not generations.issubset(form.split())
        found.append((form, Trust.SOMEBODY_ELSE if is_relative else trust))
    return _first_forms(text, plain, found)


def _first_forms(text: str, plain: str, forms: Sequence[tuple[str, Trust]]) -> dict[str, Trust]:
    known = {"", plain, normalise_name(text)}
    found: dict[str, Trust] = {}
    for form, trust in forms:
        if form not in known and len(found) < FORMS_MAX:
            found.setdefault(form, trust)
    return found


class _Folded(NamedTuple):
    """A text in small plain letters, its plain form, and its words in the order of the text."""

    text: str
    plain: str
    words: tuple[str, ...]


@lru_cache(maxsize=2048)
def _folded(text: str) -> _Folded:
    folded = fold(text)
    if not folded.isascii():
        folded = folded.translate(_OTHER_LETTERS)
    words = tuple(words_of(folded[:TEXT_MAX]))
    plain = _sorted(_telling(words)) if len(folded) <= TEXT_MAX else ""
    return _Folded(folded[:TEXT_MAX], plain or normalise_name(text), words)


def _segments(folded: str, separator: re.Pattern[str]) -> list[list[str]]:
    parts = (_telling(words_of(part)) for part in separator.split(folded))
    return [words for words in parts if not _is_side(words)]


def _is_only_one(form: str, text: str, folded: str, segments: Sequence[Sequence[str]]) -> bool:
    """Whether the segments beside that of the form are about the work, or are other names of the same one."""
    if len(segments) < 2 or _ALSO_CALLED.search(folded):
        return True
    words = set(form.split())
    return all(is_about_work(segment, text) for segment in segments if not words.issubset(segment))


@lru_cache(maxsize=2048)
def segments_of_child(text: str) -> Sequence[Sequence[str]]:
    """The words, in the order of the text, of its parts between dashes and the like that are more than a trade."""
    return _segments(_folded(text).text, _CHILD_SEPARATOR)


def is_about_work(words: Sequence[str], text: str) -> bool:
    """Whether these words of the text tell what is to be done, or where, rather than who somebody is."""
    if not FIRST_NAMES.isdisjoint(words) or not _RELATION_WORDS.isdisjoint(words):
        return False
    if words[0][0].isdigit():
        return True
    small = small_words(text)
    if _JOB_WORDS.isdisjoint(words):
        return len(words) > 1 and small.issuperset(words)
    # 'Whirlpool dishwasher repair' is work, 'Smith Plumbing' a firm.
    unknown = [word for word in words if not (is_work_word(word) or word in small or word in PARTICLES)]
    return 2 * len(unknown) < len(words)


def relations(text: str, name: Sequence[str]) -> frozenset[str]:
    """What somebody is to the one of this name, or the other way round: 'tenant' in 'Bob Lee's tenant'."""
    return _RELATION_WORDS.intersection(_folded(text).words).difference(name)


@lru_cache(maxsize=2048)
def small_words(text: str) -> frozenset[str]:
    """The words that are no names because they begin with a small letter, in a text where others do not."""
    tokens = text[:TEXT_MAX].split()
    small = {token for token in tokens if token.islower()}
    if not any(token[0].isupper() for token in tokens):
        return frozenset()
    words = {word for token in small for word in words_of(fold(token))}
    return frozenset(words.difference(PARTICLES, *(words_of(fold(token)) for token in tokens if token not in small)))


def firm_words(text: str) -> set[str]:
    """The words that say nothing about who somebody is, but tell one firm of a family from the other: 'Holdings',
    and 'Plumbing' in front of 'LLC'."""
    words: Sequence[str] = _folded(text).words
    if any(len(word) == 1 for word in words):
        words = _LEGAL_PHRASE.sub("llc", " ".join(words)).split()
    before = {word for word, behind in pairwise(words) if behind in _MORE_LEGAL_WORDS and is_side_word(word)}
    return {*_FIRM_WORDS.intersection(words), *before} - _MORE_LEGAL_WORDS


def trade_words(text: str) -> set[str]:
    """The trade behind a firm's name: 'Plumbing' in 'Lee Plumbing', but not in 'Lee plumbing' or 'Lee - Plumbing'."""
    behind = (set(takewhile(is_work_word, reversed(segment))) for segment in segments_of_child(text))
    return {
        word
        for words in behind
        if words <= _TRADE_PARTS and words.isdisjoint(small_words(text))
        for word in words - _OF_ANY_TRADE
    }


def _forms(folded: str, segments: Sequence[Sequence[str]]) -> Iterator[str]:
    for words in segments:
        yield _sorted(words)
    yield from _couple(folded)
    for words in segments:
        core = [word for word in words if not is_side_word(word)]
        yield _sorted(core)
        yield from _without_initials(core)
        yield from _trimmed(words)


def _without_initials(words: Sequence[str]) -> Iterator[str]:
    """Without initials, then without Jr and Sr too."""
    full = [word for word in words if len(word) > 1]
    for person in (full, [word for word in full if word not in GENERATIONS]):
        if len(person) > 1:
            yield _sorted(person)


def _trimmed(words: Sequence[str]) -> Iterator[str]:
    """Without the first or last words as long as they are side words: of 'lindwall heating hvac repair' the first two
    and the first three."""
    for count in range(1, min(len(words), _RUN_MAX + 1)):
        if is_side_word(words[-count]):
            yield _sorted(words[:-count])
        else:
            break
    for count in range(1, min(len(words), _RUN_MAX + 1)):
        if is_side_word(words[count - 1]):
            yield _sorted(words[count:])
        else:
            break


def _couple(folded: str) -> Iterator[str]:
    """Both people of 'John & Mary Smith' and of 'Smith, John & Mary'."""
    if match := _COUPLE.fullmatch(folded):
        last, firsts = match[3], (match[1], match[2])
    elif match := _COUPLE_REVERSED.fullmatch(folded):
        last, firsts = match[1], (match[2], match[3])
    else:
        return
    # 'Baker & Hall Realty' are no couple.
    if FIRST_NAMES.issuperset(firsts) and not _is_side(words_of(last)):
        for first in firsts:
            yield _sorted(words_of(f"{first} {last}"))


# What the forms above are cut at; names without any of it, and without a word that may be left out, have none.
_AND = r"|[&+]|\s(?:and|y|et)\s"
_CUT = re.compile(_SEPARATOR.pattern + _AND, re.IGNORECASE)
_CHILD_CUT = re.compile(_CHILD_SEPARATOR.pattern + _AND, re.IGNORECASE)
_MAY_CUT = re.compile(r"[-~–—|;:()\[\]{}<>/@&+]|\s(?:dba|aka|attn|re|and|y|et)\s", re.IGNORECASE)


def may_be_shorter(texts: Sequence[str | None], words: Sequence[Sequence[str]]) -> list[int]:
    """Places of the names that may have shorter forms, and of those that have for certain; `words` are those of their
    normal forms. Most names of people have none."""
    telling = {word for word in set(chain.from_iterable(words)) if _may_be_left_out(word)}
    odd = {i for i, row in enumerate(words) if not telling.isdisjoint(row)} if telling else set()
    if _MAY_CUT.search("\n".join(filter(None, texts))):
        odd.update(i for i, text in enumerate(texts) if text and _CUT.search(text))
    return sorted(odd)


def _may_be_left_out(word: str) -> bool:
    return len(word) == 1 or word in GENERATIONS or is_side_word(word) or not word.isascii()


def is_work_word(word: str) -> bool:
    """Whether a word beside a name belongs to the work."""
    return word in _JOB_WORDS or word in SIDE_WORDS or word[0].isdigit()


def is_side_word(word: str) -> bool:
    """Whether a word says nothing about who somebody is when it stands beside a name."""
    return word in SIDE_WORDS or word.isdigit()


def _telling(words: Sequence[str]) -> list[str]:
    if any(len(word) == 1 or word == "de" for word in words):
        words = _LEGAL_PHRASE.sub("", " ".join(words)).split()
    return [word for word in words if word not in _MORE_LEGAL_WORDS]


def _is_side(words: Sequence[str]) -> bool:
    return all(map(is_side_word, words))


def _sorted(words: Iterator[str] | Sequence[str]) -> str:
    return " ".join(sorted(words))
